package imageproc

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"testing"
)

// TestCountFrames checks the frames of animations and of still images.
func TestCountFrames(t *testing.T) {
	var animated, still bytes.Buffer
	m := image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black})
	if err := gif.EncodeAll(&animated, &gif.GIF{Image: []*image.Paletted{m, m, m}, Delay: []int{1, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&still, m); err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25 // signature and IHDR
	control := binary.BigEndian.AppendUint32(nil, 8)
	control = append(control, "acTL\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00"...)
	apng := append(append(bytes.Clone(still.Bytes()[:header]), control...), still.Bytes()[header:]...)
	for _, c := range []struct {
		name string
		data []byte
		want int
	}{
		{"GIF", animated.Bytes(), 3},
		{"a GIF that is cut", animated.Bytes()[:animated.Len()-1], 1},
		{"PNG", still.Bytes(), 1},
		{"APNG", apng, 5},
		{"JPEG", []byte("\xff\xd8\xff\xe0"), 1},
		{"nothing", nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := CountFrames(c.data); have != c.want {
				t.Errorf("%d frames, want %d", have, c.want)
			}
		})
	}
}
