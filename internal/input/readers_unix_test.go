//go:build unix

package input_test

// This file: the packages that read files that users name. None waits for what is no file, also if
// it took a file's place a moment ago.

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/checkpoint"
	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/internal/kaggle"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/npz"
)

// readers are functions that read the file at a path, called kaggle.json.
var readers = []struct {
	name string
	read func(path string) error
}{
	{"gguf", func(path string) error { _, err := gguf.Open(path); return err }},
	{"npz", func(path string) error { _, err := npz.Open(path); return err }},
	{"sentencepiece", func(path string) error { _, err := sentencepiece.Open(path); return err }},
	{"checkpoint", func(path string) error { _, err := checkpoint.Open(path); return err }},
	{"filekind", func(path string) error {
		if err := filekind.At(path, filekind.GGUF); err != nil {
			return err
		}
		_, _, err := filekind.Open(path, filekind.GGUF)
		return err
	}},
	{"eval", func(path string) error {
		ctx, stop := context.WithTimeout(context.Background(), time.Second/10) // for the writer of a FIFO
		defer stop()
		_, err := eval.ReadQuestions(ctx, path, "")
		return err
	}},
	{"store, a model", func(path string) error { return store.WithFile(path, func(*gguf.File) error { return nil }) }},
	{"kaggle, an archive", func(path string) error {
		_, err := kaggle.Unpack(context.Background(), path, filepath.Dir(path))
		return err
	}},
	{"kaggle, what is an archive", func(path string) error { _, err := kaggle.IsArchive(path); return err }},
	{"kaggle, credentials", func(path string) error {
		folder := map[string]string{"KAGGLE_CONFIG_DIR": filepath.Dir(path)}
		_, _, err := kaggle.Find(func(name string) string { return folder[name] }, "")
		return err
	}},
	{"imageproc", func(path string) error { _, err := imageproc.Open(path, imageproc.DefaultLimits); return err }},
}

// ends fails unless read returns soon.
func ends(t *testing.T, read func(path string) error, path string) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- read(path) }()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: it waits", path)
		return nil
	}
}

// TestReadersDoNotWait gives each reader what is no file.
func TestReadersDoNotWait(t *testing.T) {
	for kind, put := range map[string]func(path string) error{
		"FIFO":             func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder":           func(path string) error { return os.Mkdir(path, 0o700) },
		"socket":           listen,
		"device":           func(path string) error { return os.Symlink(os.DevNull, path) },
		"endless device":   func(path string) error { return os.Symlink("/dev/zero", path) },
		"link to a FIFO":   linkedFIFO,
		"link that loops":  func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"link to nowhere":  func(path string) error { return os.Symlink("nowhere", path) },
		"unreadable thing": func(path string) error { return syscall.Mkfifo(path, 0) },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Chdir(t.TempDir()) // a socket's path is short
			if err := put("kaggle.json"); err != nil {
				t.Fatal(err)
			}
			for _, r := range readers {
				err := ends(t, r.read, "kaggle.json")
				if err == nil || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: have error %v", r.name, err)
				}
			}
		})
	}
}

func listen(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

func linkedFIFO(path string) error {
	if err := syscall.Mkfifo("other", 0o600); err != nil {
		return err
	}
	return os.Symlink("other", path)
}

// TestReadersLookAtWhatTheyOpened puts a FIFO and a file into each other's place while they are
// read.
func TestReadersLookAtWhatTheyOpened(t *testing.T) {
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			folder := t.TempDir()
			path, fifo := filepath.Join(folder, "kaggle.json"), filepath.Join(folder, "fifo")
			file := filepath.Join(folder, "file")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("words"), 0o600); err != nil {
				t.Fatal(err)
			}
			stop, stopped := make(chan bool), make(chan bool)
			go func() {
				defer close(stopped)
				next := filepath.Join(folder, "next")
				for {
					for _, from := range []string{fifo, file} {
						os.Symlink(from, next)
						os.Rename(next, path)
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			}()
			for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
				ends(t, r.read, path)
			}
			close(stop)
			<-stopped
		})
	}
}
