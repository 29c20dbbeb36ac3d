package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/kaggle"
	"github.com/pali-gguf/pali/internal/kaggle/kaggletest"
)

// useStandin makes pali pull reach the stand-in, whose certificate is in PALI_TEST_ROOTS.
func useStandin(address string) {
	newKaggle = func(who *kaggle.Credentials) *kaggle.Client {
		c := kaggle.New(who, kaggletest.Dialer(address), kaggletest.Trust([]byte(os.Getenv("PALI_TEST_ROOTS"))),
			kaggle.FindProxy(os.Getenv))
		c.Pause = time.Millisecond
		return c
	}
}

// pulling is a stand-in with the demo checkpoint as paligemma-3b-mix-224, and a folder where its
// tokenizer is at hand.
func pulling(t *testing.T) (s *kaggletest.Server, folder string, pali func(args ...string) *exec.Cmd) {
	t.Helper()
	s, folder = kaggletest.Start(t), t.TempDir()
	root, err := filepath.Abs(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(folder, "testdata")); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(root, "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s.Change(func() {
		s.Files["paligemma-3b-mix-224.f16.npz"] = read("demo.npz")
		s.Files["README.md"] = []byte("about")
		s.Public["/big_vision/paligemma/vae-oid.npz"] = read("masks.npz")
	})
	return s, folder, func(args ...string) *exec.Cmd {
		cmd := program(folder, args...)
		cmd.Env = append(cmd.Env, "PALI_TEST_KAGGLE="+s.Address(), "PALI_TEST_ROOTS="+string(s.Roots),
			"PALI_MODELS=store", "PALI_THREADS=1",
			"KAGGLE_USERNAME="+kaggletest.User, "KAGGLE_KEY="+kaggletest.Key, "KAGGLE_API_TOKEN=", "HOME="+folder,
			"KAGGLE_CONFIG_DIR=")
		return cmd
	}
}

const pulled = "store/PaliGemma-3B-mix-224-v1.0-F32.gguf"

var pullArgs = []string{"pull", "paligemma-3b-mix-224", "-t", "f32", "--tokenizer", "testdata/demo/tokenizer.model"}

// A model is pulled, listed, asked by its name, and removed.
func TestPull(t *testing.T) {
	s, folder, pali := pulling(t)
	o := run(t, pali(append(pullArgs, "--with-masks")...))
	want := pulled + "\nstore/mmproj-PaliGemma-3B-mix-224-v1.0-F32.gguf\nstore/masks-PaliGemma-3B-mix-224-v1.0.gguf\n"
	if o.code != 0 || o.stdout != want {
		t.Fatalf("%+v\n%q", o, s.Seen())
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "store/downloads")); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
	run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model", "-t",
		"f32", "-o", "d", "--name", "PaliGemma-3B-mix-224-v1.0"))
	one, _ := os.ReadFile(filepath.Join(folder, pulled))
	other, err := os.ReadFile(filepath.Join(folder, "d", filepath.Base(pulled)))
	if err != nil || !bytes.Equal(one, other) {
		t.Errorf("pulled and converted are not the same: %v", err)
	}
	requests := len(s.Seen())
	// a version, and the files
	if o := run(t, pali(pullArgs...)); o.code != 1 || !strings.Contains(o.stderr, "is there already; use --force") ||
		len(s.Seen()) != requests+2 {
		t.Errorf("again: %+v", o)
	}
	var l struct{ Models []modelJSON }
	o = run(t, pali("list", "--json"))
	if err := json.Unmarshal([]byte(o.stdout), &l); err != nil || len(l.Models) != 1 ||
		l.Models[0].Name != "PaliGemma-3B-mix-224-v1.0-F32" || l.Models[0].Error != "" || l.Models[0].Side == 0 ||
		l.Models[0].Type != "F32" || l.Models[0].Masks == "" || l.Models[0].Bytes <= int64(len(one)) {
		t.Errorf("%v %+v", err, o)
	}
	if o := run(t, pali("list")); o.code != 0 || !strings.HasPrefix(o.stdout, "PaliGemma-3B-mix-224-v1.0-F32  ") ||
		!strings.HasSuffix(o.stdout, "masks\n") {
		t.Errorf("%+v", o)
	}
	if by := run(t, pali("caption", "-m", "paligemma-3b-mix-224", "-i", photo)); by.code != 0 ||
		by.stdout != run(t, pali("caption", "-m", "d", "-i", photo)).stdout {
		t.Errorf("by name: %+v", by)
	}
	if o := run(t, pali("run", "-m", "paligemma-3b", "-i", photo, "caption en")); o.code != 0 || o.stdout == "" {
		t.Errorf("by a shorter name: %+v", o)
	}
	if o := run(t, pali("rm", "paligemma-3b-mix-224")); o.code != 2 || !strings.Contains(o.stderr, "--yes") {
		t.Errorf("rm unasked: %+v", o)
	}
	if o := run(t, pali("rm", "paligemma-3b-mix-224", "--yes")); o.code != 0 || o.stdout != want {
		t.Errorf("rm: %+v", o)
	}
	if o := run(t, pali("list")); o.code != 0 || o.stdout != "" || !strings.Contains(o.stderr, "no models in store") {
		t.Errorf("%+v", o)
	}
}

// Interrupted in the middle, it says that what came is kept; started again, it asks for the rest
// only.
func TestPullInterrupted(t *testing.T) {
	s, folder, pali := pulling(t)
	content := s.Files["paligemma-3b-mix-224.f16.npz"]
	half := len(content) / 2
	odd := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Host == "storage.googleapis.com" {
			kaggletest.Head(w, content)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:half])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		return r.Host == "storage.googleapis.com"
	}
	s.Change(func() { s.Odd = odd })
	cmd := pali(pullArgs...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(folder, "store/downloads/paligemma-3b-mix-224.f16.npz.part")
	for range 1000 {
		if info, err := os.Stat(part); err == nil && info.Size() == int64(half) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if info, err := os.Stat(part); cmd.ProcessState.ExitCode() != 130 || !strings.Contains(stderr.String(),
		"continues from there\npali: interrupted\n") || err != nil || info.Size() != int64(half) {
		t.Fatalf("%v %s %v", cmd.ProcessState, stderr.String(), err)
	}
	s.Change(func() { s.Odd = nil })
	if o := run(t, pali(pullArgs...)); o.code != 0 || !strings.HasPrefix(o.stdout, pulled) {
		t.Errorf("%+v", o)
	}
	if last := s.Seen()[len(s.Seen())-1]; !strings.HasSuffix(last, fmt.Sprintf(" bytes=%d-", half)) {
		t.Errorf("asked: %q", last)
	}
}

// Without credentials, a licence or a network it says what to fetch by hand; fetched so, the same
// command needs none of them.
func TestPullByHand(t *testing.T) {
	s, folder, pali := pulling(t)
	without := func(args ...string) *exec.Cmd {
		cmd := pali(args...)
		cmd.Env = append(cmd.Env, "KAGGLE_USERNAME=", "KAGGLE_KEY=")
		return cmd
	}
	offline := pali(pullArgs...)
	offline.Env = append(offline.Env, "PALI_TEST_KAGGLE=127.0.0.1:1")
	refused := pali(pullArgs...)
	refused.Env = append(refused.Env, "KAGGLE_KEY=wrong")
	for _, c := range []struct {
		want string
		cmd  *exec.Cmd
	}{
		{"no credentials of Kaggle: set KAGGLE_USERNAME", without(pullArgs...)},
		{"connection refused", offline},
		{"401 Unauthorized", refused},
	} {
		t.Run(c.want, func(t *testing.T) {
			o := run(t, c.cmd)
			if o.code != 1 || o.stdout != "" || !strings.Contains(o.stderr, c.want) || !strings.Contains(o.stderr,
				"from https://www.kaggle.com/models/google/paligemma/jax/paligemma-3b-mix-224\n") ||
				!strings.Contains(o.stderr, "\nstore/downloads\n") || strings.Contains(o.stderr, kaggletest.Key) {
				t.Errorf("%s: %+v", c.want, o)
			}
		})
	}
	hand := filepath.Join(folder, "store/downloads/paligemma-3b-mix-224.npz")
	if err := os.WriteFile(hand, s.Files["paligemma-3b-mix-224.f16.npz"], 0o600); err != nil {
		t.Fatal(err)
	}
	requests := len(s.Seen())
	if o := run(t, without(pullArgs...)); o.code != 0 || !strings.HasPrefix(o.stdout, pulled) ||
		len(s.Seen()) != requests {
		t.Errorf("%+v", o)
	}
	if _, err := os.Stat(hand); err != nil {
		t.Error("what the user fetched is gone")
	}
	if o := run(t, without("pull", "paligemma-3b-mix-224", "-t", "f16")); o.code != 1 || !strings.Contains(o.stderr,
		"paligemma_tokenizer.model: the server answers 404") || !strings.Contains(o.stderr, "save https://storage.") {
		t.Errorf("no tokenizer: %+v", o)
	}
}

// A checkpoint in an archive, and one in pieces.
func TestPullForms(t *testing.T) {
	s, folder, pali := pulling(t)
	checkpoint := s.Files["paligemma-3b-mix-224.f16.npz"]
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "m/paligemma-3b-mix-224.npz", Size: int64(len(checkpoint)), Mode: 0o600,
		Typeflag: tar.TypeReg})
	w.Write(checkpoint)
	w.Close()
	pieces := map[string][]byte{"paligemma-3b-mix-224.npz.part0": checkpoint[:1000],
		"paligemma-3b-mix-224.npz.part1": checkpoint[1000:]}
	for _, c := range []struct {
		name  string
		files map[string][]byte
	}{
		{"archive", map[string][]byte{"model.tar": b.Bytes()}},
		{"pieces", pieces},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Change(func() { s.Files = c.files })
			if o := run(t, pali(append(pullArgs, "--force")...)); o.code != 0 || !strings.HasPrefix(o.stdout, pulled) {
				t.Errorf("%s: %+v", c.name, o)
			}
			if entries, err := os.ReadDir(filepath.Join(folder, "store/downloads")); err != nil || len(entries) != 0 {
				t.Errorf("%s: left %v %v", c.name, entries, err)
			}
		})
	}
}

// What belongs to another model, or to none, is not removed; several models of one name are said.
func TestModels(t *testing.T) {
	_, folder, pali := pulling(t)
	for _, typ := range []string{"q8_0", "q4_0"} {
		o := run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
			"-t", typ, "--mmproj-type", "f16", "-o", "store/us/demo", "--force"))
		if o.code != 0 {
			t.Fatalf("%+v", o)
		}
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(folder, "store", name), []byte("no model"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("words.gguf")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"2 models have this name", []string{"run", "-m", "DEMO", "-i", photo, "x"}},
		{"no model of that name in store", []string{"run", "-m", "nothing", "-i", photo, "x"}},
		{"../x: no such file or folder\n", []string{"run", "-m", "../x", "-i", photo, "x"}},
		{"words.gguf: not a whole pair, remove i", []string{"rm", "words", "--yes"}},
		{"d/demo: no such file or folder, and no", []string{"rm", "d/demo", "--yes"}},
		{"../store/words: no such file or folder", []string{"rm", "../store/words", "--yes"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if o := run(t, pali(c.args...)); o.code != 1 || o.stdout != "" || !strings.Contains(o.stderr, c.want) {
				t.Errorf("%v: %+v", c.args, o)
			}
		})
	}
	if o := run(t, pali("list")); o.code != 0 || strings.Count(o.stdout, "\n") != 3 || !strings.Contains(o.stdout,
		"cannot be run") {
		t.Errorf("%+v", o)
	}
	if o := run(t, pali("rm", "demo-q8_0", "--yes", "--json")); o.code != 0 || strings.Contains(o.stdout, "mmproj") ||
		!strings.Contains(o.stdout, "store/us/demo/demo-Q8_0.gguf") {
		t.Errorf("%+v", o)
	}
	if o := run(t, pali("rm", "demo", "--yes")); o.code != 0 || !strings.Contains(o.stdout, "mmproj") {
		t.Errorf("%+v", o)
	}
	if _, err := os.Stat(filepath.Join(folder, "store/words.gguf")); err != nil {
		t.Error(err)
	}
}

func TestPullCalledWrongly(t *testing.T) {
	_, _, pali := pulling(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"name of one model", []string{"pull"}},
		{"is not a model of Kag", []string{"pull", "gpt"}},
		{"want the name of a f", []string{"pull", "paligemma-3b-mix-224", "--file", "../x.npz"}},
		{"q3_x", []string{"pull", "paligemma-3b-mix-224", "-t", "q3_x"}},
		{"of one model", []string{"rm"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if o := run(t, pali(c.args...)); o.code != 2 || o.stdout != "" || !strings.Contains(o.stderr, c.want) {
				t.Errorf("%v: %+v", c.args, o)
			}
		})
	}
}
