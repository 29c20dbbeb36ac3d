package atomicfile

// This file: a single file whose bytes are in memory, or can be made twice.

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
)

// MayWrite returns an error if the file at path could not be written, to be called before the work
// whose result it will hold. force allows that the file exists.
func MayWrite(path string, force bool) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing %s: the folder %s: %w", path, filepath.Dir(path), cause(err))
	}
	set, err := Begin([]Target{{Path: path, Size: 1}}, Options{Force: force})
	if err != nil {
		return err
	}
	return set.Abort()
}

// WriteFile writes b, at least a byte, to the file at path, which appears when it is complete.
// force allows that it is there.
func WriteFile(path string, b []byte, force bool) error {
	set, err := Begin([]Target{{Path: path, Size: int64(len(b))}}, Options{Force: force})
	if err != nil {
		return err
	}
	if _, err := set.WriterAt(0).WriteAt(b, 0); err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}

// WritePNG writes m as a PNG to the file at path, which appears when it is complete, in the place of
// one that is there.
func WritePNG(path string, m image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return WriteFile(path, b.Bytes(), true)
}

// Write writes what write gives, at least a byte, to the file at path, which appears when it is
// complete. It calls write twice, first to learn the size. force allows that the file is there.
func Write(path string, force bool, write func(io.Writer) error) error {
	var size counter
	if err := write(&size); err != nil {
		return err
	}
	set, err := Begin([]Target{{Path: path, Size: int64(size)}}, Options{Force: force})
	if err != nil {
		return err
	}
	w := io.NewOffsetWriter(set.WriterAt(0), 0)
	err = write(w)
	if at, _ := w.Seek(0, io.SeekCurrent); err == nil && at != int64(size) { // cannot fail: it reads a field
		err = fmt.Errorf("writing %s: %d bytes, and before %d", path, at, size)
	}
	if err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}

// counter is a writer that counts bytes.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
