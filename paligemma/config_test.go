package paligemma

import (
	"slices"
	"testing"
)

// Each key names one variant, whatever precedes it in the list.
func TestFind(t *testing.T) {
	for _, c := range []struct{ key, name, label string }{
		{"3b", "PaliGemma", "3B"},
		{"2-3b", "PaliGemma 2", "3B"},
		{"2-10b", "PaliGemma 2", "10B"},
		{"2-28b", "PaliGemma 2", "28B"},
	} {
		t.Run(c.key, func(t *testing.T) {
			for i := range len(Variants) + 1 {
				more := slices.Insert(slices.Clone(Variants), i, Variant{Key: "new", Name: "new"})
				v, ok := find(more, c.key)
				if !ok || v.Name != c.name || v.SizeLabel != c.label {
					t.Errorf("with a variant inserted at %d: %+v", i, v)
				}
			}
		})
	}
	keys := Keys()
	slices.Sort(keys)
	if len(slices.Compact(keys)) != len(Variants) || slices.Contains(keys, "") {
		t.Errorf("keys %q of %d variants", keys, len(Variants))
	}
	if v, ok := Find("4b"); ok {
		t.Errorf("4b is %+v", v)
	}
}

func TestLookup(t *testing.T) {
	for _, want := range Variants {
		if v, ok := Lookup(want.Text, 1); !ok || v != want {
			t.Errorf("%s: %+v", want.Key, v)
		}
	}
	other := Variants[0].Text
	other.BlockCount++
	if v, ok := Lookup(other, 3_100_000_000); ok || v != (Variant{Name: "PaliGemma", SizeLabel: "3.1B", Text: other}) {
		t.Errorf("%+v %v", v, ok)
	}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		architecture string
		want         FileKind
	}{{Gemma, TextFile}, {Gemma2, TextFile}, {"clip", VisionFile}, {"paligemma-masks", MaskFile}, {"llama", ""},
		{"", ""}} {
		if have := KindOf(c.architecture); have != c.want {
			t.Errorf("%q: have %q, want %q", c.architecture, have, c.want)
		}
	}
}
