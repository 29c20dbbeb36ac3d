package dataset

// This file: copies of the images in data sets, in a format that the programs which read the set
// know. Where an image changed or vanished after it was labelled, it alone is left out.

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// imageError says why one image is left out of what is written; the others are not concerned.
type imageError struct{ err error }

func (e imageError) Error() string { return e.err.Error() }
func (e imageError) Unwrap() error { return e.err }

// copy copies the image file of img to path, unless path already has its bytes. Where the file is
// not the one that was labelled, or cannot be read, it fails with an imageError.
func (e *Export) copy(path string, img *labelledImage) error {
	if digest, err := digestOf(path); err == nil && digest == img.digest && settled(path) {
		return nil
	}
	f, info, err := input.Open(img.Path)
	if err != nil {
		return imageError{err}
	}
	defer f.Close()
	if info.Size() == 0 {
		return errChanged
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	source := &digestReader{f, sha256.New()}
	return e.fill(path, info.Size(), source, func(n int64) error {
		if n != info.Size() || source.digest() != img.digest {
			return errChanged
		}
		return nil
	})
}

// readImage reads the image file of img, with the errors of copy.
func (e *Export) readImage(img *labelledImage) ([]byte, error) {
	b, err := input.ReadFile(img.Path, e.Limits.Bytes)
	if err != nil {
		return nil, imageError{err}
	}
	if sha256.Sum256(b) != img.digest {
		return nil, errChanged
	}
	return b, nil
}

// formatOf returns the format of img's file, as imageproc.Sniff names it, with the errors of copy.
func formatOf(img *labelledImage) (string, error) {
	head, err := input.ReadHead(img.Path, imageproc.SniffLen)
	if err != nil {
		return "", imageError{err}
	}
	format, readable := imageproc.Sniff(head)
	if !readable {
		return "", errChanged
	}
	return format, nil
}

// errChanged is the imageError of a file that has other bytes than the one that was labelled.
var errChanged = imageError{errors.New("changed after it was labelled")}

// putPNG writes the image of img to path as a PNG, upright: the first frame of an animation.
func (e *Export) putPNG(path string, img *labelledImage) error {
	b, err := e.readImage(img)
	if err != nil {
		return err
	}
	p, err := imageproc.Decode(b, e.Limits)
	if err != nil {
		return imageError{err}
	}
	m := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height)) // opaque: written as RGB
	for i := range p.Width * p.Height {
		copy(m.Pix[4*i:], p.Pix[3*i:3*i+3])
		m.Pix[4*i+3] = 0xff
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		return err
	}
	return e.put(path, out.Bytes())
}

// digestReader computes the digest of what is read from r. Errors of r are imageErrors.
type digestReader struct {
	r io.Reader
	h hash.Hash
}

func (d *digestReader) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	d.h.Write(b[:n])
	if err != nil && err != io.EOF {
		err = imageError{err}
	}
	return n, err
}

func (d *digestReader) digest() (sum Digest) {
	d.h.Sum(sum[:0])
	return sum
}

// digestOf returns the digest of the file at path.
func digestOf(path string) (digest Digest, err error) {
	f, _, err := input.Open(path)
	if err != nil {
		return digest, err
	}
	defer f.Close()
	r := &digestReader{f, sha256.New()}
	_, err = io.Copy(io.Discard, r)
	return r.digest(), err
}
