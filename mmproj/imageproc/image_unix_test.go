//go:build unix

package imageproc

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOpenImageSpecial checks that nothing but regular files is read: a FIFO would block, a device
// would not end.
func TestOpenImageSpecial(t *testing.T) {
	dir := t.TempDir()
	fifo, loop := filepath.Join(dir, "fifo.png"), filepath.Join(dir, "loop.png")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.png")
	target, err := filepath.Abs("testdata/pillow/upright.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want string
	}{{fifo, "is a pipe (FIFO)"}, {"/dev/zero", "is a device"},
		{loop, "symbolic links"}} {
		t.Run(c.path, func(t *testing.T) {
			if _, err := Open(c.path, DefaultLimits); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: have error %v, want %q", c.path, err, c.want)
			}
		})
	}
	if _, err := Open(link, DefaultLimits); err != nil {
		t.Errorf("a link to an image: %v", err)
	}
}
