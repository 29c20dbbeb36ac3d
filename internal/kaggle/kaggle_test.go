package kaggle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/kaggle/kaggletest"
)

const base = "https://www.kaggle.com/api/v1/models/google/paligemma/jax/paligemma-3b-mix-224/3/download/"

var handle = Handle{"google", "paligemma", "jax", "paligemma-3b-mix-224", 0}

// noise is a file's content.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// setUp starts a stand-in with a file of 3 MB, a client of it, and the path to fetch the file to.
func setUp(t *testing.T) (s *kaggletest.Server, c *Client, path string, want []byte) {
	t.Helper()
	s = kaggletest.Start(t)
	want = noise(3_000_000)
	s.Files["a.npz"] = want
	c = New(&Credentials{User: kaggletest.User, Key: kaggletest.Key}, kaggletest.Dialer(s.Address()),
		kaggletest.Trust(s.Roots), Proxy{})
	c.Pause, c.StallTimeout = time.Millisecond, time.Second
	return s, c, filepath.Join(t.TempDir(), "a.npz"), want
}

// stored reports whether a file is there, complete and alone.
func stored(t *testing.T, path string, want []byte) {
	t.Helper()
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("%v, %d bytes, want %d", err, len(have), len(want))
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("next to it: %v", entries)
	}
}

// storage answers instead of the storage's answer.
func storage(s *kaggletest.Server, answer func(w http.ResponseWriter, r *http.Request) bool) {
	s.Odd = func(w http.ResponseWriter, r *http.Request) bool {
		return r.Host == "storage.googleapis.com" && answer(w, r)
	}
}

// breaks sends the first n bytes of what was asked for and breaks the connection.
func breaks(w http.ResponseWriter, b []byte, n int) {
	kaggletest.Head(w, b)
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	w.Write(b[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestFetch(t *testing.T) {
	s, c, path, want := setUp(t)
	var done, total int64
	err := c.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path, Progress: func(d, of int64) {
		done,
			total = d, of
	}})
	if err != nil || done != 3_000_000 || total != done {
		t.Errorf("%v, %d of %d", err, done, total)
	}
	stored(t, path, want)
	if seen := s.Seen(); len(seen) != 2 || !strings.Contains(seen[0], "signed=true") || !strings.Contains(seen[1],
		"storage.googleapis.com/kaggle-models/a.npz signed=false") {
		t.Errorf("the key goes to Kaggle only: %q", seen)
	}
	if err := c.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path}); err == nil {
		t.Error("a file was replaced")
	}
}

// A connection that breaks is made again within the call, and the rest is asked for.
func TestFetchBroken(t *testing.T) {
	s, c, path, want := setUp(t)
	var n atomic.Int64
	storage(s, func(w http.ResponseWriter, r *http.Request) bool {
		if n.Add(1) == 1 {
			breaks(w, want, 1_200_000)
		}
		return false
	})
	if err := c.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path}); err != nil {
		t.Error(err)
	}
	stored(t, path, want)
	if last := s.Seen()[len(s.Seen())-1]; !strings.HasSuffix(last, " bytes=1200000-") {
		t.Errorf("asked: %q", last)
	}
}

// A cancelled fetch leaves its part, and the next call takes it; what it cannot trust it fetches
// again.
func TestFetchResumes(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(path string, s *kaggletest.Server, want []byte)
		ranged  bool // the second call asks for a part
		from0   bool // and gets all

	}{
		{"as it was", func(string, *kaggletest.Server, []byte) {}, true, false},
		{"another file", func(_ string, s *kaggletest.Server, want []byte) { want[0]++ }, true, true},
		{"no note", func(path string, _ *kaggletest.Server, _ []byte) { os.Remove(path + ".part.json") }, false, true},
		{"broken note", func(path string, _ *kaggletest.Server, _ []byte) {
			os.WriteFile(path+".part.json", []byte("{"),
				0o600)
		}, false, true},
		{"longer", func(path string, _ *kaggletest.Server, _ []byte) {
			os.WriteFile(path+".part", noise(3_000_001),
				0o600)
		}, false, true},
		{"ranges unread", func(_ string, s *kaggletest.Server, want []byte) { whole(s, want, http.StatusOK) }, true,
			true},
		{"other range", func(_ string, s *kaggletest.Server, want []byte) { whole(s, want, http.StatusPartialContent) },
			true, true},
		{"no such range", func(_ string, s *kaggletest.Server, want []byte) {
			whole(s, want, http.StatusRequestedRangeNotSatisfiable)
		}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, client, path, want := setUp(t)
			ctx, cancel := context.WithCancel(t.Context())
			storage(s, func(w http.ResponseWriter, r *http.Request) bool {
				kaggletest.Head(w, want)
				w.Header().Set("Content-Length", fmt.Sprint(len(want)))
				w.Write(want[:2_000_000])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return true
			})
			progress := func(done, _ int64) {
				if done == 2_000_000 {
					cancel()
				}
			}
			if err := client.Fetch(ctx, Request{Address: base + "a.npz", Path: path,
				Progress: progress}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if info, err := os.Stat(path + ".part"); err != nil || info.Size() != 2_000_000 {
				t.Fatalf("%v %v", info, err)
			}
			s.Odd = nil
			before := len(s.Seen())
			c.between(path, s, want)
			var total int64
			if err := client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path,
				Progress: func(_, of int64) { total = of }}); err != nil {
				t.Fatal(err)
			}
			stored(t, path, want)
			if ranged := strings.HasSuffix(s.Seen()[before], " bytes=2000000-"); ranged != c.ranged ||
				(total == 3_000_000) != c.from0 {
				t.Errorf("asked %q, %d bytes came", s.Seen()[before:], total)
			}
		})
	}
}

// whole answers requests for a part with a status and, where it can, the whole file.
func whole(s *kaggletest.Server, b []byte, status int) {
	storage(s, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" {
			return false
		}
		kaggletest.Head(w, b)
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%[1]d", len(b)))
		w.WriteHeader(status)
		w.Write(b)
		return true
	})
}

// What goes wrong is said in a sentence that does not contain the signed address, leaves no file,
// and no part where nothing has come.
func TestFetchFails(t *testing.T) {
	answers := func(status int, message string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { kaggletest.Refuse(w, status, message); return true }
	}
	moves := func(to string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return true
		}
	}
	content := noise(3_000_000)
	for _, c := range []struct {
		name     string
		answer   func(http.ResponseWriter, *http.Request) bool
		want     string
		requests int // to storage
		kept     bool
	}{
		{"key", answers(401, "Unauthenticated"),
			"401 Unauthorized: Unauthenticated; Kaggle does not know this user and key", 1, false},
		{"licence", answers(403, "User has not consented to terms of use.\x1b[31m"),
			"terms of use.[31m; accept the licence once, signed in with the same account, at " +
				"https://www.kaggle.com/models/google/paligemma", 1, false},
		{"missing", answers(404, ""), "404 Not Found; Kaggle has no google/paligemma/jax/paligemma-3b-mix-224", 1,
			false},
		{"too many", answers(429, "slow down"), "429 Too Many Requests: slow down (tried 5 times); wait some minutes",
			5, false},
		{"failure", answers(500, ""), "500 Internal Server Error (tried 5 times)", 5, false},
		{"inside", moves("https://inside.example/a"), "not a public address", 1, false},
		{"address", moves("https://169.254.169.254/a"), "not a public address", 1, false},
		{"http", moves("http://storage.googleapis.com/a"), "a redirect to something other than https", 1, false},
		{"port", moves("https://storage.googleapis.com:8443/a"), "a redirect to something other than https", 1, false},
		{"file", moves("file:///etc/passwd"), "a redirect to something other than https", 1, false},
		{"user", moves("https://a:b@storage.googleapis.com/a"), "a redirect to something other than https", 1, false},
		{"round", moves("https://storage.googleapis.com/a"), "one too many", 5, false},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) bool { breaks(w, content, 1000); return true },
			"the connection ended before the file did (tried 5 times)", 5, true},
		{"slow", func(w http.ResponseWriter, r *http.Request) bool { trickle(w, r, content); return true },
			"less than 16 kB came in a while (tried 5 times)", 5, true},
		{"page", func(w http.ResponseWriter, _ *http.Request) bool {
			io.WriteString(w, "<!DOCTYPE html><p>Sign in")
			return true
		}, "a page to read", 1, false},
		{"no length", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "x/y")
			w.(http.Flusher).Flush()
			return true
		}, "how long the file is", 1, false},
		{"too long", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "x/y")
			w.Header().Set("Content-Length", "1000000000000")
			return true
		}, "want at most", 1, false},
		{"encoded", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(content)
			return true
		}, "encoded", 1, false},
		{"checksum", func(w http.ResponseWriter, _ *http.Request) bool {
			kaggletest.Head(w, content)
			w.Header().Set("Content-Length", "9")
			w.Write(content[1:10])
			return true
		}, "another checksum", 1, false},
		{"big header", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
			return true
		}, "header", 5, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, client, path, _ := setUp(t)
			client.StallTimeout = 50 * time.Millisecond
			storage(s, c.answer)
			err := handle.Explain(client.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path}))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") ||
				strings.Contains(err.Error(), kaggletest.Key) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%v, want %q", err, c.want)
			}
			requests := 0
			for _, r := range s.Seen() {
				if strings.HasPrefix(r, "storage.googleapis.com") {
					requests++
				}
				if strings.HasPrefix(r, "inside") {
					t.Error(r)
				}
			}
			if entries, _ := os.ReadDir(filepath.Dir(path)); requests != c.requests ||
				(len(entries) > 0) != c.kept {
				t.Errorf("%d requests, left: %v", requests, entries)
			}
		})
	}
}

// trickle sends ten bytes at a time.
func trickle(w http.ResponseWriter, r *http.Request, b []byte) {
	kaggletest.Head(w, b)
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	for r.Context().Err() == nil {
		w.Write(b[:10])
		w.(http.Flusher).Flush()
		time.Sleep(5 * time.Millisecond)
	}
}

// Two runs do not write the same file.
func TestFetchLocked(t *testing.T) {
	_, c, path, _ := setUp(t)
	p, err := begin(t.Context(), Request{Address: base + "a.npz", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := c.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path}); err == nil ||
		!strings.Contains(err.Error(), "another run") {
		t.Error(err)
	}
}

// The API's answers: a version, and the names on several pages; names that are paths are left out;
// nonsense is refused.
func TestAPI(t *testing.T) {
	s, c, _, _ := setUp(t)
	for _, name := range []string{"b.npz", "../c.npz", "d/e.npz", "f g", ".h", "z.md"} {
		s.Files[name] = []byte("x")
	}
	h, err := c.Newest(t.Context(), handle)
	if err != nil || h.Version != 3 {
		t.Fatal(h, err)
	}
	names, err := c.Files(t.Context(), h)
	if err != nil || !slices.Equal(names, []string{"a.npz", "b.npz", "z.md"}) {
		t.Errorf("%v %q", err, names)
	}
	answer := ""
	s.Odd = func(w http.ResponseWriter, _ *http.Request) bool { io.WriteString(w, answer); return true }
	for answer = range map[string]bool{"": true, "[": true, "{}": true, `{"versionNumber": -1}`: true,
		`{"versionNumber": "x"}`: true, `"` + strings.Repeat("x", 2<<20) + `"`: true} {
		if _, err := c.Newest(t.Context(), handle); err == nil {
			t.Errorf("%.40q is a version", answer)
		}
	}
	answer = `{"files": [{"name": "a.npz"}], "nextPageToken": "again"}`
	if _, err := c.Files(t.Context(), h); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Error(err)
	}
	c.who = nil
	s.Odd = nil
	if _, err := c.Newest(t.Context(), handle); err == nil || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
}

func TestParseHandle(t *testing.T) {
	for _, c := range []struct {
		s    string
		want string
	}{
		{"paligemma-3b-mix-224", "google/paligemma/jax/paligemma-3b-mix-224"},
		{"paligemma-3b-ft-docvqa-448", "google/paligemma-ft/jax/paligemma-3b-ft-docvqa-448"},
		{"paligemma2-3b-mix-448", "google/paligemma-2/jax/paligemma2-3b-mix-448"},
		{"google/paligemma-2/jax/x/12", "google/paligemma-2/jax/x/12"},
		{"https://www.kaggle.com/models/google/paligemma/jax/paligemma-3b-pt-224/",
			"google/paligemma/jax/paligemma-3b-pt-224"},
		{" PaliGemma-3B-mix-224/\n", "google/paligemma/jax/paligemma-3b-mix-224"},
		{"google/paligemma/jax/paligemma-3b-pt-224//", "google/paligemma/jax/paligemma-3b-pt-224"},
		{"kaggle.com/models/google/paligemma/jax/paligemma-3b-pt-224", "google/paligemma/jax/paligemma-3b-pt-224"},
		{"https://www.kaggle.com/models/google/paligemma/frameworks/jax/variations/x/versions/2?select=x.npz",
			"google/paligemma/jax/x/2"},
	} {
		t.Run(c.s, func(t *testing.T) {
			if h, err := ParseHandle(c.s); err != nil || h.String() != c.want {
				t.Errorf("%s: %v %v", c.s, h, err)
			}
		})
	}
	for _, s := range []string{"", "gemma", "a/b", "a/b/c", "a/b/c/d/0", "a/b/c/d/x", "a/b/c/d/1/e", "../b/c/d",
		"a/b/c/d?x", "a/b/c/..", "https://evil.example/models/a/b/c/d", "a//c/d", "paligemma-3b/../x"} {
		if h, err := ParseHandle(s); err == nil {
			t.Errorf("%q is %v", s, h)
		}
	}
}

func TestChoose(t *testing.T) {
	files := "README.md x.npz x.bf16.npz x.f16.npz"
	for _, c := range []struct {
		files  string
		floats bool
		want   string
	}{
		{files, false, "x.f16.npz"}, {files, true, "x.npz"}, {"x.npz x.b16.npz", false, "x.b16.npz"},
		{"x.npz", false, "x.npz"},
		{"x.b16.npz.part10 x.b16.npz.part9 x.b16.npz.part8 a.txt", false,
			"x.b16.npz.part8 x.b16.npz.part9 x.b16.npz.part10"},
		{"a.txt m.tar.gz", false, "m.tar.gz"}, {"a.txt", false, ""}, {"", false, ""}, {"x.npz.part x.npz.part.json",
			false, ""}, {"x.npz.part0 x.npz.part2", false, ""},
	} {
		have, err := Choose(strings.Fields(c.files), c.floats)
		if strings.Join(have, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q %v", c, have, err)
		}
	}
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	get := func(pairs ...string) func(string) string {
		return func(name string) string {
			if i := slices.Index(pairs, name); i >= 0 {
				return pairs[i+1]
			}
			return ""
		}
	}
	if _, _, err := Find(get(), home); !errors.Is(err, ErrNoCredentials) {
		t.Error(err)
	}
	if c, _, err := Find(get("KAGGLE_USERNAME", "u", "KAGGLE_KEY", " k\n"), home); err != nil ||
		*c != (Credentials{User: "u", Key: "k"}) {
		t.Error(c, err)
	}
	if c, _, err := Find(get("KAGGLE_API_TOKEN", "t"), home); err != nil || *c != (Credentials{Token: "t"}) {
		t.Error(c, err)
	}
	if _, _, err := Find(get("KAGGLE_KEY", "k"), home); err == nil {
		t.Error("a key alone")
	}
	folder := filepath.Join(home, ".kaggle")
	os.Mkdir(folder, 0o700)
	path := filepath.Join(folder, "kaggle.json")
	for _, test := range []struct {
		text string
		good bool
	}{
		{`{"username":"u","key":"verysecret"}`, true},
		{"\xef\xbb\xbf{\"username\":\"u\",\r\n\"key\":\"verysecret\"}\r\n", true},
		{`{"username":"u"`, false},
		{`{"key":"verysecret"}`, false},
		{"", false},
		{"[]", false},
	} {
		t.Run(test.text, func(t *testing.T) {
			os.WriteFile(path, []byte(test.text), 0o600)
			if c, warning, err := Find(get(), home); (err == nil) != test.good || warning != "" || test.good &&
				c.Key != "verysecret" || err != nil && strings.Contains(err.Error(), "verysecret") {
				t.Errorf("%s: %v %q %v", test.text, c, warning, err)
			}
		})
	}
	os.WriteFile(path, []byte(`{"username":"u","key":"k"}`), 0o600)
	for _, c := range []struct {
		mode   os.FileMode
		warned bool
	}{
		{0o600, false},
		{0o640, true},
		{0o604, true},
		{0o700, false},
	} {
		t.Run(fmt.Sprint(c.mode), func(t *testing.T) {
			os.Chmod(path, c.mode)
			if _, warning, err := Find(get("KAGGLE_CONFIG_DIR", folder), "nowhere"); err != nil ||
				strings.Contains(warning, "chmod 600") != c.warned {
				t.Errorf("%o: %q %v", c.mode, warning, err)
			}
		})
	}
}

// packed writes an archive.
func packed(t *testing.T, zip bool, headers ...tar.Header) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out io.WriteCloser = f
	if zip {
		out = gzip.NewWriter(f)
		defer out.Close()
	}
	w := tar.NewWriter(out)
	defer w.Close()
	for _, h := range headers {
		if h.Mode = 0o644; h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write(noise(int(h.Size)))
	}
	return path
}

func TestUnpack(t *testing.T) {
	for _, zip := range []bool{false, true} {
		path, folder := packed(t, zip, tar.Header{Name: "m/", Typeflag: tar.TypeDir}, tar.Header{Name: "./m/a.npz",
			Size: 1000}, tar.Header{Name: "m/README.md", Size: 10}, tar.Header{Name: "b.npz.part0", Size: 5}),
			t.TempDir()
		if is, err := IsArchive(path); !is || err != nil {
			t.Error(is, err)
		}
		have, err := Unpack(t.Context(), path, folder)
		if err != nil || !slices.Equal(have, []string{filepath.Join(folder, "a.npz"),
			filepath.Join(folder, "b.npz.part0")}) {
			t.Errorf("%v %q", err, have)
		}
		if b, _ := os.ReadFile(filepath.Join(folder, "a.npz")); !bytes.Equal(b, noise(1000)) {
			t.Error("other content")
		}
	}
}

// A hostile archive is refused, and nothing of it stays.
func TestUnpackHostile(t *testing.T) {
	good := tar.Header{Name: "a.npz", Size: 10}
	cut, _ := os.ReadFile(packed(t, false, tar.Header{Name: "a.npz", Size: 100_000}))
	cutPath := filepath.Join(t.TempDir(), "cut.tar")
	os.WriteFile(cutPath, cut[:50_000], 0o600)
	words := filepath.Join(t.TempDir(), "words")
	os.WriteFile(words, []byte("these are words"), 0o600)
	many := make([]tar.Header, maxEntries+1)
	for i := range many {
		many[i].Name = "x"
	}
	for _, c := range []struct {
		name string
		path string
	}{
		{"up", packed(t, false, good, tar.Header{Name: "../b.npz", Size: 10})},
		{"up inside", packed(t, true, good, tar.Header{Name: "m/../../b.npz", Size: 10})},
		{"absolute", packed(t, false, good, tar.Header{Name: "/tmp/b.npz", Size: 10})},
		{"drive", packed(t, false, good, tar.Header{Name: `C:\b.npz`, Size: 10})},
		{"link", packed(t, false, good, tar.Header{Name: "b.npz", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"})},
		{"hardlink", packed(t, false, good, tar.Header{Name: "b.npz", Typeflag: tar.TypeLink, Linkname: "a.npz"})},
		{"device", packed(t, false, good, tar.Header{Name: "b.npz", Typeflag: tar.TypeChar})},
		{"fifo", packed(t, false, good, tar.Header{Name: "b", Typeflag: tar.TypeFifo})},
		{"twice", packed(t, false, good, tar.Header{Name: "m/a.npz", Size: 10})},
		{"hidden", packed(t, false, good, tar.Header{Name: ".npz", Size: 10})},
		{"empty", packed(t, false, good, tar.Header{Name: "b.npz"})},
		{"nothing", packed(t, false, tar.Header{Name: "b.txt", Size: 10})},
		{"many", packed(t, true, many...)},
		{"cut", cutPath},
		{"words", words},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			if have, err := Unpack(t.Context(), c.path, folder); err == nil || len(have) > 0 {
				t.Errorf("%s: %v", c.name, have)
			}
			if entries, _ := os.ReadDir(folder); len(entries) > 0 {
				t.Errorf("%s: left %v", c.name, entries)
			}
		})
	}
	if _, err := io.Copy(io.Discard, &bounded{t.Context(), strings.NewReader("four"), 3}); err == nil {
		t.Error("more than its bound was read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Unpack(ctx, packed(t, false, good), t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The note next to a part holds no secret.
func TestNote(t *testing.T) {
	s, c, path, want := setUp(t)
	storage(s, func(w http.ResponseWriter, r *http.Request) bool { breaks(w, want, 1000); return true })
	c.Fetch(t.Context(), Request{Address: base + "a.npz", Path: path})
	b, err := os.ReadFile(path + ".part.json")
	var note beginning
	if err != nil || json.Unmarshal(b, &note) != nil || note.From != base+"a.npz" || note.Total != 3_000_000 ||
		note.MD5 == "" || note.CRC32C == "" || bytes.Contains(b, []byte("secret")) {
		t.Errorf("%s %v", b, err)
	}
}
