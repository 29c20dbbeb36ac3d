package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/tasks"
)

// serving is a pali serve that runs.
type serving struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	log    *logBuffer
	folder string
}

// logBuffer is a buffer that may be read while a program writes to it.
type logBuffer struct {
	lock sync.Mutex
	b    bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.b.String()
}

// startServe starts the server on any port and waits until it has loaded the model.
func startServe(t *testing.T, folder string, args ...string) *serving {
	t.Helper()
	s := &serving{t: t, log: &logBuffer{}, folder: folder}
	s.cmd = program(folder, append([]string{"serve", "-m", "d", "-t", "1", "--listen", "127.0.0.1:0", "--json"},
		args...)...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	var at struct{ Address string }
	if err := json.NewDecoder(out).Decode(&at); err != nil {
		s.cmd.Wait()
		t.Fatalf("%v: %s", err, s.log)
	}
	s.url = at.Address
	for range 500 {
		if resp, err := http.Get(s.url + "/health"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("not ready: %s", s.log)
	return nil
}

// upload is a form with an image.
func upload(t *testing.T, path string, fields ...string) (body []byte, contentType string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreateFormFile("image", filepath.Base(path))
	part.Write(data)
	for i := 0; i < len(fields); i += 2 {
		w.WriteField(fields[i], fields[i+1])
	}
	w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// ask uploads an image to one of our routes; fields are names and values in turn.
func (s *serving) ask(task, picture string, fields ...string) *http.Response {
	s.t.Helper()
	body, kind := upload(s.t, filepath.Join(s.folder, picture), fields...)
	resp, err := http.Post(s.url+"/v1/"+task, kind, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (s *serving) answer(task, picture string, fields ...string) (a tasks.Response) {
	s.t.Helper()
	resp := s.ask(task, picture, fields...)
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %v, %s", task, err, resp.Status)
	}
	return a
}

// workers lists the processes of the server's workers.
func (s *serving) workers() (pids []int) {
	out, err := exec.Command("ps", "-ax", "-o", "ppid=,pid=,stat=").Output()
	if all, _ := filepath.Glob("/proc/[0-9]*/stat"); err != nil { // no ps, then Linux: pid (name) state ppid
		out = nil
		for _, path := range all {
			b, _ := os.ReadFile(path)
			if m := regexp.MustCompile(`(?s)^(\d+) .*\) (\S) (\d+) `).FindSubmatch(b); m != nil {
				out = fmt.Appendf(out, "%s %s %s\n", m[3], m[1], m[2])
			}
		}
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == fmt.Sprint(s.cmd.Process.Pid) && f[2][0] != 'Z' {
			pid, _ := strconv.Atoi(f[1])
			pids = append(pids, pid)
		}
	}
	return pids
}

// The server's answers are the commands', objects, scores and masks among them.
func TestServeAnswersAsTheCommandsDo(t *testing.T) {
	folder := withMasks(t)
	s := startServe(t, folder)
	for _, c := range []struct {
		args   []string
		fields []string
	}{
		{[]string{"caption"}, nil},
		{[]string{"caption", "--lang", "de"}, []string{"lang", "de"}},
		{[]string{"ask", "how many circles are there?"}, []string{"question", "how many circles are there?"}},
		{[]string{"ocr", "--temperature", "0.8", "--top-p", "0.9", "--seed", "3"}, []string{"temperature", "0.8",
			"top_p", "0.9", "seed", "3"}},
		{[]string{"detect", "circle", "purple triangle", "--logprobs", "2"}, []string{"things", "circle", "things",
			"purple triangle", "logprobs", "2"}},
		{[]string{"detect", "circle", "--strict", "--min-score", "0.4", "--loc-divisor", "1024"},
			[]string{"things", "circle", "strict", "true", "min_score", "0.4", "loc_divisor", "1024"}},
		{[]string{"segment", "yellow circle", "--resize", "bicubic"}, []string{"things", "yellow circle", "resize",
			"bicubic"}},
	} {
		want := asked(t, folder, c.args...)
		for range 2 { // the second time with the image's embeddings kept
			have := s.answer(c.args[0], photo, c.fields...)
			want.Image, want.Timings, have.Timings = "", tasks.Timings{}, tasks.Timings{}
			if d := cmp.Diff(want, have); d != "" {
				t.Errorf("%v (-command +server)\n%s", c.args, d)
			}
		}
	}
	first, second := s.answer("caption", "testdata/demo/pictures/008.png"),
		s.answer("ask", "testdata/demo/pictures/008.png", "question", "how many hearts are there?")
	if first.Timings.Vision == 0 || second.Timings.Vision != 0 || second.Text == first.Text {
		t.Errorf("%+v, then %+v", first, second)
	}
	if log := s.log.String(); !strings.Contains(log, "POST /v1/detect 200") || strings.Contains(log, folder) ||
		strings.Contains(log, "circle") {
		t.Errorf("the log: %s", log)
	}
}

// A server that is killed while it streams leaves no worker running.
func TestServeKilledLeavesNoWorker(t *testing.T) {
	s := startServe(t, workplace(t))
	pids := s.workers()
	if len(pids) != 1 {
		t.Fatalf("workers %v", pids)
	}
	resp := s.ask("run", photo, "prompt", "caption en", "stream", "true", "temperature", "30", "max_tokens", "1000")
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	for range 100 {
		if syscall.Kill(pids[0], 0) == syscall.ESRCH || zombie(pids[0]) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("worker %d lives", pids[0])
}

// zombie reports whether a process has ended and its status was not asked for.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && regexp.MustCompile(`\) [ZX] `).Match(b)
}

// A worker that is lost costs one request at most; the next is answered within five seconds, the
// same.
func TestServeWorkerLost(t *testing.T) {
	s := startServe(t, workplace(t), "--stall", "1s")
	want := s.answer("caption", photo).Text
	for _, c := range []struct {
		name   string
		signal syscall.Signal
	}{
		{"segv", syscall.SIGSEGV},
		{"abort", syscall.SIGABRT},
		{"kill", syscall.SIGKILL},
		{"stop", syscall.SIGSTOP},
	} {
		t.Run(c.name, func(t *testing.T) {
			pids := s.workers()
			if len(pids) != 1 {
				t.Fatalf("%s: workers %v", c.name, pids)
			}
			syscall.Kill(pids[0], c.signal)
			resp := s.ask("caption", photo)
			if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 && (resp.StatusCode != 503 ||
				!bytes.Contains(b, []byte("worker_lost"))) {
				t.Errorf("%s: %s %s", c.name, resp.Status, b)
			}
			start := time.Now()
			if text := s.answer("caption", photo).Text; text != want || time.Since(start) > 5*time.Second {
				t.Errorf("after %s: %q in %v", c.name, text, time.Since(start))
			}
		})
	}
}

// Interrupted, the server answers what is running and ends with 0.
func TestServeStops(t *testing.T) {
	s := startServe(t, workplace(t))
	resp := s.ask("run", photo, "prompt", "caption en", "stream", "true", "temperature", "30", "max_tokens", "300")
	r := bufio.NewReader(resp.Body)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Contains(rest, []byte(`"timings"`)) {
		t.Errorf("%v: %s", err, rest)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, s.log)
	}
}

// A terminal that closes sends SIGHUP, more than once: the server answers what is running and ends.
func TestServeHangup(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP) // else the server inherits nohup's choice to ignore it
	defer signal.Stop(caught)
	s := startServe(t, workplace(t))
	defer time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() }).Stop()
	resp := s.ask("run", photo, "prompt", "caption en", "stream", "true", "temperature", "30", "max_tokens", "300")
	r := bufio.NewReader(resp.Body)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.cmd.Process.Signal(syscall.SIGHUP)
		time.Sleep(20 * time.Millisecond)
	}
	for _, pid := range s.workers() {
		syscall.Kill(pid, syscall.SIGHUP)
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Contains(rest, []byte(`"timings"`)) {
		t.Errorf("%v: %s", err, rest)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, s.log)
	}
}

// The worker knows none of the keys and passwords in the server's environment.
func TestServeWorkerKnowsNoKey(t *testing.T) {
	for _, name := range []string{"KAGGLE_KEY", "KAGGLE_USERNAME", "PALI_API_KEY", "HTTPS_PROXY", "SOME_TOKEN"} {
		t.Setenv(name, "confidential")
	}
	s := startServe(t, workplace(t))
	for _, pid := range s.workers() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("confidential")) {
			t.Errorf("%q", b)
		}
	}
}

// A prompt in another encoding than UTF-8 would reach the model changed: it is refused.
func TestPromptsThatAreNotUTF8(t *testing.T) {
	folder := workplace(t)
	for _, args := range [][]string{
		{"run", "-m", "d", "-i", photo, "answer de geh\xf6ren"}, {"ask", "-m", "d", "-i", photo, "geh\xf6ren"},
		{"detect", "-m", "d", "-i", photo, "k\xe4se"},
		{"label", photo, "-m", "d", "--prompt", "detect k\xe4se", "-o", "l"},
	} {
		t.Run(args[0], func(t *testing.T) {
			if o := run(t, program(folder, args...)); o.code != 2 || o.stdout != "" ||
				!strings.Contains(o.stderr, "the prompt is not UTF-8: byte ") {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestServeUsage(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no model", []string{}},
		{"want ADDRESS:PORT", []string{"-m", "d", "--listen", "8080"}},
		{"other machines could ask", []string{"-m", "d", "--listen", "0.0.0.0:0"}},
		{"want ADDRESS:PORT", []string{"-m", "d", "--listen", "127.0.0.1:99999"}},
		{"--allow-host \"*\"", []string{"-m", "d", "--allow-host", "*"}},
		{"--allow-host \"\": it is empty", []string{"-m", "d", "--allow-host", ""}},
		{"--allow-origin \"*\"", []string{"-m", "d", "--allow-origin", "*"}},
		{"write http://localhost:3000 or", []string{"-m", "d", "--allow-origin", "localhost:3000"}},
		{"--api-key is empty", []string{"-m", "d", "--api-key", ""}},
		{"--api-key has byte 0x0a at 2", []string{"-m", "d", "--api-key", "a\nb"}},
		{"want one of the two", []string{"-m", "d", "--api-key", "a", "--no-key"}},
		{"--image-cache 100: an image of demo-F32 takes", []string{"-m", "d", "--image-cache", "100"}},
		{"--decode-memory 0", []string{"-m", "d", "--decode-memory", "0"}},
		{"--parallel 0", []string{"-m", "d", "--parallel", "0"}},
		{"belong to one model", []string{"-m", "d", "-m", "d", "--mmproj", "d/mmproj-demo-F32.gguf"}},
		{"two models are named", []string{"-m", "d", "-m", "d/demo-F32.gguf"}},
		{"--threads -1", []string{"-m", "d", "-t", "-1"}},
		{"--memory -1", []string{"-m", "d", "--memory", "-1"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if o := run(t, program(folder, append([]string{"serve"}, c.args...)...)); o.code != 2 || o.stdout != "" ||
				!strings.Contains(o.stderr, c.want) {
				t.Errorf("%v: want %q: %+v", c.args, c.want, o)
			}
		})
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no such file", []string{"-m", "nowhere"}},
		{"cut.gguf", []string{"-m", "cut.gguf", "--mmproj", "d/mmproj-demo-F32.gguf"}},
		{"--listen", []string{"-m", "d", "--listen", "203.0.113.1:1", "--no-key"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if o := run(t, program(folder, append([]string{"serve"}, c.args...)...)); o.code != 1 || o.stdout != "" ||
				!strings.Contains(o.stderr, c.want) {
				t.Errorf("%v: want %q: %+v", c.args, c.want, o)
			}
		})
	}
	if o := run(t, program(folder, "worker", "-m", "d")); o.code != 2 || !strings.Contains(o.stderr,
		"started by pali serve") {
		t.Errorf("worker by hand: %+v", o)
	}
}
