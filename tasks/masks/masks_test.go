package masks_test

// This file: decoded and pasted masks against big_vision's and Pillow's own
// (testdata/reference/cases/masks.npz, paste.npz, made by scripts/reference).

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tasks/masks"
)

const cases = "../../testdata/reference/cases/"

// converted makes the mask file of the demo.
func converted(t testing.TB, typ gguf.Type) string {
	t.Helper()
	src, err := npz.Open("../../testdata/demo/masks.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	path, err := convert.Masks(src, convert.MaskOptions{Name: "demo", Type: typ, OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func decoder(t testing.TB, typ gguf.Type) *masks.Decoder {
	t.Helper()
	d, err := masks.Open(converted(t, typ))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func archive(t testing.TB, name string) (ints func(string) []int32, floats func(string) []float32) {
	t.Helper()
	a, err := npz.Open(cases + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	ints = func(name string) []int32 {
		x, ok := a.Tensor(name)
		if !ok {
			return nil
		}
		v, err := x.Int32s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	floats = func(name string) []float32 {
		x, _ := a.Tensor(name)
		v, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return ints, floats
}

func widen(v []int32) []int {
	out := make([]int, len(v))
	for i := range v {
		out[i] = int(v[i])
	}
	return out
}

func TestDecode(t *testing.T) {
	var codes []int
	var want []float32
	for _, name := range []string{"masks.npz", "codes.npz"} { // the second has every code
		ints, floats := archive(t, name)
		codes, want = append(codes, widen(ints("codes"))...), append(want, floats("masks")...)
	}
	for _, c := range []struct {
		typ   gguf.Type
		bound float64
	}{
		{gguf.F32, 1e-4},
		{gguf.F16, 5e-3},
	} {
		t.Run(fmt.Sprint(c.typ), func(t *testing.T) {
			d := decoder(t, c.typ)
			maxDiff, flips := 0.0, 0
			for i := range len(codes) / 16 {
				got, err := d.Decode(codes[16*i:][:16])
				if err != nil {
					t.Fatal(err)
				}
				for j, v := range got {
					w := want[i*64*64+j]
					maxDiff = max(maxDiff, math.Abs(float64(v-w)))
					if v > 0 != (w > 0) {
						flips++
					}
				}
			}
			t.Logf("%v: largest difference %.2e, %d of %d signs differ", c.typ, maxDiff, flips, len(want))
			if maxDiff > c.bound || c.typ == gguf.F32 && flips > 0 {
				t.Errorf("%v: largest difference %.2e, bound %.0e; %d signs differ", c.typ, maxDiff, c.bound, flips)
			}
		})
	}
}

func TestPaste(t *testing.T) {
	_, floats := archive(t, "masks.npz")
	all := floats("masks")
	ints, _ := archive(t, "paste.npz")
	seen := 0
	for ; ints(fmt.Sprintf("%d/mask", seen)) != nil; seen++ {
		at := func(name string) []int { return widen(ints(fmt.Sprintf("%d/%s", seen, name))) }
		m, size, bits := at("mask")[0], at("size"), at("bits")
		b, drawn := masks.Paste(all[m*64*64:][:64*64], [4]int(at("loc")), 1023, size[1], size[0])
		area := 0
		for i, in := range b.Bits {
			want := bits[i/8]>>(7-i%8)&1 == 1
			if in != want {
				t.Errorf("paste %d of %v: pixel %d is %v", seen, size, i, in)
				break
			}
			if want {
				area++
			}
		}
		if b.Area() != area || area > 0 && !drawn {
			t.Errorf("paste %d: area %d, want %d; drawn %v", seen, b.Area(), area, drawn)
		}
	}
	if seen != 40 {
		t.Errorf("%d pastes in the reference", seen)
	}
}

func TestRefuses(t *testing.T) {
	d := decoder(t, gguf.F32)
	for _, codes := range [][]int{nil, make([]int, 15), append(make([]int, 15), 128), append(make([]int, 15), -1)} {
		if _, err := d.Decode(codes); err == nil {
			t.Errorf("%v decodes", codes)
		}
	}
	file, err := os.ReadFile(converted(t, gguf.F32))
	if err != nil {
		t.Fatal(err)
	}
	nan := append(file[:len(file)-64:len(file)-64], []byte(strings.Repeat("\x00\x00\xc0\x7f", 16))...)
	for _, c := range []struct {
		name string
		bad  []byte
	}{
		{"cut", file[:len(file)-1]}, {"empty", nil}, {"not numbers", nan},
		{"another architecture", []byte(strings.Replace(string(file), masks.Architecture, "paligemma-mosks", 1))},
		{"a tensor renamed", []byte(strings.Replace(string(file), "decoder.12.bias", "decoder.13.bias", 1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "masks.gguf")
			if err := os.WriteFile(path, c.bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := masks.Open(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
	src, err := npz.Open("../../testdata/demo/demo.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := convert.Masks(src, convert.MaskOptions{Name: "x", Type: gguf.F32, OutDir: t.TempDir()}); err == nil ||
		!strings.Contains(err.Error(), "not a mask checkpoint") {
		t.Errorf("a PaliGemma checkpoint as masks: %v", err)
	}
}

// Each bit of the description in turn is another: what is still accepted must describe the same
// tensors.
func TestFlippedBits(t *testing.T) {
	data, err := os.ReadFile(converted(t, gguf.F16))
	if err != nil {
		t.Fatal(err)
	}
	read := func() (*gguf.File, error) {
		f, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
		if err == nil {
			_, err = masks.Check(f)
		}
		return f, err
	}
	whole, err := read()
	if err != nil {
		t.Fatal(err)
	}
	header, refused := int(whole.Tensors[0].Offset), 0
	for bit := range 8 * header {
		data[bit/8] ^= 1 << (bit % 8)
		if f, err := read(); err != nil {
			refused++
		} else if d := cmp.Diff(whole.Tensors, f.Tensors); d != "" {
			t.Errorf("bit %d: (-whole +got)\n%s", bit, d)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	if refused < 6*header {
		t.Errorf("%d of %d flips refused", refused, 8*header)
	}
}

// Whatever the codes: 64 x 64 numbers or an error.
func FuzzDecode(f *testing.F) {
	d := decoder(f, gguf.F32)
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x78\x79\x7a\x7b\x7c\x7d\x7e\x7f"))
	f.Add([]byte("\x80"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var codes []int
		good := len(data) == masks.PerMask
		for _, b := range data {
			codes = append(codes, int(int8(b)))
			good = good && b < masks.Codes
		}
		v, err := d.Decode(codes)
		if (err == nil) != good || good && len(v) != masks.Side*masks.Side {
			t.Errorf("%v: %d values, %v", codes, len(v), err)
		}
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.Abs(float64(x)) > 100 {
				t.Fatalf("%v: %v", codes, x)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d := decoder(b, gguf.F32)
	ints, _ := archive(b, "masks.npz")
	codes := widen(ints("codes"))
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(codes[16*(i%24):][:16]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPaste(b *testing.B) {
	_, floats := archive(b, "masks.npz")
	mask := floats("masks")[:masks.Side*masks.Side]
	for b.Loop() {
		masks.Paste(mask, [4]int{0, 0, 1023, 1023}, 1023, 4000, 3000)
	}
}
