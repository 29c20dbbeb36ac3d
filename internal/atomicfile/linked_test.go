//go:build linux || darwin || freebsd || dragonfly

package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDiverted puts links and FIFOs where a file is written: they stay, with what is behind them.
func TestDiverted(t *testing.T) {
	for kind, put := range map[string]func(victim, path string) error{
		"symbolic link": os.Symlink,
		"hard link":     os.Link,
		"FIFO":          func(_, path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(kind, func(t *testing.T) {
			folder := t.TempDir()
			victim, path := filepath.Join(folder, "victim"), filepath.Join(folder, "a")
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := put(victim, path+partialSuffix); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for _, err := range []error{MayWrite(path, true), WriteFile(path, []byte("x"), true)} {
				if err == nil || !strings.Contains(err.Error(), path+partialSuffix) {
					t.Errorf("have error %v", err)
				}
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
			if b, err := os.ReadFile(victim); string(b) != "precious" {
				t.Errorf("behind it: %q, %v", b, err)
			}
			if _, err := os.Lstat(path + partialSuffix); err != nil {
				t.Error(err)
			}
		})
	}
}
