package jpeg

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// drawing is an image with edges and slopes, the same every time.
func drawing(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(5 * x), uint8(7 * y), uint8(x * y), 255})
		}
	}
	return m
}

// encoded makes a JPEG with the standard library: colour (4:2:0) or grey.
func encoded(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func greyOf(m *image.RGBA) *image.Gray {
	g := image.NewGray(m.Rect)
	for i := range g.Pix {
		g.Pix[i] = m.Pix[4*i]
	}
	return g
}

// goldens are the files whose pixels package imageproc compares with TensorFlow's.
func goldens(t testing.TB) (files [][]byte) {
	t.Helper()
	names, _ := filepath.Glob("../testdata/tensorflow/*.jpg") // the pattern is well formed
	if len(names) < 10 {
		t.Fatalf("have %d goldens, want at least 10: see scripts/reference/images.py", len(names))
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return files
}

// Sizes are the standard library's, and samples are near: its inverse transform is the more exact
// one.
func TestAgainstStandardLibrary(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {8, 8}, {17, 33}, {64, 48}} {
		for _, m := range []image.Image{drawing(size[0], size[1]), greyOf(drawing(size[0], size[1]))} {
			data := encoded(t, m)
			rgb, width, height, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if width != size[0] || height != size[1] || len(rgb) != 3*width*height {
				t.Fatalf("%v: %d x %d pixels in %d bytes", size, width, height, len(rgb))
			}
			want, err := stdjpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			for i := range width * height {
				r, g, b := float64(rgb[3*i]), float64(rgb[3*i+1]), float64(rgb[3*i+2])
				luma := 0.299*r + 0.587*g + 0.114*b
				w := color.GrayModel.Convert(want.At(i%width, i/width)).(color.Gray)
				if d := math.Abs(luma - float64(w.Y)); d > 20 {
					t.Fatalf("%v, pixel %d: %.1f, want about %d", size, i, luma, w.Y)
				}
			}
		}
	}
}

// Cut and damaged files give an error or an image, never a panic.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i, data := range append(goldens(t), encoded(t, drawing(40, 24))) {
		for n := range data {
			Size(data[:n])
			EXIF(data[:n])
			Decode(data[:n])
		}
		if _, _, _, err := Decode(data[:len(data)/2]); err == nil {
			t.Error("half a file is an image")
		}
		for at := range data {
			bad := bytes.Clone(data)
			bad[at] ^= 1 << ((at + i) % 8)
			decodeSmall(bad)
		}
		for range 100 {
			bad := bytes.Clone(data)
			for range 1 + r.IntN(3) {
				bad[r.IntN(len(bad))] = byte(r.Uint32())
			}
			decodeSmall(bad)
		}
	}
}

// Every bit of a small file of each kind, changed.
func TestBitFlips(t *testing.T) {
	for _, data := range [][]byte{encoded(t, drawing(9, 9)), goldens(t)[2]} {
		for i := range 8 * len(data) {
			bad := bytes.Clone(data)
			bad[i/8] ^= 1 << (i % 8)
			decodeSmall(bad)
		}
	}
}

// Restart markers are numbered: after a lost one, blocks would lie in the wrong place.
func TestRestartOrder(t *testing.T) {
	seen := 0
	for _, data := range goldens(t) {
		at := bytes.Index(data, []byte{0xff, rst0})
		if at < 0 || !bytes.Contains(data, []byte{0xff, dri, 0, 4}) {
			continue
		}
		seen++
		if _, _, _, err := Decode(data); err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(data)
		bad[at+1]++
		if _, _, _, err := Decode(bad); err != errRestart {
			t.Errorf("have error %v", err)
		}
	}
	if seen < 3 {
		t.Errorf("have %d goldens with restarts, want at least 3", seen)
	}
}

// decodeSmall decodes data unless it claims to be large, as imageproc does.
func decodeSmall(data []byte) {
	if w, h, err := Size(data); err == nil && w*h < 1<<14 {
		Decode(data)
	}
}

func TestRefused(t *testing.T) {
	segment := func(marker byte, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
	}
	frame := func(marker, bits byte, factors ...byte) []byte {
		b := []byte{bits, 0, 9, 0, 9, byte(len(factors))}
		for i, f := range factors {
			b = append(b, byte(i), f, 0)
		}
		return append([]byte{0xff, 0xd8}, segment(marker, b...)...)
	}
	for _, c := range []struct {
		want string
		data []byte
	}{
		{"arithmetic coding", frame(0xc9, 8, 0x11)},
		{"12 bits for a sample", frame(0xc1, 12, 0x11)},
		{"lossless or hierarchical", frame(0xc3, 8, 0x11)},
		{"2 components", frame(0xc0, 8, 0x11, 0x11)},
		{"want whole ratios", frame(0xc2, 8, 0x31, 0x21, 0x11)},
		{"ends too early", []byte{0xff, 0xd8, 0xff, 0xd9}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if _, _, err := Size(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("size: %v, want %q", err, c.want)
			}
			if _, _, _, err := Decode(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("decode: %v, want %q", err, c.want)
			}
		})
	}
}

// A progressive file may not send its coefficients again and again: each time costs a walk over the
// image.
func TestProgressiveWork(t *testing.T) {
	const side = 1024
	table := slices.Concat([]byte{0xff, 0xc4, 0, 20, 0x00, 1}, make([]byte, 16), []byte{0xff, 0xc4, 0, 20, 0x10, 1},
		make([]byte, 15), []byte{0xe0})
	file := slices.Concat([]byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}, bytes.Repeat([]byte{1}, 64), table,
		[]byte{0xff, 0xc2, 0, 11, 8, side >> 8, 0, side >> 8, 0, 1, 1, 0x11, 0})
	scan := func(from, to, bits byte, size int) []byte {
		return append([]byte{0xff, 0xda, 0, 8, 1, 1, 0, from, to, bits}, make([]byte, size)...)
	}
	file = append(file, scan(0, 0, 0, side*side/64/8)...) // a bit for each block: no difference
	for range 20 {
		file = append(file, scan(1, 63, 0x21, 4)...) // a bit and 14 more for 16,384 blocks: end of band
	}
	if _, _, _, err := Decode(append(file, 0xff, 0xd9)); err == nil ||
		!strings.Contains(err.Error(), "sent too often") {
		t.Errorf("have error %v", err)
	}
}

// Symbols of every length and the numbers that follow are read as they were written, over stuffed
// bytes and beyond the look-up tables.
func TestHuffman(t *testing.T) {
	var counts [16]byte
	for i := range counts {
		counts[i] = 1
	}
	counts[15] = 2 // all codes of 16 bits
	var symbols []byte
	for i := range 17 {
		symbols = append(symbols, byte(i*13)<<4|byte(i%11))
	}
	var codes table
	if err := codes.set(counts, symbols); err != nil {
		t.Fatal(err)
	}
	if err := codes.build(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	type item struct{ symbol, size, number int }
	var items []item
	var data []byte
	var hold uint64
	n := 0
	put := func(v uint64, bits int) {
		for hold, n = hold<<bits|v, n+bits; n >= 8; n -= 8 {
			if data = append(data, byte(hold>>(n-8))); data[len(data)-1] == 0xff {
				data = append(data, 0)
			}
		}
	}
	for range 5000 {
		i := min(r.IntN(17), r.IntN(17))
		length := min(i+1, 16)
		code := uint64(1)<<length - 2 // length-1 ones and a zero, but the last of 16 ones
		if i == 16 {
			code++
		}
		it := item{symbol: int(symbols[i]), size: r.IntN(16)}
		it.number = r.IntN(1 << it.size)
		put(code, length)
		put(uint64(it.number), it.size)
		items = append(items, it)
	}
	put(0x7f, 7)
	b := bits{data: append(data, 0xff, 0xd9)}
	for i, it := range items {
		symbol, err := b.symbol(&codes)
		if err != nil {
			t.Fatal(err)
		}
		if have := b.take(it.size); int(symbol) != it.symbol || int(have) != it.number {
			t.Fatalf("item %d: have %#x and %d, want %#x and %d", i, symbol, have, it.symbol, it.number)
		}
	}
	if b.take(8); b.n >= 0 {
		t.Error("bits after the marker")
	}
	counts[0] = 2
	if err := codes.set(counts, symbols); err == nil {
		t.Error("a table with more codes than there are")
	}
}

// A block with nothing but DC is what the whole transform makes of it.
func TestFlat(t *testing.T) {
	var m [64]int16
	for _, step := range []int16{1, 4, 63, 1020} {
		m[0] = step
		for dc := -1024; dc < 1024; dc++ {
			var want, have [64]uint8
			b := [64]int16{int16(dc)}
			inverse(&b, &m, want[:], 8)
			flat(b[0], &m, have[:], 8)
			if want != have {
				t.Fatalf("DC %d times %d: have %d, want %d", dc, step, have[0], want[0])
			}
		}
	}
}

// The fixed-point conversion against JFIF's formulas in floating point: only the rounding may
// differ.
func TestColours(t *testing.T) {
	for cb := range 256 {
		for cr := range 256 {
			var have [3]uint8
			convert(have[:], []uint8{128}, []uint8{uint8(cb)}, []uint8{uint8(cr)})
			b, r := float64(cb)-128, float64(cr)-128
			want := [3]float64{128 + 1.402*r, 128 - 0.344136*b - 0.714136*r, 128 + 1.772*b}
			for i := range 3 {
				if d := math.Abs(float64(have[i]) - min(max(want[i], 0), 255)); d > 0.502 {
					t.Fatalf("Cb %d, Cr %d: have %v, want %.2f", cb, cr, have, want)
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, drawing(20, 20)))
	f.Add(encoded(f, greyOf(drawing(9, 9))))
	for _, data := range goldens(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		EXIF(data)
		w, h, err := Size(data)
		if err != nil || w*h > 1<<14 {
			return
		}
		if rgb, width, height, err := Decode(data); err == nil && (width != w || height != h || len(rgb) != 3*w*h) {
			t.Errorf("%dx%d, the header says %dx%d", width, height, w, h)
		}
	})
}

// photo is like a photo in how much detail it has of each size: 2.7 bits for a pixel at quality 90.
func photo(side int) *image.RGBA {
	r := rand.New(rand.NewPCG(5, 6))
	sum := make([]float64, side*side)
	for step := side / 2; step > 0; step /= 2 {
		wide := side/step + 2
		lattice := make([]float64, wide*wide)
		for i := range lattice {
			lattice[i] = r.NormFloat64() * 9 * math.Pow(float64(step), 0.2)
		}
		for i := range sum {
			x, y := i%side, i/side
			at, fx, fy := y/step*wide+x/step, float64(x%step)/float64(step), float64(y%step)/float64(step)
			sum[i] += (lattice[at]*(1-fx)+lattice[at+1]*fx)*(1-fy) + (lattice[at+wide]*(1-fx)+lattice[at+wide+1]*fx)*fy
		}
	}
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for i, v := range sum {
		l := uint8(min(max(128+v, 0), 255))
		copy(m.Pix[4*i:], []uint8{l, l/2 + uint8(i%side*128/side), 255 - l, 255})
	}
	return m
}

// The speed beside the standard library's, which gives YCbCr: without the last step, and with it
// (but no interpolation of colours).
func BenchmarkDecode(b *testing.B) {
	const side = 2048
	data := encoded(b, photo(side))
	standard := func() (image.Image, error) { return stdjpeg.Decode(bytes.NewReader(data)) }
	for _, c := range []struct {
		name   string
		decode func() error
	}{
		{"rgb", func() error { _, _, _, err := Decode(data); return err }},
		{"standard library", func() error { _, err := standard(); return err }},
		{"standard library, rgb", func() error {
			m, err := standard()
			if err == nil {
				draw.Draw(image.NewRGBA(m.Bounds()), m.Bounds(), m, image.Point{}, draw.Src)
			}
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(3 * side * side)
			for b.Loop() {
				if err := c.decode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
