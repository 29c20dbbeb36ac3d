// Package input opens and reads files that users name.
//
// What a path leads to is looked at after it was opened, since it may be replaced between a look
// and the opening, and it is opened so that a FIFO without a writer makes nobody wait. Nothing is
// read without a bound.
//
// Before it: a path. After it: an open file, or its bytes. Errors say what was found, and name the
// path as the user wrote it.
package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Stdin is the path that stands for the standard input in ReadStream.
const Stdin = "-"

// IsStdin reports whether path is one that stands for the standard input.
func IsStdin(path string) bool { return path == Stdin || path == "/dev/stdin" }

// Name returns path as sentences name it.
func Name(path string) string {
	if IsStdin(path) {
		return "standard input"
	}
	return path
}

// SizeError says that a file holds more than Max bytes. Have is its size, 0 if it is not known.
type SizeError struct {
	Path      string
	Have, Max int64
}

func (e SizeError) Error() string {
	if e.Have == 0 {
		return fmt.Sprintf("%s: file too large: want at most %d bytes", e.Path, e.Max)
	}
	return fmt.Sprintf("%s: file too large: have %d bytes, want at most %d", e.Path, e.Have, e.Max)
}

// KindError says that a path leads to something that is not read: a folder, a FIFO, a device.
type KindError struct {
	Path string
	Mode fs.FileMode
}

func (e KindError) Error() string {
	return fmt.Sprintf("%s: is %s, not a regular file", e.Path, e.Kind())
}

// Kind names what was found, with an article.
func (e KindError) Kind() string {
	switch mode := e.Mode; {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe (FIFO)"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a file"
}

// Open opens the regular file at path to read it, and returns it with what is known of it. It does
// not wait: a FIFO, a device, a socket or a folder is a KindError.
func Open(path string) (*os.File, os.FileInfo, error) {
	f, err := openNonBlocking(path)
	if err != nil {
		return nil, nil, explain(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = KindError{path, info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// OpenFolder opens the folder at path to list it. It does not wait: anything else is an error.
func OpenFolder(path string) (*os.File, error) {
	f, err := openNonBlocking(path)
	if err != nil {
		return nil, explain(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: not a folder", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile reads the regular file at path, of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, info, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(path, f, info, limit)
}

// ReadHead reads the first n bytes of the regular file at path, or all if it has fewer.
func ReadHead(path string, n int64) ([]byte, error) {
	f, _, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, n))
	return b, explain(path, err)
}

// ReadStream reads what path leads to, at most limit bytes: a regular file; or a FIFO, a device, or
// the standard input for Stdin, which end when their writers close them. It waits for a FIFO's
// writer, until ctx is done.
func ReadStream(ctx context.Context, path string, limit int64) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // it cannot be stopped while it waits for a writer, and ends with the program
		data, err := readStream(path, limit)
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func readStream(path string, limit int64) ([]byte, error) {
	f, name := os.Stdin, Name(path)
	if !IsStdin(path) {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, explain(path, err)
		}
		defer f.Close()
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0 {
		return nil, KindError{name, info.Mode()}
	}
	return readAll(name, f, info, limit)
}

// readAll reads f, of which info is known, to its end.
func readAll(path string, f io.Reader, info os.FileInfo, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if info.Mode().IsRegular() {
		if info.Size() > limit {
			return nil, SizeError{path, info.Size(), limit}
		}
		buf.Grow(int(info.Size()) + bytes.MinRead)
	}
	if _, err := io.Copy(&buf, io.LimitReader(f, limit+1)); err != nil {
		return nil, explain(path, err)
	}
	if int64(buf.Len()) > limit {
		return nil, SizeError{path, 0, limit}
	}
	return buf.Bytes(), nil
}

// explain returns err as "PATH: cause", without the names of Go's operations.
func explain(path string, err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return &pathError{path, of.Err}
	}
	return err
}

// Text returns err's text without the names of Go's operations: "a.txt: permission denied", not "open
// a.txt: ...".
func Text(err error) string {
	text := err.Error()
	if of := (*fs.PathError)(nil); errors.As(err, &of) {
		return strings.Replace(text, of.Error(), (&pathError{of.Path, of.Err}).Error(), 1)
	}
	return text
}

// pathError is an error of the system about a path.
type pathError struct {
	path  string
	cause error
}

func (e *pathError) Error() string {
	if e.path == "" {
		return "no file is named: the name is empty"
	}
	return e.path + ": " + e.cause.Error()
}

func (e *pathError) Unwrap() error { return e.cause }
