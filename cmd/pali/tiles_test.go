package main

import (
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/tasks"
)

func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// placed writes a grey image of the given size with the others in it.
func placed(t *testing.T, path string, width, height int, pictures map[image.Point]image.Image) {
	t.Helper()
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(canvas, canvas.Rect, image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	for at, p := range pictures {
		draw.Draw(canvas, p.Bounds().Add(at), p, image.Point{}, draw.Src)
	}
	if err := atomicfile.WritePNG(path, canvas); err != nil {
		t.Fatal(err)
	}
}

// The last of four tiles is an image: its object and its mask must come as if it were alone, at
// their place in the whole.
func TestTiles(t *testing.T) {
	folder := withMasks(t)
	whole := readPNG(t, filepath.Join(data, "demo/pictures/000.png"))
	const side = 419
	placed(t, filepath.Join(folder, "alone.png"), side, side, map[image.Point]image.Image{{}: whole})
	square := readPNG(t, filepath.Join(folder, "alone.png"))
	const width, height = 4*side - 3*((side+3)/4), side // four tiles
	placed(t, filepath.Join(folder, "wide.png"), width, height,
		map[image.Point]image.Image{image.Pt(width-side, 0): square})

	segment := func(args ...string) (a tasks.Response) {
		o := run(t, program(folder, append([]string{"segment", "yellow circle", "-m", "d", "-t", "1", "--json"},
			args...)...))
		if err := json.Unmarshal([]byte(o.stdout), &a); err != nil || o.code != 0 {
			t.Fatalf("%v: %v: %+v", args, err, o)
		}
		return a
	}
	alone, tiled := segment("-i", "alone.png"), segment("-i", "wide.png", "--tiles", "--tile-side", "419", "-o",
		"out.png")
	if len(tiled.Tiles) != 5 || tiled.Tiles[0].XYXY != [4]int{0, 0, width, height} ||
		tiled.Tiles[4].XYXY != [4]int{width - side, 0, width, height} {
		t.Fatalf("tiles: %+v", tiled.Tiles)
	}
	if tiled.Tiles[4].Text != alone.Text {
		t.Fatalf("the tile's answer %q, alone %q", tiled.Tiles[4].Text, alone.Text)
	}
	want, found := alone.Objects[0], false
	for _, o := range tiled.Objects {
		if *o.Tile != tiled.Tiles[4].XYXY {
			continue
		}
		found = true
		for i, v := range o.XYXY {
			if math.Abs(v-want.XYXY[i]-float64((width-side)*(1-i%2))) > 1e-9 {
				t.Errorf("box %v, alone %v", o.XYXY, want.XYXY)
			}
		}
		if o.Mask.Width != width || o.Mask.Height != height || o.Mask.RLE() != want.Mask.Place(width-side, 0, width,
			height).RLE() || *o.Area != *want.Area || o.Loc != want.Loc {
			t.Errorf("mask %s, alone %s", o.Mask.RLE(), want.Mask.RLE())
		}
	}
	if !found {
		t.Error("the tile's object is not among those that stay")
	}
}

// Two tiles, each as if it were alone, and their texts in reading order.
func TestTilesOCR(t *testing.T) {
	folder := workplace(t)
	left, right := readPNG(t, filepath.Join(data, "demo/pictures/024.png")),
		readPNG(t, filepath.Join(data, "demo/pictures/029.png"))
	const side, height = 356, 264
	placed(t, filepath.Join(folder, "wide.png"), side+3*side/4, height, map[image.Point]image.Image{{}: left,
		image.Pt(side, -60): right})
	wide := readPNG(t, filepath.Join(folder, "wide.png"))
	var want []string
	for _, c := range []struct {
		name string
		x    int
	}{
		{"a.png", 0},
		{"b.png", 3 * side / 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			placed(t, filepath.Join(folder, c.name), side, height, map[image.Point]image.Image{image.Pt(-c.x, 0): wide})
		})
	}
	for _, name := range []string{"a.png", "b.png"} {
		o := run(t, program(folder, "ocr", "-m", "d", "-i", name, "-t", "1"))
		want = append(want, strings.TrimSuffix(o.stdout, "\n"))
	}
	args := []string{"ocr", "-m", "d", "-i", "wide.png", "-t", "1", "--tiles", "--tile-side", "356"}
	if o := run(t, program(folder, args...)); o.code != 0 || o.stdout != tasks.MergeText([][]string{want})+"\n" ||
		want[0] == "" || want[1] == "" || o.stderr != "" {
		t.Errorf("%+v, want %q", o, want)
	}
	var a tasks.Response
	o := run(t, program(folder, append(args, "--json")...))
	if err := json.Unmarshal([]byte(o.stdout), &a); err != nil || len(a.Tiles) != 2 || a.Tiles[0].Text != want[0] ||
		a.Tiles[1].Text != want[1] || a.Objects != nil {
		t.Errorf("%v: %+v", err, o)
	}
	// An image that is not larger than a tile is asked about once, as without --tiles.
	if o := run(t, program(folder, "ocr", "-m", "d", "-i", "a.png", "-t", "1", "--tiles", "--tile-side",
		"356")); o.stdout != want[0]+"\n" {
		t.Errorf("one tile: %+v, want %q", o, want[0])
	}
}

func TestTilesCalledWrongly(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"is for --tiles", []string{"--tile-side", "100"}},
		{"want 16 or more", []string{"--tiles", "--tile-side", "-1"}},
		{"--tiles is for one", []string{"--tiles", "-i", photo}},
		{"at most 1024: want 19 ", []string{"--tiles", "--tile-side", "16"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if o := run(t, program(folder, append([]string{"ocr", "-m", "d", "-i", photo, "-t", "1"},
				c.args...)...)); o.code != 2 || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
				t.Errorf("%v: want %q: %+v", c.args, c.want, o)
			}
		})
	}
}
