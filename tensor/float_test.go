package tensor

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"testing"
)

// halfValue is the value of a 16-bit float with the given number of fraction bits, by the
// definition in IEEE 754 3.4 and in 64-bit arithmetic, where it is exact.
func halfValue(h uint16, fracBits int) float64 {
	expBits := 15 - fracBits
	exp, frac := int(h>>fracBits)&(1<<expBits-1), float64(int(h)&(1<<fracBits-1))
	bias := 1<<(expBits-1) - 1
	v := math.Ldexp(1+frac/math.Ldexp(1, fracBits), exp-bias)
	switch {
	case exp == 1<<expBits-1 && frac == 0:
		v = math.Inf(1)
	case exp == 1<<expBits-1:
		return math.NaN()
	case exp == 0:
		v = math.Ldexp(frac, 1-bias-fracBits)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

// formats are the two 16-bit types and their functions.
var formats = []struct {
	d        DType
	fracBits int
	from     func(uint16) float32
	to       func(float32) uint16
}{{F16, 10, FromF16, ToF16}, {BF16, 7, FromBF16, ToBF16}}

func TestEveryHalf(t *testing.T) {
	for _, f := range formats {
		raw := make([]byte, 2<<16)
		for h := range 1 << 16 {
			binary.LittleEndian.PutUint16(raw[2*h:], uint16(h))
		}
		wide := make([]float32, 1<<16)
		ToFloat32(wide, raw, f.d)
		back := make([]byte, 2<<16)
		FromFloat32(back, wide, f.d)
		for h := range 1 << 16 {
			want, got := halfValue(uint16(h), f.fracBits), f.from(uint16(h))
			narrow := binary.LittleEndian.Uint16(back[2*h:])
			if math.Float32bits(got) != math.Float32bits(wide[h]) || narrow != f.to(got) {
				t.Fatalf("%v %04x: one by one and in a row differ", f.d, h)
			}
			if math.IsNaN(want) {
				if quiet := uint16(1) << (f.fracBits - 1); got == got || narrow != uint16(h)|quiet {
					t.Fatalf("%v %04x: NaN became %v and then %04x, want %04x", f.d, h, got, narrow, uint16(h)|quiet)
				}
				continue
			}
			if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) || narrow != uint16(h) {
				t.Fatalf("%v %04x: have %v and back %04x, want %v", f.d, h, got, narrow, want)
			}
		}
	}
}

// TestRounding tries, between every two neighbours, the middle and the floats next to it.
func TestRounding(t *testing.T) {
	for _, f := range formats {
		infinity := uint16(1<<15 - 1<<f.fracBits)
		for h := range infinity {
			low, high := halfValue(h, f.fracBits), halfValue(h+1, f.fracBits)
			if h+1 == infinity { // beyond the largest finite number the next would be one step on
				high = 2*low - halfValue(h-1, f.fracBits)
			}
			middle := float32((low + high) / 2)
			if float64(middle) != (low+high)/2 {
				t.Fatalf("%v %04x: the middle is not a float32", f.d, h)
			}
			even := h + h&1
			for _, c := range []struct {
				v    float32
				want uint16
			}{{middle, even}, {math.Nextafter32(middle, 0), h}, {math.Nextafter32(middle, math.MaxFloat32), h + 1}} {
				if got := f.to(c.v); got != c.want {
					t.Fatalf("%v of %v: have %04x, want %04x", f.d, c.v, got, c.want)
				}
				if got := f.to(-c.v); got != c.want|0x8000 {
					t.Fatalf("%v of %v: have %04x, want %04x", f.d, -c.v, got, c.want|0x8000)
				}
			}
		}
	}
}

func TestOverflow(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		d    DType
		v    float32
		want uint16
	}{
		{F16, 65504, 0x7bff}, {F16, 65519.996, 0x7bff}, {F16, 65520, 0x7c00}, {F16, 1e10, 0x7c00}, {F16, inf, 0x7c00},
		{F16, -inf, 0xfc00},
		{F16, 0x1p-24, 1}, {F16, 0x1p-25, 0}, {F16, 0x1.000002p-25, 1}, {F16, -0x1p-149, 0x8000}, {F16, 0x1p-14, 0x400},
		{F16, 0x1.ffcp-15, 0x400}, {F16, 0x1.ff8p-15, 0x3ff},
		{BF16, math.MaxFloat32, 0x7f80}, {BF16, 0x1.fep127, 0x7f7f}, {BF16, inf, 0x7f80}, {BF16, 0x1p-149, 0},
		{BF16, 0x1p-133, 1},
		{BF16, 1, 0x3f80}, {BF16, -2, 0xc000},
	} {
		var b [2]byte
		FromFloat32(b[:], []float32{c.v}, c.d)
		if got := binary.LittleEndian.Uint16(b[:]); got != c.want {
			t.Errorf("%v of %v: have %04x, want %04x", c.d, c.v, got, c.want)
		}
	}
}

// Limit is the first magnitude that FromFloat32 turns into an infinity, and IndexOverflow finds it.
func TestLimit(t *testing.T) {
	for _, d := range []DType{F32, F16, BF16} {
		below := math.Nextafter32(d.Limit(), 0)
		raw, back := make([]byte, 2*d.Size()), make([]float32, 2)
		FromFloat32(raw, []float32{below, d.Limit()}, d)
		if ToFloat32(back, raw, d); math.IsInf(float64(back[0]), 0) || !math.IsInf(float64(back[1]), 1) {
			t.Errorf("%v: %g becomes %g, %g becomes %g", d, below, back[0], d.Limit(), back[1])
		}
		for _, v := range []float32{d.Limit(), -d.Limit(), float32(math.Inf(1)), float32(math.NaN())} {
			if at := IndexOverflow([]float32{0, -below, below, v, v}, d.Limit()); at != 3 {
				t.Errorf("%v: %g found at %d", d, v, at)
			}
		}
		if at := IndexOverflow([]float32{0, -below, below}, d.Limit()); at != -1 {
			t.Errorf("%v: found at %d", d, at)
		}
	}
}

func TestPadRows(t *testing.T) {
	for _, c := range []struct {
		rows, cols, width int
		want              []float32
	}{
		{2, 2, 3, []float32{1, 2, 0, 3, 4, 0, 0, 0, 0}}, {3, 3, 3, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{1, 1, 3, []float32{1, 0, 0, 0, 0, 0, 0, 0, 0}},
		{0, 3, 3, make([]float32, 9)}, {2, 3, 3, []float32{1, 2, 3, 4, 5, 6, 0, 0, 0}},
	} {
		x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
		if PadRows(x, c.rows, c.cols, c.width); !slices.Equal(x, c.want) {
			t.Errorf("%d rows of %d in %d: %v, want %v", c.rows, c.cols, c.width, x, c.want)
		}
	}
}

func TestNaN(t *testing.T) {
	for _, f := range formats {
		// the first would round to an infinity, the last wrap round
		for _, bits := range []uint32{0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff} {
			got := f.to(math.Float32frombits(bits))
			if !math.IsNaN(halfValue(got, f.fracBits)) || got>>15 != uint16(bits>>31) {
				t.Errorf("%v of %08x: have %04x, want a NaN of the same sign", f.d, bits, got)
			}
		}
	}
}

// TestNearest compares with big.Float, which rounds to a given number of bits, for numbers spread
// over every exponent.
func TestNearest(t *testing.T) {
	for bits := uint32(0); bits < 0x7f800000; bits += 4099 {
		v := math.Float32frombits(bits)
		for _, f := range formats {
			if lowest := map[DType]float32{F16: 0x1p-14, BF16: 0x1p-126}[f.d]; v < lowest {
				continue // subnormal: fewer bits
			}
			x := new(big.Float).SetPrec(uint(f.fracBits) + 1).SetMode(big.ToNearestEven).SetFloat64(float64(v))
			want, _ := x.Float64()
			if f.d == F16 && want > 65504 || f.d == BF16 && want > 0x1.fep127 {
				want = math.Inf(1)
			}
			if got := float64(f.from(f.to(v))); got != want {
				t.Fatalf("%v of %v: have %v, want %v", f.d, v, got, want)
			}
		}
	}
}

func TestF32Bits(t *testing.T) {
	for _, bits := range []uint32{0, 1, 0x80000000, 0x3f800000, 0x7f800000, 0x7fc12345, 0xffffffff} {
		raw, again := binary.LittleEndian.AppendUint32(nil, bits), make([]byte, 4)
		v := make([]float32, 1)
		ToFloat32(v, raw, F32)
		FromFloat32(again, v, F32)
		if got := binary.LittleEndian.Uint32(again); got != bits {
			t.Errorf("%08x came back as %08x", bits, got)
		}
	}
}

func BenchmarkToFloat32(b *testing.B) {
	benchmarkFloats(b, func(v []float32, raw []byte, d DType) { ToFloat32(v, raw, d) })
}

func BenchmarkFromFloat32(b *testing.B) {
	benchmarkFloats(b, func(v []float32, raw []byte, d DType) { FromFloat32(raw, v, d) })
}

// benchmarkFloats counts the bytes of the 32-bit floats.
func benchmarkFloats(b *testing.B, f func(v []float32, raw []byte, d DType)) {
	for _, d := range []DType{F32, F16, BF16} {
		b.Run(d.String(), func(b *testing.B) {
			v := make([]float32, 1<<16)
			for i := range v {
				v[i] = float32(i-1<<15) / (1 << 18)
			}
			raw := make([]byte, len(v)*d.Size())
			FromFloat32(raw, v, d)
			b.SetBytes(int64(4 * len(v)))
			for b.Loop() {
				f(v, raw, d)
			}
		})
	}
}
