package gguf_test

// This file: what NewLayout lays out, Read reads back; and what it refuses.

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pali-gguf/pali/gguf"
)

// roundTrip lays out, reads back, and compares everything; NaNs by their bits, through the header's
// bytes.
func roundTrip(t interface{ Fatalf(string, ...any) }, kvs []gguf.KV, tensors []gguf.Tensor) {
	l, err := gguf.NewLayout(kvs, tensors)
	if err != nil {
		t.Fatalf("layout: %v", err)
	}
	b := make([]byte, l.Size)
	copy(b, l.Header)
	for i, x := range l.Tensors { // mark each tensor's first and last byte
		b[x.Offset], b[x.Offset+x.Bytes()-1] = byte(i+1), byte(i+1)
	}
	f, err := gguf.Read(bytes.NewReader(b), l.Size)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if len(f.KVs) != len(kvs) || len(f.Tensors) != len(tensors) {
		t.Fatalf("have %d keys and %d tensors, want %d and %d", len(f.KVs), len(f.Tensors), len(kvs), len(tensors))
	}
	for i, x := range f.Tensors {
		if !reflect.DeepEqual(x, l.Tensors[i]) || x.Name != tensors[i].Name || !reflect.DeepEqual(x.Shape,
			tensors[i].Shape) || x.Offset%gguf.Alignment != 0 {
			t.Fatalf("tensor %d: have %v, want %v, from %v", i, x, l.Tensors[i], tensors[i])
		}
		if b[x.Offset] != byte(i+1) {
			t.Fatalf("tensor %d is not where it was written", i)
		}
	}
	if early, err := l.File(); err != nil || !reflect.DeepEqual(early.Tensors, f.Tensors) || early.Size != f.Size {
		t.Fatalf("the layout itself: %v, or other tensors", err)
	}
	again, err := gguf.NewLayout(f.KVs, f.Tensors)
	if err != nil || !bytes.Equal(again.Header, l.Header) || again.Size != l.Size {
		t.Fatalf("laid out again: %v, or other bytes", err)
	}
}

func slice[T any](v *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(v, 0, 20).Draw(t, "slice") })
}

// anyValue draws a value of each of the 24 types.
func anyValue() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Uint8().AsAny(), rapid.Int8().AsAny(), rapid.Uint16().AsAny(), rapid.Int16().AsAny(),
		rapid.Uint32().AsAny(), rapid.Int32().AsAny(),
		rapid.Uint64().AsAny(), rapid.Int64().AsAny(), rapid.Float32().AsAny(), rapid.Float64().AsAny(),
		rapid.Bool().AsAny(), rapid.String().AsAny(),
		slice(rapid.Uint8()), slice(rapid.Int8()), slice(rapid.Uint16()), slice(rapid.Int16()), slice(rapid.Uint32()),
		slice(rapid.Int32()),
		slice(rapid.Uint64()), slice(rapid.Int64()), slice(rapid.Float32()), slice(rapid.Float64()),
		slice(rapid.Bool()), slice(rapid.String()))
}

func draw(t *rapid.T) ([]gguf.KV, []gguf.Tensor) {
	var kvs []gguf.KV
	for _, k := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9_.]{1,40}`), 0, 12, rapid.ID).Draw(t,
		"keys") {
		if k != "general.alignment" {
			kvs = append(kvs, gguf.KV{Key: k, Value: anyValue().Draw(t, "value")})
		}
	}
	var tensors []gguf.Tensor
	for _, n := range rapid.SliceOfNDistinct(rapid.StringMatching(`[!-~]{1,63}`), 0, 8, rapid.ID).Draw(t, "names") {
		x := gguf.Tensor{Name: n, Type: rapid.SampledFrom([]gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.I32,
			gguf.Q8_0, gguf.Q4_0, 12, 28}).Draw(t, "type")}
		block, _ := x.Type.Block()
		x.Shape = append(rapid.SliceOfN(rapid.IntRange(1, 5), 0, 3).Draw(t, "rows"), block*rapid.IntRange(1, 9).Draw(t,
			"blocks"))
		tensors = append(tensors, x)
	}
	return kvs, tensors
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, smallKVs, smallTensors)
	roundTrip(t, nil, nil)
	roundTrip(t, []gguf.KV{{Key: "general.alignment", Value: uint32(32)},
		{Key: "nan", Value: math.Float32frombits(0x7fc12345)}}, nil)
	rapid.Check(t, func(t *rapid.T) {
		kvs, tensors := draw(t)
		roundTrip(t, kvs, tensors)
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		kvs, tensors := draw(t)
		roundTrip(t, kvs, tensors)
	}))
}

// TestLayoutBytes compares one file byte by byte, so that reader and writer cannot make the same
// mistake.
func TestLayoutBytes(t *testing.T) {
	l, err := gguf.NewLayout([]gguf.KV{{Key: "k", Value: []string{"é"}}, {Key: "b", Value: true}},
		[]gguf.Tensor{{Name: "t", Type: gguf.F16, Shape: []int{2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	want := "GGUF\x03\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00\x00\x00\x00\x00k" + "\x09\x00\x00\x00" + "\x08\x00\x00\x00" +
		"\x01\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00\xc3\xa9" +
		"\x01\x00\x00\x00\x00\x00\x00\x00b" + "\x07\x00\x00\x00" + "\x01" +
		"\x01\x00\x00\x00\x00\x00\x00\x00t" + "\x02\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00" +
		"\x02\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"
	want += strings.Repeat("\x00", (32-len(want)%32)%32)
	if string(l.Header) != want {
		t.Errorf("have %q, want %q", l.Header, want)
	}
	if l.Tensors[0].Offset != int64(len(want)) || l.Size != int64(len(want))+32 {
		t.Errorf("have tensor at %d and %d bytes, want %d and %d", l.Tensors[0].Offset, l.Size, len(want), len(want)+32)
	}
}

func TestLayoutRefuses(t *testing.T) {
	kv := func(k string, v any) []gguf.KV { return []gguf.KV{{Key: k, Value: v}} }
	tensor := func(name string, ty gguf.Type, shape ...int) []gguf.Tensor {
		return []gguf.Tensor{{Name: name, Type: ty, Shape: shape}}
	}
	over := int64(1) << 31 // not a constant: it does not fit into an int of 32 bits
	for _, c := range []struct {
		name    string
		kvs     []gguf.KV
		tensors []gguf.Tensor
		want    string
	}{
		{"Go's int", kv("a", 3), nil, "type int cannot be written"},
		{"nil", kv("a", nil), nil, "cannot be written"},
		{"array of arrays", kv("a", [][]uint8{{1}}), nil, "cannot be written"},
		{"empty key", kv("", true), nil, "empty name"},
		{"long key", kv(strings.Repeat("k", 257), true), nil, "want at most 256"},
		{"blank in a key", kv("a b", true), nil, "printable ASCII"},
		{"string", kv("a", "\xff"), nil, "not UTF-8"},
		{"string in an array", kv("a", []string{"a", "\xff"}), nil, "not UTF-8"},
		{"long string", kv("a", strings.Repeat("x", 16<<20+1)), nil, "want at most 16777216"},
		{"long array", kv("a", make([]uint8, 64<<20+1)), nil, "want at most 67108864"},
		{"alignment 64", kv("general.alignment", uint32(64)), nil, "want 32 as uint32"},
		{"alignment of another type", kv("general.alignment", int32(32)), nil, "want 32 as uint32"},
		{"key twice", append(kv("a", true), kv("a", false)...), nil, "key a twice"},
		{"tensor twice", nil, append(tensor("a", gguf.F32, 1), tensor("a", gguf.F16, 2)...), "tensor a twice"},
		{"no name", nil, tensor("", gguf.F32, 1), "empty name"},
		{"name of 64", nil, tensor(strings.Repeat("n", 64), gguf.F32, 1), "want at most 63"},
		{"no shape", nil, tensor("a", gguf.F32), "0 dimensions"},
		{"five dimensions", nil, tensor("a", gguf.F32, 1, 1, 1, 1, 1), "5 dimensions"},
		{"zero", nil, tensor("a", gguf.F32, 0, 3), "from 1 to"},
		{"negative", nil, tensor("a", gguf.F32, -1), "from 1 to"},
		{"2^31", nil, tensor("a", gguf.F32, int(over)), "from 1 to"},
		{"unknown type", nil, tensor("a", 4, 32), "is not known"},
		{"part of a block", nil, tensor("a", gguf.Q8_0, 33), "a multiple of 32"},
		{"huge", nil, tensor("a", gguf.F32, 1<<30, 1<<30, 1), "too many elements"},
		{"too large a file", nil, slices.Concat(tensor("a", 28, 1<<30, 1<<26), tensor("b", 28, 1<<30, 1<<26),
			tensor("c", 28, 1<<30, 1<<26)), "c: the file would be too large"},
		{"65537 keys", make([]gguf.KV, 65537), nil, "65537 keys"},
		{"65537 tensors", nil, make([]gguf.Tensor, 65537), "65537 tensors"},
	} {
		_, err := gguf.NewLayout(c.kvs, c.tensors)
		if err == nil || !strings.HasPrefix(err.Error(), "gguf: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestLayoutCopies: the caller's tensors stay as they are.
func TestLayoutCopies(t *testing.T) {
	in := []gguf.Tensor{{Name: "a", Shape: []int{8}}, {Name: "b", Shape: []int{8}}}
	l, err := gguf.NewLayout(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	l.Tensors[0].Shape[0] = 99
	if in[1].Offset != 0 || in[0].Shape[0] != 8 {
		t.Errorf("the arguments changed: %v", in)
	}
}
