package tensor

// This file: 16-bit floats to 32-bit floats and back, as raw bytes.

import (
	"encoding/binary"
	"math"
)

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// ToFloat32 converts len(dst) elements of src, little endian and of type d (F32, F16 or BF16), to
// 32-bit floats in dst. It is exact for every value.
func ToFloat32(dst []float32, src []byte, d DType) {
	src = src[:len(dst)*d.Size()]
	switch d {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le32(src))
			src = src[4:]
		}
	case F16:
		for i := range dst {
			h := uint32(le16(src))
			src = src[2:]
			if exp := h >> 10 & 31; exp-1 < 30 { // an ordinary number: what FromF16 does, without the call
				dst[i] = math.Float32frombits(h>>15<<31 | (h&0x7fff<<13 + 112<<23))
			} else {
				dst[i] = FromF16(uint16(h))
			}
		}
	case BF16:
		for i := range dst {
			dst[i] = FromBF16(le16(src))
			src = src[2:]
		}
	default:
		panic("tensor: ToFloat32: " + d.String() + " is not a float type")
	}
}

// FromFloat32 converts src to len(src) little-endian elements of type d (F32, F16 or BF16) in dst,
// rounding to nearest, ties to even.
func FromFloat32(dst []byte, src []float32, d DType) {
	switch d {
	case F32:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToF16(v))
		}
	case BF16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToBF16(v))
		}
	default:
		panic("tensor: FromFloat32: " + d.String() + " is not a float type")
	}
}

// PadRows widens the first rows of x in place, from cols values each to width, and sets the rest to
// zero.
func PadRows(x []float32, rows, cols, width int) {
	clear(x[rows*width:])
	if cols == width {
		return
	}
	for r := rows - 1; r >= 0; r-- { // from the last row back, so that none is overwritten before it is moved
		row := x[r*width : (r+1)*width]
		copy(row, x[r*cols:(r+1)*cols])
		clear(row[cols:])
	}
}

// Limit returns the smallest magnitude that FromFloat32 turns into an infinity: half-way between
// the largest number and the next power of two.
func (d DType) Limit() float32 {
	switch d {
	case F16:
		return 65520
	case BF16:
		return 0x1.ffp127
	}
	return float32(math.Inf(1))
}

// IndexOverflow returns the position of the first value of x that is NaN or has a magnitude of at
// least limit; -1 if there is none.
func IndexOverflow(x []float32, limit float32) int {
	bound := math.Float32bits(limit)
	for i, v := range x {
		if math.Float32bits(v)&0x7fffffff >= bound { // magnitudes compare like their bits; NaN is above infinity
			return i
		}
	}
	return -1
}

// FromBF16 widens the bfloat16 h, which is the upper half of a float32.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 rounds f to the nearest bfloat16, ties to even. A NaN stays a (quiet) NaN.
func ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 64
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FromF16 widens the IEEE 754 half h.
func FromF16(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp == 0: // zero or subnormal: frac x 2^-24 is exact in a float32
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ToF16 rounds f to the nearest IEEE 754 half, ties to even; beyond 65519 it gives an infinity. A
// NaN stays a (quiet) NaN.
func ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, mag := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case mag > 0x7f800000:
		return sign | 0x7e00 | uint16(mag>>13)&0x1ff
	case mag >= 0x477ff000: // 65520 and more
		return sign | 0x7c00
	case mag < 0x38800000: // below 2^-14: adding 0.5 shifts the value's last bit to 2^-24 and rounds it there
		return sign | uint16(math.Float32bits(math.Float32frombits(mag)+0.5)-0x3f000000)
	}
	return sign | uint16((mag-0x38000000+0xfff+mag>>13&1)>>13)
}
