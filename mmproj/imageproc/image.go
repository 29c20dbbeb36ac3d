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
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/pali-gguf/pali/mmproj/imageproc/jpeg"
	"github.com/pali-gguf/pali/paligemma"
)

// Image is a decoded image, upright, without alpha.
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
	if err != nil {
		return nil, err
	}
	p, err := decode(data, l)
	if err != nil {
		return nil, fmt.Errorf("image: %s: %w", path, err)
	}
	return p, nil
}

// Decode decodes a JPEG, PNG, GIF (its first frame), BMP or WebP image, recognised by its first
// bytes.
//
// It follows TensorFlow's decode_image, which made the images the model was trained on, to the bit:
// grey is repeated, 16-bit samples keep their high byte, alpha is dropped without compositing,
// colour profiles are ignored. Three things differ on purpose, since people expect boxes and
// answers about the image as they see it: the EXIF orientation is applied, the first frame of a GIF
// lies at its place on the whole canvas, and a BMP's palette gives its colours.
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
	info, err := os.Stat(path) // before opening: opening a FIFO would wait for a writer
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("image: %s: is a folder, want an image file", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("image: %s: is not a regular file (%s), want an image file", path, info.Mode().Type())
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("image: %s: %w", path, errTooManyBytes(info.Size(), limit))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	defer f.Close()
	var buf bytes.Buffer
	buf.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := io.Copy(&buf, io.LimitReader(f, limit+1)); err != nil { // limit+1: decode refuses a file that grew
		return nil, fmt.Errorf("image: %w", err)
	}
	return buf.Bytes(), nil
}

func errTooManyBytes(have, want int64) error {
	return limitErrorf(LimitBytes, have, want, "file too large: have %d bytes, want at most %d", have, want)
}

// decode is Decode without the prefix of its errors.
func decode(data []byte, l Limits) (*Image, error) {
	if int64(len(data)) > l.Bytes {
		return nil, errTooManyBytes(int64(len(data)), l.Bytes)
	}
	f, err := sniff(data)
	if err != nil {
		return nil, err
	}
	c, err := decodeGuarded(f.name, func() (image.Config, error) { return f.config(data) })
	if err != nil {
		return nil, err
	}
	if err := checkSize(c, l); err != nil {
		return nil, err
	}
	if f.check != nil {
		if err := f.check(data, c); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	p, err := decodeGuarded(f.name, func() (*Image, error) { return f.decode(data, c) })
	if err != nil {
		return nil, err
	}
	if f.exif != nil {
		p = upright(p, exifOrientation(f.exif(data)))
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
	name   string
	magic  string // first bytes; "?" stands for any byte
	config func(data []byte) (image.Config, error)
	decode func(data []byte, c image.Config) (*Image, error)
	exif   func(data []byte) []byte         // the TIFF structure with the orientation, nil if there is none
	check  func([]byte, image.Config) error // what the decoder itself does not check soon enough
}

var formats = []format{
	{name: "JPEG", magic: "\xff\xd8\xff", config: configJPEG, decode: decodeJPEG, exif: jpeg.EXIF},
	{name: "PNG", magic: "\x89PNG\r\n\x1a\n", config: headerOf(png.DecodeConfig), decode: pixelsOf(png.Decode),
		exif: pngEXIF, check: checkPNG},
	{name: "GIF", magic: "GIF87a", config: headerOf(gif.DecodeConfig), decode: pixelsOf(gif.Decode)},
	{name: "GIF", magic: "GIF89a", config: headerOf(gif.DecodeConfig), decode: pixelsOf(gif.Decode)},
	{name: "BMP", magic: "BM", config: headerOf(bmp.DecodeConfig), decode: pixelsOf(bmp.Decode), check: checkBMP},
	{name: "WebP", magic: "RIFF????WEBP", config: headerOf(webp.DecodeConfig), decode: pixelsOf(webp.Decode),
		exif: webpEXIF, check: checkWebP},
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
		return toRGB(m, c)
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

// refused lists kinds of files that people try, so that the error can say what the file is.
var refused = []struct{ name, magic string }{
	{"PDF", "%PDF"}, {"TIFF", "II*\x00"}, {"TIFF", "MM\x00*"}, {"SVG", "<svg"}, {"XML or SVG", "<?xml"},
	{"HTML", "<!DOCTYPE html"}, {"HTML", "<!doctype html"}, {"HTML", "<html"}, {"AVIF", "????ftypavif"},
	{"HEIC", "????ftyphei"}, {"HEIC", "????ftypmif1"}, {"JPEG XL", "\xff\x0a"}, {"JPEG XL", "\x00\x00\x00\x0cJXL "},
	{"JPEG 2000", "\x00\x00\x00\x0cjP  "}, {"video", "????ftyp"}, {"ICO", "\x00\x00\x01\x00"}, {"Photoshop", "8BPS"},
	{"GGUF", "GGUF"}, {"ZIP or .npz", "PK\x03\x04"},
}

const accepted = "want JPEG, PNG, GIF, BMP or WebP"

// sniff returns the format of data by its first bytes; the file's name does not matter.
func sniff(data []byte) (format, error) {
	if len(data) == 0 {
		return format{}, fmt.Errorf("empty file, %s", accepted)
	}
	for _, f := range formats {
		if hasMagic(data, f.magic) {
			return f, nil
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, k := range refused {
		if hasMagic(data, k.magic) || hasMagic(text, k.magic) {
			return format{}, fmt.Errorf("a %s file, %s", k.name, accepted)
		}
	}
	return format{}, fmt.Errorf("not an image that is known here, %s", accepted)
}

// hasMagic reports whether data begins with magic, in which "?" stands for any byte.
func hasMagic(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}
