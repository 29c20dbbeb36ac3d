package dataset

// This file: writing files whole or not at all.

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

// spool holds a part of a file until the size of the file is known. It is a temporary file, without
// a name where the system allows that.
type spool struct {
	*bufio.Writer
	f *os.File
}

// newSpool makes a spool in folder.
func newSpool(folder string) (*spool, error) {
	f, err := os.CreateTemp(folder, ".spool-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // Windows keeps the name until close
	return &spool{bufio.NewWriterSize(f, 1<<16), f}, nil
}

func (s *spool) close() {
	s.f.Close()
	os.Remove(s.f.Name())
}

// part is a part of a file: a text, or a spool.
type part struct {
	text  string
	spool *spool
}

// reader returns a reader of the part from its beginning, and its size in bytes.
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

// write replaces the file at path by one of these parts.
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

// replace replaces the file at path by size bytes read from from. If size is 0, it removes the
// file.
func (e *Export) replace(path string, size int64, from io.Reader) error {
	if size == 0 {
		return e.remove(path)
	}
	target := []atomicfile.Target{{Path: path, Size: size}}
	set, err := atomicfile.Begin(target, atomicfile.Options{Force: true, FS: e.FS})
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

// put writes b to path, unless the file already has these bytes.
func (e *Export) put(path string, b []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, b) && settled(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return e.replace(path, int64(len(b)), bytes.NewReader(b))
}

// copy copies the image file of img to path, unless path already has its bytes. It fails if the
// image is not the one that was labelled.
func (e *Export) copy(path string, img *labelledImage) error {
	if digest, _, err := digestOf(path); err == nil && digest == img.digest && settled(path) {
		return nil
	}
	digest, size, err := digestOf(img.Path)
	if err == nil && digest != img.digest {
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

// digestOf returns the digest and size in bytes of the file at path.
func digestOf(path string) (digest Digest, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return digest, 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	h.Sum(digest[:0])
	return digest, size, err
}

// workSuffixes are the suffixes of files that internal/atomicfile leaves beside a file when the
// program is killed.
var workSuffixes = []string{".partial", ".aside"}

// settled reports whether no interrupted write left files beside path.
func settled(path string) bool {
	for _, s := range workSuffixes {
		if _, err := os.Lstat(path + s); err == nil {
			return false
		}
	}
	return true
}

// remove removes the file at path and what an interrupted write left beside it.
func (e *Export) remove(path string) error {
	for _, s := range append(workSuffixes, "") {
		if err := os.Remove(path + s); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
