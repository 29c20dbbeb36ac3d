package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/tasks"
)

// known are images of the demo with the command's own captions.
func known(t *testing.T, folder string) (pictures []string, captions map[string]string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "testdata/demo/pictures/0*.*"))
	if err != nil || len(all) < 30 {
		t.Fatalf("%d images, %v", len(all), err)
	}
	captions = map[string]string{}
	for _, path := range all {
		name := "testdata/demo/pictures/" + filepath.Base(path)
		pictures = append(pictures, name)
		o := run(t, program(folder, "caption", "-m", "d", "-i", name, "-t", "1"))
		if o.code != 0 {
			t.Fatalf("%+v", o)
		}
		captions[name] = strings.TrimSuffix(o.stdout, "\n")
	}
	return pictures, captions
}

// caption asks about an image, again where the queue is full, and returns how long the last try
// took.
func (s *serving) caption(client int, body []byte, contentType string, full *atomic.Int64) (text string, status int,
	took time.Duration) {
	for {
		start := time.Now()
		r, err := http.NewRequest("POST", s.url+"/v1/caption", bytes.NewReader(body))
		if err != nil {
			return err.Error(), 0, 0
		}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("User-Agent", fmt.Sprint("client ", client))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error(), 0, 0
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err.Error(), 0, 0
		}
		if resp.StatusCode == 503 && bytes.Contains(b, []byte("queue_full")) {
			full.Add(1)
			time.Sleep(20 * time.Millisecond)
			continue
		}
		var a tasks.Response
		json.Unmarshal(b, &a)
		return a.Text, resp.StatusCode, time.Since(start)
	}
}

// Clients by the number, each with an image of its own and the command's caption of it. PALI_LOAD
// is how many questions each asks; with -v the figures.
func TestServeLoad(t *testing.T) {
	folder := workplace(t)
	pictures, captions := known(t, folder)
	asks := 1
	if n, err := strconv.Atoi(os.Getenv("PALI_LOAD")); err == nil {
		asks = n
	}
	for _, clients := range []int{1, 8, 32, 128} {
		s := startServe(t, folder, "--quiet", "--image-cache", "0") // every image is encoded each time
		var wrong, full atomic.Int64
		var mu sync.Mutex
		var times []time.Duration
		var wg sync.WaitGroup
		start := time.Now()
		for n := range clients {
			name := pictures[n%len(pictures)]
			body, kind := upload(t, filepath.Join(folder, name))
			wg.Go(func() {
				for range asks * 128 / clients {
					text, status, took := s.caption(n, body, kind, &full)
					if text != captions[name] || status != 200 {
						wrong.Add(1)
						t.Logf("%s: %d %q, want %q", name, status, text, captions[name])
					}
					mu.Lock()
					times = append(times, took)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		all := time.Since(start)
		slices.Sort(times)
		if wrong.Load() > 0 || len(times) != asks*128 {
			t.Errorf("%d clients: %d of %d wrong", clients, wrong.Load(), len(times))
		}
		t.Logf("%3d clients: %d answers, %.1f a second, p50 %.1f ms, p99 %.1f ms, %d times refused by the queue",
			clients, len(times), float64(len(times))/all.Seconds(),
			progress.Milliseconds(times[len(times)/2]), progress.Milliseconds(times[len(times)*99/100]), full.Load())
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

// held is the memory (bytes resident) and the descriptors of a process, where /proc tells.
func held(pid int) (memory, descriptors int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b); m != nil {
		memory, _ = strconv.Atoi(string(m[1]))
	}
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return memory << 10, len(files)
}

// A server that is asked for long, by four clients of which one loses it a worker now and then,
// holds no more at the end than after a while. PALI_SOAK is how long; less than a minute says
// little.
func TestServeSoak(t *testing.T) {
	folder := workplace(t)
	pictures, captions := known(t, folder)
	length := 4 * time.Second
	if d, err := time.ParseDuration(os.Getenv("PALI_SOAK")); err == nil {
		length = d
	}
	s := startServe(t, folder, "--quiet", "--image-cache", "300000") // about four images
	end := time.Now().Add(length)
	var asked, lost, wrong atomic.Int64
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := n; time.Now().Before(end); i++ {
				name := pictures[i*7%len(pictures)]
				body, kind := upload(t, filepath.Join(folder, name))
				if i%400 == 399 && n == 0 { // a client that kills
					for _, pid := range s.workers() {
						p, _ := os.FindProcess(pid)
						p.Kill()
					}
				}
				text, status, _ := s.caption(n, body, kind, new(atomic.Int64))
				switch asked.Add(1); {
				case status == 503:
					lost.Add(1)
				case text != captions[name]:
					wrong.Add(1)
				}
			}
		})
	}
	var first, last [2]int // memory and descriptors of the server: the largest of the second quarter, of the last
	for begin := time.Now(); time.Now().Before(end); time.Sleep(length / 100) {
		m, d := held(s.cmd.Process.Pid)
		switch share := float64(time.Since(begin)) / float64(length); {
		case share > 0.75:
			last = [2]int{max(last[0], m), max(last[1], d)}
		case share > 0.25 && share < 0.5:
			first = [2]int{max(first[0], m), max(first[1], d)}
		}
	}
	wg.Wait()
	t.Logf(
		"%d answers in %v, %d lost with a worker, %d wrong; the server held %.1f MB and %d descriptors at most in the second quarter, %.1f MB and %d in the last",
		asked.Load(), length, lost.Load(), wrong.Load(), float64(first[0])/1e6, first[1], float64(last[0])/1e6, last[1])
	if wrong.Load() > 0 || lost.Load() > asked.Load()/400*4+4 {
		t.Errorf("%d wrong, %d lost", wrong.Load(), lost.Load())
	}
	if runtime.GOOS == "linux" && (last[1] > first[1]+10 || length >= time.Minute &&
		float64(last[0]) > 1.1*float64(first[0])+2e6) {
		t.Errorf("memory and descriptors grew from %v to %v", first, last)
	}
}
