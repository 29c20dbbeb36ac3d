package dataset

// This file: files that are there whole or not at all.

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pali-gguf/pali/internal/atomicfile"
)

// spool keeps what will be a part of a file until the size of that is known. It lies on the disk,
// without a name where the system allows that.
type spool struct {
	*bufio.Writer
	f *os.File
}

func newSpool(folder string) (*spool, error) {
	f, err := os.CreateTemp(folder, ".spool-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // Windows keeps it until close
	return &spool{bufio.NewWriterSize(f, 1<<16), f}, nil
}

func (s *spool) close() {
	s.f.Close()
	os.Remove(s.f.Name())
}

// part is a part of a file: its bytes, or a spool.
type part struct {
	text  string
	spool *spool
}

// reader returns the part's bytes from the beginning, and their number.
func (p part) reader() (io.Reader, int64, error) {
	if p.spool == nil {
		return bytes.NewReader([]byte(p.text)), int64(len(p.text)), nil
	}
	if err := p.spool.Flush(); err != nil {
		return nil, 0, err
	}
	n, err := p.spool.f.Seek(0, io.SeekEnd)
	return io.NewSectionReader(p.spool.f, 0, n), n, err
}

// write replaces a file by one of these parts.
func (e *Export) write(path string, parts ...part) error {
	var all []io.Reader
	size := int64(0)
	for _, p := range parts {
		r, n, err := p.reader()
		if err != nil {
			return err
		}
		all, size = append(all, r), size+n
	}
	return e.replace(path, size, io.MultiReader(all...))
}

// replace replaces the file at path by one of size bytes read from from. If size is 0, it removes
// the file.
func (e *Export) replace(path string, size int64, from io.Reader) error {
	if size == 0 {
		return e.remove(path)
	}
	set, err := atomicfile.Begin([]atomicfile.Target{{Path: path, Size: size}}, atomicfile.Options{Force: true, FS: e.FS})
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(set.WriterAt(0), 0), from)
	if err == nil && n != size {
		err = fmt.Errorf("writing %s: %d bytes, want %d", path, n, size)
	}
	if err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}

// put writes a small file of an image, unless it is there already as it should be.
func (e *Export) put(path string, b []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, b) && settled(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return e.replace(path, int64(len(b)), bytes.NewReader(b))
}

// copy copies an image, unless it is there already. The image must still be the one that was
// labelled.
func (e *Export) copy(path string, img *labelledImage) error {
	if sum, _, err := sumOf(path); err == nil && sum == img.sum && settled(path) {
		return nil
	}
	sum, size, err := sumOf(img.Path)
	if err == nil && sum != img.sum {
		err = fmt.Errorf("%s: changed after it was labelled", img.Path)
	}
	if err != nil {
		return err
	}
	f, err := os.Open(img.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return e.replace(path, size, f)
}

// sumOf reads a file.
func sumOf(path string) (sum Digest, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return sum, size, err
}

// workSuffixes are those of files that internal/atomicfile may have left beside a file when the
// program was killed.
var workSuffixes = []string{".partial", ".aside"}

// settled reports whether nothing is left of a write that was cut off.
func settled(path string) bool {
	for _, s := range workSuffixes {
		if _, err := os.Lstat(path + s); err == nil {
			return false
		}
	}
	return true
}

// remove removes a file and what a write that was cut off left of it.
func (e *Export) remove(path string) error {
	for _, s := range append(workSuffixes, "") {
		if err := os.Remove(path + s); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
