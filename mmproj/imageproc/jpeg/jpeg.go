// Package jpeg decodes JPEGs to the pixels that TensorFlow decodes them to, since the model was
// trained on those.
//
// Before it: a file whose size has been checked (package imageproc). After it: RGB, still as the
// camera held it (imageproc applies EXIF's orientation).
//
//	bytes ──jpeg.go, frame.go──▶ segments
//	      ──huffman.go, scan.go, progressive.go──▶ coefficients of 8 x 8 blocks
//	      ──idct.go (smooth.go)──▶ planes of samples ──upsample.go, colour.go──▶ RGB
//
// It reads what ITU T.81 calls baseline, extended sequential and progressive, Huffman coded, 8
// bits: grey, YCbCr, RGB, CMYK and YCCK with any whole sampling ratio. Arithmetic coding, 12 bits,
// lossless and hierarchical files are refused. Decoding is libjpeg-turbo's with the fast integer
// inverse DCT and "fancy" upsampling, as tf.io.decode_image asks for it
// (tensorflow/core/kernels/image/decode_image_op.cc). A file that TensorFlow repairs in the middle
// of its samples is an error here, and one whose end is missing after the last sample is not.
package jpeg

import (
	"bytes"
	"errors"
	"fmt"
)

var (
	errTruncated = errors.New("jpeg: file ends too early")
	errFormat    = errors.New("jpeg: bad segment")
)

// decoder is the state after the segments read so far.
type decoder struct {
	data        []byte
	at          int
	ended       bool          // the end of the image has been read
	quant       [4][64]uint16 // in rows
	hasQuant    [4]bool
	dc, ac      [4]*table // nil: not defined yet
	interval    int       // MCUs between restarts; 0: none
	jfif, adobe bool      // which program wrote the file; this decides what the components are
	transform   byte      // Adobe's: 0 RGB or CMYK, 1 YCbCr, 2 YCCK
	frame
	scans, visits int // so far; progressive.go bounds them
}

// Size returns the image's width and height in pixels. It reads data no further than the frame
// header, and fails for what Decode cannot read.
func Size(data []byte) (width, height int, err error) {
	d, err := toFrame(data)
	if err != nil {
		return 0, 0, err
	}
	return d.width, d.height, nil
}

// toFrame reads data up to the frame header.
func toFrame(data []byte) (*decoder, error) {
	d, err := begin(data)
	for err == nil && d.components == nil {
		err = d.next()
		if err == nil && d.ended {
			err = errTruncated
		}
	}
	return d, err
}

// Decode returns the pixels of data, a whole file: [height,width,3], RGB.
func Decode(data []byte) (rgb []uint8, width, height int, err error) {
	d, err := begin(data)
	for err == nil && !d.ended && !d.complete() {
		err = d.next()
	}
	if err == nil {
		err = d.finish()
	}
	if err != nil {
		return nil, 0, 0, err
	}
	return d.rgb(), d.width, d.height, nil
}

// EXIF returns the TIFF structure in the segments with EXIF before the samples, joined if there are
// several; nil if there is none.
func EXIF(data []byte) []byte { return application1(data, "Exif\x00\x00") }

// XMP returns the text of the segments with XMP before the samples; nil if there is none.
func XMP(data []byte) []byte { return application1(data, "http://ns.adobe.com/xap/1.0/\x00") }

// application1 joins the bodies of the segments APP1 before the samples that begin with prefix,
// without it.
func application1(data []byte, prefix string) (joined []byte) {
	d, err := begin(data)
	for err == nil {
		var marker byte
		var body []byte
		marker, body, err = d.segment()
		if part, ok := bytes.CutPrefix(body, []byte(prefix)); ok && marker == app1 {
			joined = append(joined, part...)
		}
		if marker == eoi || marker == sos {
			break
		}
	}
	return joined
}

// begin checks the first marker of data.
func begin(data []byte) (*decoder, error) {
	if len(data) < 2 || data[0] != 0xff || data[1] != soi {
		return nil, errFormat
	}
	return &decoder{data: data, at: 2}, nil
}

// Markers: the byte after 0xff (table B.1).
const (
	tem  = 0x01 // besides restarts, start and end the only one without a body
	sof0 = 0xc0 // frame header: baseline
	sof1 = 0xc1 // extended sequential
	sof2 = 0xc2 // progressive
	sof7 = 0xc7 // to here: lossless and hierarchical
	dht  = 0xc4 // Huffman tables
	sof9 = 0xc9 // from here: arithmetic coding
	dac  = 0xcc // its tables
	sofF = 0xcf // to here
	rst0 = 0xd0 // to 0xd7: restart
	soi  = 0xd8 // start of the image
	eoi  = 0xd9 // its end
	sos  = 0xda // scan header, followed by the samples
	dqt  = 0xdb // quantization tables
	dri  = 0xdd // restart interval
	app0 = 0xe0 // JFIF
	app1 = 0xe1 // EXIF
	appE = 0xee // Adobe
)

// next reads a segment, and after a scan's header its samples.
func (d *decoder) next() error {
	marker, body, err := d.segment()
	if err != nil {
		return err
	}
	switch {
	case marker == eoi:
		d.ended = true
	case marker == dqt:
		return d.quantization(body)
	case marker == dht:
		return d.huffman(body)
	case marker == sof0 || marker == sof1 || marker == sof2:
		return d.readFrame(body, marker == sof2)
	case marker > sof2 && marker <= sof7:
		return errors.New(
			"jpeg: a lossless or hierarchical file, want a sequential or progressive one, as most programs write")
	case marker >= sof9 && marker <= sofF && marker != dac:
		return errors.New("jpeg: arithmetic coding, want Huffman coding, as most programs write")
	case marker == sos:
		return d.scan(body)
	case marker == dri && len(body) == 2:
		d.interval = int(body[0])<<8 | int(body[1])
	case marker == app0 && bytes.HasPrefix(body, []byte("JFIF\x00")):
		d.jfif = true
	case marker == appE && len(body) >= 12 && string(body[:5]) == "Adobe":
		d.adobe, d.transform = true, body[11]
	case marker == soi || marker == dri || marker < sof0 && marker != tem:
		return errFormat
	}
	return nil
}

// segment returns the next marker and its body. Bytes before a marker that belong to nothing are
// skipped, as libjpeg does.
func (d *decoder) segment() (marker byte, body []byte, err error) {
	if d.at = nextMarker(d.data, d.at); d.at+2 > len(d.data) {
		return 0, nil, errTruncated
	}
	marker = d.data[d.at+1]
	d.at += 2
	if marker == tem || marker >= rst0 && marker <= eoi {
		return marker, nil, nil
	}
	if d.at+2 > len(d.data) {
		return 0, nil, errTruncated
	}
	n := int(d.data[d.at])<<8 | int(d.data[d.at+1])
	if n < 2 {
		return 0, nil, errFormat
	}
	if d.at+n > len(d.data) {
		return 0, nil, errTruncated
	}
	body = d.data[d.at+2 : d.at+n]
	d.at += n
	return marker, body, nil
}

// nextMarker returns the position, from at on, of the next marker's two bytes: 0xff and what is
// neither a stuffed zero nor a fill byte.
func nextMarker(data []byte, at int) int {
	for ; at+1 < len(data); at++ {
		if data[at] == 0xff && data[at+1] != 0 && data[at+1] != 0xff {
			return at
		}
	}
	return len(data)
}

// zigzag gives the position in rows of the i-th coefficient (figure A.6).
var zigzag = func() (z [64]uint8) {
	x, y := 0, 0
	for i := range z {
		z[i] = uint8(8*y + x)
		switch up := (x+y)%2 == 0; {
		case up && x == 7:
			y++
		case up && y == 0:
			x++
		case up:
			x, y = x+1, y-1
		case y == 7:
			x++
		case x == 0:
			y++
		default:
			x, y = x-1, y+1
		}
	}
	return z
}()

// quantization reads a segment of quantization tables.
func (d *decoder) quantization(b []byte) error {
	for len(b) > 0 {
		wide, id := int(b[0]>>4), b[0]&15
		n := 64 * (1 + wide)
		if wide > 1 || id > 3 || len(b) < 1+n {
			return errFormat
		}
		for i, at := range zigzag {
			if wide == 1 {
				d.quant[id][at] = uint16(b[1+2*i])<<8 | uint16(b[2+2*i])
			} else {
				d.quant[id][at] = uint16(b[1+i])
			}
		}
		d.hasQuant[id] = true
		b = b[1+n:]
	}
	return nil
}

// huffman reads a segment of Huffman tables.
func (d *decoder) huffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return errFormat
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 || len(b) < 17+n {
			return errFormat
		}
		t := &d.dc[b[0]&15]
		if b[0]>>4 == 1 {
			t = &d.ac[b[0]&15]
		}
		if *t == nil {
			*t = new(table)
		}
		if err := (*t).set([16]byte(b[1:17]), b[17:17+n]); err != nil {
			return fmt.Errorf("jpeg: Huffman table: %w", err)
		}
		b = b[17+n:]
	}
	return nil
}
