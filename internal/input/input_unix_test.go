//go:build unix

package input

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fifo makes a FIFO.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpenDoesNotWait checks that what is no regular file is refused at once, by its kind.
func TestOpenDoesNotWait(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{fifo(t): "is a pipe (FIFO)", socket: "is a socket",
		"/dev/zero": "is a device", link: "is a device", t.TempDir(): "is a folder"} {
		t.Run(want, func(t *testing.T) {
			start := time.Now()
			_, err := ReadFile(path, 10)
			if !errors.As(err, new(KindError)) || !strings.Contains(err.Error(), path+": "+want) {
				t.Errorf("have error %v", err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestReadStream reads pipes and devices, waits for a writer, and ends when it is told to.
func TestReadStream(t *testing.T) {
	path := fifo(t)
	go func() {
		time.Sleep(100 * time.Millisecond)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			f.WriteString("first, ")
			time.Sleep(100 * time.Millisecond)
			f.WriteString("second")
			f.Close()
		}
	}()
	if b, err := ReadStream(context.Background(), path, 100); string(b) != "first, second" || err != nil {
		t.Errorf("a FIFO: %q, %v", b, err)
	}
	if _, err := ReadStream(context.Background(), "/dev/zero", 1000); !errors.As(err, new(SizeError)) {
		t.Errorf("a device without an end: %v", err)
	}
	if b, err := ReadStream(context.Background(), "/dev/null", 10); len(b) != 0 || err != nil {
		t.Errorf("an empty device: %q, %v", b, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := ReadStream(ctx, fifo(t), 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a FIFO without a writer: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = before }()
	go func() { w.Write(bytes.Repeat([]byte("x"), 70_000)); w.Close() }()
	if b, err := ReadStream(context.Background(), Stdin, 70_000); len(b) != 70_000 || err != nil {
		t.Errorf("the standard input: %d bytes, %v", len(b), err)
	}
}
