package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type line struct {
	Run string `json:"run"`
	N   int    `json:"n"`
}

func open(t *testing.T, path string) (*File, []int64) {
	t.Helper()
	var at []int64
	j, err := Open(path, Options{Begins: `{"run":"`}, func(a int64, _ []byte) error { at = append(at, a); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return j, at
}

// What was added can be read, by the positions that Add and Open give; a line that was cut anywhere
// is gone, and the next one takes its place.
func TestAddAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	at, err := j.Add(line{"a<b", 1}, line{"é", 2})
	if err != nil || len(at) != 2 {
		t.Fatal(at, err)
	}
	j.Close()
	whole, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(whole), "a<b") {
		t.Fatalf("%v: %s", err, whole)
	}
	for cut := range len(whole) + 1 {
		zeros := make([]byte, cut%3*100)
		if err := os.WriteFile(path, append(whole[:cut:cut], zeros...), 0o600); err != nil {
			t.Fatal(err)
		}
		j, at := open(t, path)
		if want := strings.Count(string(whole[:cut]), "\n"); len(at) != want {
			t.Fatalf("cut at %d: %d lines, want %d", cut, len(at), want)
		}
		more, err := j.Add(line{"new", 3})
		if err != nil {
			t.Fatal(err)
		}
		var l line
		for i, a := range append(at, more...) {
			want := []int{1, 2}[min(i, 1)]
			if i == len(at) {
				want = 3
			}
			if err := j.Read(a, &l); err != nil || l.N != want {
				t.Errorf("cut at %d: line %d is %+v: %v", cut, i, l, err)
			}
		}
		if err := j.Read(more[0]+3, &l); err == nil {
			t.Errorf("a line from its middle: %+v", l)
		}
		j.Close()
	}
}

func TestRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	if _, err := Open(path, Options{}, nil); err == nil || !strings.Contains(err.Error(), "another run is writing it") {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := j.Add(line{"a", 1}, line{strings.Repeat("x", MaxLine), 2}); err == nil ||
		!strings.Contains(err.Error(), "a line of") {
		t.Errorf("a long line: %v", err)
	}
	if _, err := j.Add(line{"a", 1}, func() {}); err == nil {
		t.Error("a function as a line")
	}
	j.Close()
	if j, at := open(t, path); len(at) != 0 {
		t.Errorf("after errors: lines at %v", at)
	} else {
		j.Close()
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, link)
	if _, err := j.Add(line{"b", 1}); err != nil {
		t.Error(err)
	}
	j.Close()
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), `"b"`) {
		t.Errorf("through a link: %v %s", err, b)
	}
	if _, err := Open(path, Options{}, func(int64, []byte) error { return fmt.Errorf("not mine") }); err == nil ||
		err.Error() != path+": line 1: not mine" {
		t.Errorf("another's: %v", err)
	}
}
