package dataset

// This file: writing files whole or not at all.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/input"
)

// spool holds a part of a file until the size of the file is known. It is a temporary file, without
// a name where the system allows that.
type spool struct {
	*bufio.Writer
	f *os.File
}

// spoolNames is what the names of spools are made from: * stands for digits.
const spoolNames = ".spool-*"

// removeSpools removes the spools in folder of a run that was killed before it could.
func removeSpools(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), strings.TrimSuffix(spoolNames, "*"))
		if ok && digits != "" && strings.Trim(digits, "0123456789") == "" && e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

// newSpool makes a spool in folder.
func newSpool(folder string) (*spool, error) {
	f, err := os.CreateTemp(folder, spoolNames)
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
	return e.fill(path, size, from, func(n int64) error {
		if n != size {
			return fmt.Errorf("writing %s: %d bytes, want %d", path, n, size)
		}
		return nil
	})
}

// fill replaces the file at path by size bytes read from from, if check, which is called with the
// number of bytes that were read, finds no fault.
func (e *Export) fill(path string, size int64, from io.Reader, check func(n int64) error) error {
	target := []atomicfile.Target{{Path: path, Size: size}}
	set, err := atomicfile.Begin(target, atomicfile.Options{Force: true, FS: e.FS})
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(set.WriterAt(0), 0), io.LimitReader(from, size))
	if extra, _ := from.Read(make([]byte, 1)); err == nil { // a byte more if the file grew
		err = check(n + int64(extra))
	}
	if err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}

// put writes b to path, unless the file already has these bytes.
func (e *Export) put(path string, b []byte) error {
	if have, err := input.ReadFile(path, int64(len(b))); err == nil && bytes.Equal(have, b) && settled(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return e.replace(path, int64(len(b)), bytes.NewReader(b))
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
		err := os.Remove(path + s)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENAMETOOLONG) {
			return err
		}
	}
	return nil
}
