package tinymodel

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// Every way of saving a checkpoint gives an archive that npz reads, with the arrays that Arrays
// lists.
func TestPack(t *testing.T) {
	for _, o := range []Options{
		{},
		{Architecture: paligemma.Gemma2, Prefix: "params/", Seed: 7},
		{Architecture: paligemma.Gemma2, Prefix: "opt/target/", Unstacked: true, DType: tensor.BF16, Deflate: true},
		{OldPosition: true, DType: tensor.F16},
	} {
		data, err := Pack(Arrays(o), o.Deflate)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Pack(Arrays(o), o.Deflate)
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("%+v: not the same twice (%v)", o, err)
		}
		a, err := npz.NewArchive(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		arrays := Arrays(o)
		if len(a.Tensors()) != len(arrays) {
			t.Errorf("%d arrays in the archive, want %d", len(a.Tensors()), len(arrays))
		}
		for i, have := range a.Tensors() {
			want := arrays[i]
			if have.Name != want.Name || have.DType != want.DType || !slices.Equal(have.Shape, want.Shape) {
				t.Fatalf("%s %v %v, want %s %v %v", have.Name, have.DType, have.Shape, want.Name, want.DType,
					want.Shape)
			}
			if v, err := have.Float32s(); err != nil || !slices.Equal(v, want.Values) {
				t.Errorf("%s: other values than Arrays says (%v)", have.Name, err)
			}
		}
	}
}

// A swapped pair of axes must change an array's shape, or tests of a transposition prove nothing.
func TestAxesDiffer(t *testing.T) {
	for _, architecture := range []string{paligemma.Gemma, paligemma.Gemma2} {
		for _, a := range Arrays(Options{Architecture: architecture}) {
			shape := a.Shape
			if a.Name == "img/embedding/kernel" {
				shape = shape[1:] // the patch is a square
			}
			if sorted := slices.Sorted(slices.Values(shape)); len(slices.Compact(sorted)) != len(shape) {
				t.Errorf("%s %s: shape %v has two axes of equal size", architecture, a.Name, a.Shape)
			}
		}
	}
}

func TestTokenizer(t *testing.T) {
	m, err := sentencepiece.Parse(Tokenizer())
	if err != nil {
		t.Fatal(err)
	}
	text, _ := Options{}.Sizes()
	if n := text.VocabSize - paligemma.Locations - paligemma.SegmentCodes; len(m.Pieces) < n {
		t.Errorf("%d pieces, want %d", len(m.Pieces), n)
	}
	if p := m.Pieces[paligemma.BOS]; p.Text != "<bos>" || p.Type != 3 {
		t.Errorf("piece %d is %+v, want <bos>", paligemma.BOS, p)
	}
}
