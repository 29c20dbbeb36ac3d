package imageproc

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A film of three frames of one pixel, by a program that is called ffmpeg. That the command works
// with all kinds of names and failures is tested in cmd/pali.
func TestOpenVideo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	script := `#!/bin/sh
case "$*" in
*ppm*) printf 'P6\n1 1\n255\n\001\002\003P6\n1 1\n255\n\004\005\006' ;;
*) printf '#comment\n0\n1\n2\n' ;;
esac
`
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "ffmpeg"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	path := filepath.Join(folder, "x.flv")
	if err := os.WriteFile(path, []byte("FLV\x01"), 0o600); err != nil {
		t.Fatal(err)
	}
	images, chosen, err := OpenFrames(context.Background(), path, FrameChoice{Count: 3, Stride: 2}, DefaultLimits)
	if err != nil || !slices.Equal(chosen, []int{0, 2, 0}) || len(images) != 3 || images[0] != images[2] ||
		!slices.Equal(images[0].Pix, []uint8{1, 2, 3}) || !slices.Equal(images[1].Pix, []uint8{4, 5, 6}) {
		t.Errorf("%v %v %+v", err, chosen, images)
	}
}

func TestReadPPMs(t *testing.T) {
	one := "P6\n2 1\n255\n012345"
	limits := Limits{Pixels: 2, Side: 2}
	for _, c := range []struct {
		name, text string
		frames     int // read
		limit      Limit
		want       string // of an error
	}{
		{"two", one + one, 2, "", ""},
		{"one is missing", one, 1, "", ""},
		{"one is cut short", one + one[:len(one)-1], 1, "", ""},
		{"none", "", 0, "", ""},
		{"16 bits", "P6\n2 1\n65535\n", 0, "", "want 255"},
		{"too many pixels", "P6\n2 2\n255\n", 0, LimitPixels, "too many pixels"},
		{"too wide", "P6\n3 1\n255\n", 0, LimitSide, "side too long"},
		{"no pixel", "P6\n0 1\n255\n", 0, "", "at least one pixel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			images, err := readPPMs(bufio.NewReader(strings.NewReader(c.text)), []int{4, 7}, limits)
			var limit LimitError
			errors.As(err, &limit)
			if len(images) != c.frames || limit.Limit != c.limit || (err == nil) != (c.want == "") || err != nil &&
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%d frames, %v", len(images), err)
			}
		})
	}
	frames := []int{0, 1, 2, 3, 4}
	if _, err := readPPMs(bufio.NewReader(strings.NewReader(strings.Repeat(one, 5))), frames, limits); !errors.As(err,
		new(LimitError)) {
		t.Errorf("five frames of all pixels: %v", err)
	}
}

func TestIsVideo(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       bool
	}{
		{"empty", "", false},
		{"GIF", "GIF89a", false},
		{"MP4", "\x00\x00\x00\x18ftypisom", true},
		{"HEIC", "\x00\x00\x00\x18ftypheic", false},
		{"AVIF", "\x00\x00\x00\x18ftypavif", false},
		{"AVI", "RIFF\x00\x00\x00\x00AVI LIST", true},
		{"WebP", "RIFF\x00\x00\x00\x00WEBP", false},
		{"Ogg", "OggS", true},
		{"MPEG-TS", "G" + strings.Repeat("\x00", 187) + "G", true},
		{"FLV", "FLV\x01", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, []byte(c.head), 0o600); err != nil {
				t.Fatal(err)
			}
			if isVideo(path) != c.want {
				t.Errorf("%q: %v", c.head, !c.want)
			}
		})
	}
}
