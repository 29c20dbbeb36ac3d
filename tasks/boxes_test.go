package tasks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseBoxes(t *testing.T) {
	seg := strings.Repeat("<seg007>", 16)
	codes := []int{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}
	for _, c := range []struct {
		answer   string
		boxes    []Box
		unparsed []string
	}{
		{"", nil, nil},
		{"<loc0001><loc0002><loc0003><loc0004> cat", []Box{{Label: "cat", Loc: [4]int{1, 2, 3, 4}}}, nil},
		{"<loc0001><loc0002><loc0003><loc0004> cat ; <loc1023><loc0000><loc1023><loc0000> a dog's hat (white)",
			[]Box{{Label: "cat", Loc: [4]int{1, 2, 3, 4}}, {Label: "a dog's hat (white)", Loc: [4]int{1023, 0, 1023, 0}}}, nil},
		{"<loc0001><loc0002><loc0003><loc0004>" + seg + " 猫", []Box{{Label: "猫", Loc: [4]int{1, 2, 3, 4}, Seg: codes}}, nil},
		{"<loc0001><loc0002><loc0003><loc0004>" + seg, []Box{{Loc: [4]int{1, 2, 3, 4}, Seg: codes}}, nil},
		{"a cat", nil, []string{"a cat"}},
		{"<loc0001><loc0002><loc0003> cat", nil, []string{"<loc0001><loc0002><loc0003> cat"}},
		{"<loc0001><loc0002><loc0003><loc0004><loc0005> cat", nil, []string{"<loc0001><loc0002><loc0003><loc0004><loc0005> cat"}},
		{"<loc1024><loc0002><loc0003><loc0004> cat", nil, []string{"<loc1024><loc0002><loc0003><loc0004> cat"}},
		{"<loc0001><loc0002><loc0003><loc0004><seg001> cat", nil, []string{"<loc0001><loc0002><loc0003><loc0004><seg001> cat"}},
		{strings.Replace("<loc0001><loc0002><loc0003><loc0004>"+seg, "007", "128", 1), nil,
			[]string{strings.Replace("<loc0001><loc0002><loc0003><loc0004>"+seg, "007", "128", 1)}},
	} {
		boxes, unparsed := ParseBoxes(c.answer)
		if d := cmp.Diff(c.boxes, boxes); d != "" {
			t.Errorf("%q: boxes (-want +got)\n%s", c.answer, d)
		}
		if d := cmp.Diff(c.unparsed, unparsed); d != "" {
			t.Errorf("%q: unparsed (-want +got)\n%s", c.answer, d)
		}
	}
}

func TestPixels(t *testing.T) {
	b := Box{Loc: [4]int{0, 1023, 1023, 0}}
	if got, want := b.Pixels(200, 100), [4]float64{200, 0, 0, 100}; got != want {
		t.Errorf("have %v, want %v", got, want)
	}
}
