// Package imageproc opens images and turns them into the pixels that the vision encoder takes.
//
//	path or bytes ──Open, Decode──▶ Image, upright RGB
//	              ──Preprocess──▶ pixels [3,side,side], values from -1 to 1
//
// Before it: a path, or bytes of unknown origin. After it: the vision graph (mmproj/siglip), which
// encodes the pixels.
package imageproc

// This file: opening images. Everything is checked from the file's header before anything is
// decoded.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/mmproj/imageproc/jpeg"
	"github.com/pali-gguf/pali/paligemma"
)

// Image is a decoded image, upright, on white where it was transparent.
type Image struct {
	Width, Height int     // pixels
	Pix           []uint8 // [Height,Width,3], RGB
}

// Limits bounds the cost of one image. For each pixel, decoding takes 4 to 12 bytes of memory, 15
// for a progressive JPEG with four inks and 19 for an interlaced PNG of 16 bits with alpha, and
// bringing it upright 11 more: a phone's photo of 12 megapixels takes 55 MB, the worst image within
// the default limits 1.1 GB and a few seconds.
type Limits struct {
	Bytes  int64 // size of the file
	Pixels int   // width times height
	Side   int   // width, and height
}

// Limit names one of Limits.
type Limit string

// The limits.
const (
	LimitBytes  Limit = "bytes"
	LimitPixels Limit = "pixels"
	LimitSide   Limit = "side"
)

// LimitError says that an image, or the frames of an animated one, exceed one of Limits. It wraps a
// paligemma.LimitError.
type LimitError struct {
	Limit     Limit
	Have, Max int64
	text      string
}

func (e LimitError) Error() string { return e.text }

// Unwrap returns the error in the form of packages that know nothing of images.
func (e LimitError) Unwrap() error {
	return paligemma.LimitError{What: string(e.Limit), Have: e.Have, Max: e.Max}
}

func limitErrorf(l Limit, have, limit int64, format string, args ...any) error {
	return LimitError{l, have, limit, fmt.Sprintf(format, args...)}
}

// DefaultLimits admits any photo of a current phone or camera.
var DefaultLimits = Limits{Bytes: 20 << 20, Pixels: 50_000_000, Side: 32_768}

// Open reads the image file at path, within l. Only regular files are opened, and no more than
// l.Bytes+1 bytes are read. Errors name the path.
func Open(path string, l Limits) (*Image, error) {
	data, err := ReadFile(path, l.Bytes)
	return decodeRead(path, data, err, l)
}

// OpenStream reads an image as Open does, from what ReadStream reads.
func OpenStream(ctx context.Context, path string, l Limits) (*Image, error) {
	data, err := ReadStream(ctx, path, l.Bytes)
	return decodeRead(path, data, err, l)
}

// decodeRead decodes data, read from path, unless err says why it could not be read.
func decodeRead(path string, data []byte, err error, l Limits) (*Image, error) {
	if err != nil {
		return nil, err
	}
	p, err := decode(data, l)
	if err != nil {
		return nil, fmt.Errorf("image: %s: %w", input.Name(path), err)
	}
	return p, nil
}

// Decode decodes a JPEG, PNG, GIF (its first frame), BMP or WebP image, recognised by its first
// bytes.
//
// It follows TensorFlow's decode_image, which made the images the model was trained on, to the bit:
// grey is repeated, 16-bit samples keep their high byte, colour profiles are ignored. Four things
// differ on purpose, since people expect boxes and answers about the image as they see it: the EXIF
// orientation is applied, transparency shows white (TensorFlow drops alpha), the first frame of a
// GIF lies at its place on the whole canvas, and a BMP's palette gives its colours.
//
// An image beyond l is a LimitError, before any pixel is decoded.
func Decode(data []byte, l Limits) (*Image, error) {
	p, err := decode(data, l)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return p, nil
}

// ReadFile reads the regular file at path, of at most limit bytes, for Decode. Errors name the
// path.
func ReadFile(path string, limit int64) ([]byte, error) {
	data, err := input.ReadFile(path, limit)
	return data, readError(err)
}

// ReadStream reads an image file for Decode as ReadFile does, and also a FIFO, a device and, for
// "-", the standard input, to their ends. It waits for their writers until ctx is done.
func ReadStream(ctx context.Context, path string, limit int64) ([]byte, error) {
	data, err := input.ReadStream(ctx, path, limit)
	return data, readError(err)
}

// readError returns an error of internal/input as one of this package.
func readError(err error) error {
	var size input.SizeError
	var kind input.KindError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &size):
		return fmt.Errorf("image: %w", limitErrorf(LimitBytes, cmp.Or(size.Have, size.Max+1), size.Max, "%v", size))
	case errors.As(err, &kind):
		return fmt.Errorf("image: %w, want an image file", err)
	}
	return fmt.Errorf("image: %w", err)
}

func errTooManyBytes(have, want int64) error {
	return limitErrorf(LimitBytes, have, want, "file too large: have %d bytes, want at most %d", have, want)
}

// decode is Decode without the prefix of its errors.
func decode(data []byte, l Limits) (*Image, error) {
	f, c, err := header(data, l)
	if err != nil {
		return nil, err
	}
	p, err := decodeGuarded(f.name, func() (*Image, error) { return f.decode(data, c) })
	if err != nil {
		return nil, err
	}
	if f.metadata != nil {
		p = upright(p, f.metadata(data).orientation())
	}
	return p, nil
}

// checkSize compares c, the size that a header claims, with l.
func checkSize(c image.Config, l Limits) error {
	if c.Width < 1 || c.Height < 1 {
		return fmt.Errorf("size: have %dx%d, want at least one pixel", c.Width, c.Height)
	}
	if c.Width > l.Side || c.Height > l.Side {
		return limitErrorf(LimitSide, int64(max(c.Width, c.Height)), int64(l.Side),
			"side too long: have %dx%d, want at most %d", c.Width, c.Height, l.Side)
	}
	if have := int64(c.Width) * int64(c.Height); have > int64(l.Pixels) {
		return limitErrorf(LimitPixels, have, int64(l.Pixels),
			"too many pixels: have %dx%d, want at most %d", c.Width, c.Height, l.Pixels)
	}
	return nil
}

// decodeGuarded calls do, a decoder of a library, for a file of the format name. A panic, which
// only a broken file can cause, becomes an error.
func decodeGuarded[T any](name string, do func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: cannot be decoded: %v", name, r)
		}
	}()
	v, err = do()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("file ends too early")
	}
	if err != nil {
		err = fmt.Errorf("%s: cannot be decoded: %w", name, err)
	}
	return v, err
}

// format is one image file format.
type format struct {
	name     string
	magic    string                 // first bytes, as for hasMagic
	sure     func(head []byte) bool // whether head, which has the magic, is of this format; nil: it is
	config   func(data []byte) (image.Config, error)
	decode   func(data []byte, c image.Config) (*Image, error)
	memory   func(data []byte, c image.Config) int64 // bytes that decode takes; check has been called
	check    func([]byte, image.Config) error // what the decoder itself does not check soon enough
	metadata func(data []byte) metadata       // with the orientation; nil: the format has none
}

var formats = []format{
	{name: "JPEG", magic: "\xff\xd8\xff", config: configJPEG, decode: decodeJPEG, memory: memoryJPEG,
		metadata: jpegMetadata},
	{name: "PNG", magic: "\x89PNG\r\n\x1a\n", config: headerOf(png.DecodeConfig), decode: pixelsOf(png.Decode),
		memory: memoryPNG, metadata: pngMetadata, check: checkPNG},
	{name: "GIF", magic: "GIF87a", config: headerOf(gif.DecodeConfig), decode: pixelsOf(gif.Decode), memory: memoryGIF},
	{name: "GIF", magic: "GIF89a", config: headerOf(gif.DecodeConfig), decode: pixelsOf(gif.Decode), memory: memoryGIF},
	{name: "BMP", magic: "BM", sure: isBMP, config: headerOf(bmp.DecodeConfig), decode: pixelsOf(bmp.Decode),
		memory: memoryBMP, check: checkBMP},
	{name: "WebP", magic: "RIFF????WEBP", config: headerOf(webp.DecodeConfig), decode: pixelsOf(webp.Decode),
		memory: memoryWebP, metadata: webpMetadata, check: checkWebP},
}

// headerOf and pixelsOf turn functions of the libraries into those of a format.
func headerOf(config func(io.Reader) (image.Config, error)) func([]byte) (image.Config, error) {
	return func(data []byte) (image.Config, error) { return config(bytes.NewReader(data)) }
}

func pixelsOf(decode func(io.Reader) (image.Image, error)) func([]byte, image.Config) (*Image, error) {
	return func(data []byte, c image.Config) (*Image, error) {
		m, err := decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		p, err := toRGB(m, c)
		if err == nil && hasAlpha(data, m) {
			p.coverWhite(m)
		}
		return p, err
	}
}

func configJPEG(data []byte) (c image.Config, err error) {
	c.Width, c.Height, err = jpeg.Size(data)
	return c, err
}

func decodeJPEG(data []byte, _ image.Config) (*Image, error) {
	rgb, width, height, err := jpeg.Decode(data)
	return &Image{Width: width, Height: height, Pix: rgb}, err
}
