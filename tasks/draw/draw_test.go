package draw

import (
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

var update = flag.Bool("update", false, "rewrite testdata from what is drawn; look at it before it is committed")

func object(label string, score float64, xyxy [4]float64, mask *masks.Bitmap) tasks.Detection {
	return tasks.Detection{Label: label, Score: tasks.Score{Score: score}, XYXY: xyxy, Mask: mask}
}

// scene is an image with all kinds of backgrounds, and objects at its edges and beyond.
func scene() (pix []uint8, width, height int, objects []tasks.Detection) {
	width, height = 480, 320
	for y := range height {
		for x := range width {
			v := uint8(x * 255 / width)
			switch {
			case y < height/3:
				pix = append(pix, v, v, v)
			case y < 2*height/3:
				pix = append(pix, v, 255-v, uint8(y))
			default:
				w := uint8((x/4 + y/4) % 2 * 255)
				pix = append(pix, w, w, w)
			}
		}
	}
	disk := &masks.Bitmap{Width: width, Height: height, Bits: make([]bool, width*height)}
	for i := range disk.Bits {
		x, y := i%width-330, i/width-190
		disk.Bits[i] = x*x+y*y < 60*60
	}
	return pix, width, height, []tasks.Detection{
		object("cat", 0.98, [4]float64{20, 40, 120, 140}, nil),
		object("red circle", 0.5, [4]float64{270, 130, 390, 250}, disk),
		object("Ünïcödé Ωж", 0, [4]float64{140, 30, 250, 110}, nil),
		object("猫 고양이 แมว बिल्ली", 0.71, [4]float64{30, 170, 230, 240}, nil),
		object("שלום 12", 0.12, [4]float64{400, 2, 470, 60}, nil),
		object("over the edge", 1, [4]float64{420, 280, 600, 400}, nil),
		object("", 0, [4]float64{5, 250, 60, 310}, nil),
		object("dot 🐱", 0.3, [4]float64{240, 280, 240, 280}, nil),
	}
}

func TestObjects(t *testing.T) {
	pix, w, h, objects := scene()
	got := Objects(pix, w, h, objects)
	path := filepath.Join("testdata", "scene.png")
	if *update {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, got); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil || want.Bounds() != got.Bounds() {
		t.Fatalf("%v, %v", want.Bounds(), err)
	}
	for y := range h {
		for x := range w {
			a, b := color.RGBAModel.Convert(want.At(x, y)).(color.RGBA), got.RGBAAt(x, y)
			if far(a.R, b.R) || far(a.G, b.G) || far(a.B, b.B) {
				t.Fatalf("pixel %d, %d is %v, want %v (go test ./tasks/draw -update rewrites %s)", x, y, b, a, path)
			}
		}
	}
}

// far allows the edges of letters to be rounded otherwise on another processor.
func far(a, b uint8) bool { return a > b && a-b > 4 || b > a && b-a > 4 }

// A label's colour is the same everywhere, and an image of any size takes any box.
func TestAnySize(t *testing.T) {
	if Colour("cat") != (color.RGBA{0x00, 0x72, 0xb2, 0xff}) || Colour("dog") != (color.RGBA{0xcc, 0x79, 0xa7, 0xff}) {
		t.Errorf("cat %v, dog %v", Colour("cat"), Colour("dog"))
	}
	for _, size := range []image.Point{{1, 1}, {3, 200}, {200, 3}, {1000, 30}} {
		_, _, _, objects := scene()
		got := Objects(make([]uint8, 3*size.X*size.Y), size.X, size.Y,
			append(objects, object("x", 1, [4]float64{-1e300, 1e300, 5, -5}, nil)))
		if got.Rect.Size() != size {
			t.Errorf("%v", got.Rect)
		}
	}
}

func TestRightToLeft(t *testing.T) {
	if got := string(rightToLeft([]rune("אב 0.75"))); got != "0.75 בא" {
		t.Errorf("%q", got)
	}
}

func TestMasks(t *testing.T) {
	o := object("cat", 0, [4]float64{2, 2, 12, 8}, &masks.Bitmap{Width: 20, Height: 10, Bits: make([]bool, 200)})
	o.Mask.Bits[25] = true
	if drawn := Objects(make([]uint8, 600), 20, 10, []tasks.Detection{o}); drawn.Bounds().Dx() != 20 ||
		drawn.RGBAAt(2, 2).B == 0 {
		t.Errorf("%v", drawn.RGBAAt(2, 2))
	}
	grey, err := Masks(20, 10, true, []tasks.Detection{{Label: "none"}, o})
	if r, _, _, _ := grey.At(5, 1).RGBA(); err != nil || r != 0xffff {
		t.Errorf("%v, %x", err, r)
	}
	if _, err := Masks(20, 10, false, make([]tasks.Detection, 300)); err != nil { // objects without masks do not count
		t.Error(err)
	}
	all := make([]tasks.Detection, 256)
	for i := range all {
		all[i] = o
	}
	if _, err := Masks(20, 10, false, all); err == nil {
		t.Error("256 masks in a palette")
	}
}
