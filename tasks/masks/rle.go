package masks

// This file: COCO's run lengths.
//
// Runs go down the columns, from left to right, and begin with the pixels outside (maybe none). The
// compressed form is pycocotools' (maskApi.c, rleToString): each count, from the fourth on less the
// one before the last, in groups of five bits, the lowest first; a group is a character from "0"
// on, with 0x20 set where more follow; the last group's 0x10 is the sign.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// bitmapJSON is COCO's form of a bitmap.
type bitmapJSON struct {
	Size   [2]int `json:"size"` // height, width
	Counts string `json:"counts"`
}

// MarshalJSON writes the bitmap as COCO does: {"size": [height, width], "counts": run lengths}.
func (b *Bitmap) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(bitmapJSON{[2]int{b.Height, b.Width}, b.RLE()})
	return out.Bytes(), err
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Bitmap) UnmarshalJSON(text []byte) error {
	var form bitmapJSON
	if err := json.Unmarshal(text, &form); err != nil {
		return err
	}
	read, err := ParseRLE(form.Counts, form.Size[1], form.Size[0])
	if err == nil {
		*b = *read
	}
	return err
}

// RLE returns the compressed run lengths of a bitmap.
func (b *Bitmap) RLE() string {
	var out []byte
	counts := b.runs()
	for i, n := range counts {
		x := n
		if i > 2 {
			x -= counts[i-2]
		}
		for more := true; more; {
			c := x & 0x1f
			x >>= 5
			more = x != 0
			if c&0x10 != 0 {
				more = x != -1
			}
			if more {
				c |= 0x20
			}
			out = append(out, byte(c+'0'))
		}
	}
	return string(out)
}

// runs returns the run lengths, outside first.
func (b *Bitmap) runs() (counts []int) {
	inside, n := false, 0
	for x := range b.Width {
		for y := range b.Height {
			if b.Bits[y*b.Width+x] != inside {
				counts, inside, n = append(counts, n), !inside, 0
			}
			n++
		}
	}
	return append(counts, n)
}

// maxPixels bounds a bitmap that is made on the word of a text.
const maxPixels = 1 << 28

// ParseRLE reads compressed run lengths of a bitmap of this size. The runs must fill it exactly.
func ParseRLE(text string, width, height int) (*Bitmap, error) {
	if width < 0 || height < 0 || height > 0 && width > maxPixels/height {
		return nil, fmt.Errorf("masks: a bitmap of %d x %d: want at most %d pixels", width, height, maxPixels)
	}
	counts, err := parseCounts(text, width*height)
	if err != nil {
		return nil, fmt.Errorf("masks: run lengths: %w", err)
	}
	b := &Bitmap{width, height, make([]bool, width*height)}
	at, inside := 0, false
	for _, n := range counts {
		for range n {
			if inside {
				b.Bits[at%height*width+at/height] = true
			}
			at++
		}
		inside = !inside
	}
	if at != width*height {
		return nil, fmt.Errorf("masks: run lengths of %d pixels, want %d x %d", at, width, height)
	}
	return b, nil
}

// parseCounts reads the counts, whose sum may not be more than pixels.
func parseCounts(text string, pixels int) (counts []int, err error) {
	sum := 0
	for at := 0; at < len(text); {
		x, shift, more := 0, 0, true
		for more {
			if at == len(text) {
				return nil, errors.New("the last one is cut short")
			}
			c := int(text[at]) - '0'
			if c < 0 || c > 0x3f || shift > 30 {
				return nil, fmt.Errorf("character %d is outside \"0\" to \"o\"", at)
			}
			x |= c & 0x1f << shift
			more = c&0x20 != 0
			at++
			shift += 5
			if !more && c&0x10 != 0 {
				x |= -1 << shift
			}
		}
		if n := len(counts); n > 2 {
			x += counts[n-2]
		}
		if x < 0 || x > pixels-sum {
			return nil, fmt.Errorf("number %d is %d, and %d pixels are left", len(counts), x, pixels-sum)
		}
		sum += x
		counts = append(counts, x)
	}
	return counts, nil
}
