package tasks

import (
	"image"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Tiles cover the image from edge to edge, are of one size, and share a quarter of their side with
// the next.
func TestTiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 3000).Draw(t, "width"), rapid.IntRange(1, 3000).Draw(t, "height")
		side := rapid.IntRange(16, 1000).Draw(t, "side")
		rows := Tiles(width, height, side)
		if n := len(rows) * len(rows[0]); n != TileCount(width, height, side) {
			t.Fatalf("%d tiles, TileCount says %d", n, TileCount(width, height, side))
		}
		var x, y []image.Point // where tiles begin and end
		for _, row := range rows {
			y = append(y, image.Pt(row[0].Min.Y, row[0].Max.Y))
			for _, tile := range row {
				if tile.Size() != image.Pt(min(side, width), min(side, height)) || tile.Min.Y != row[0].Min.Y {
					t.Fatalf("%v", rows)
				}
			}
		}
		for _, tile := range rows[0] {
			x = append(x, image.Pt(tile.Min.X, tile.Max.X))
		}
		checkCover(t, x, width, side)
		checkCover(t, y, height, side)
	})
}

// checkCover checks spans from X to Y each.
func checkCover(t *rapid.T, spans []image.Point, length, side int) {
	if spans[0].X != 0 || spans[len(spans)-1].Y != length {
		t.Fatalf("%v cover %d?", spans, length)
	}
	for i := range len(spans) - 1 {
		if shared := spans[i].Y - spans[i+1].X; 4*shared < side || spans[i+1].X <= spans[i].X {
			t.Fatalf("%v share %d of %d", spans, shared, side)
		}
	}
}

// No shorter side would do, and an image that the model sees whole is one tile.
func TestTileSide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 30000).Draw(t, "width"), rapid.IntRange(1, 30000).Draw(t, "height")
		side := TileSide(width, height, 224, 64)
		if TileCount(width, height, side) > 64 || side > 224 && TileCount(width, height, side-1) <= 64 || side < 224 {
			t.Fatalf("%d x %d: %d", width, height, side)
		}
	})
	if n := TileCount(224, 200, 224); n != 1 {
		t.Errorf("%d tiles of an image as large as one", n)
	}
}

func TestMergeText(t *testing.T) {
	for _, c := range []struct {
		rows [][]string
		want string
	}{
		{nil, ""},
		{[][]string{{"stop"}}, "stop"},
		{[][]string{{"", "stop", "\n"}}, "stop"},
		{[][]string{{"stop", "here"}}, "stop here"},
		{[][]string{{"the quick brow", "uick brown fox"}}, "the quick brown fox"}, // cut on both sides
		{[][]string{{"the quick", "brown fox"}}, "the quick brown fox"},
		{[][]string{{"closed", "osed"}}, "closed"},
		{[][]string{{"clo", "closed"}}, "closed"},
		{[][]string{{"closed", "closed", "sed on"}}, "closed on"},
		{[][]string{{"5", "5"}}, "5"},
		{[][]string{{"cat", "tree"}}, "cat tree"},          // one letter is chance
		{[][]string{{"日本語", "日本語です"}}, "日本語です"},            // letters, not bytes
		{[][]string{{"éa", "éab"}}, "éa éab"},              // three bytes are not three letters
		{[][]string{{"one\ntwo", "1\n2"}}, "one 1\ntwo 2"}, // as many lines: across
		{[][]string{{"one\ntwo", "1"}}, "one\ntwo\n1"},
		{[][]string{{"one\ntwo"}, {"two\nthree"}}, "one\ntwo\nthree"},
		{[][]string{{"one\ntwo"}, {"one\ntwo"}}, "one\ntwo"},
		{[][]string{{"one "}, {"", ""}, {" two", ""}}, "one\ntwo"},
		// "be" alone is not an overlap: it is too short
		{[][]string{{"to be", "be or"}, {"to be or", "or not"}}, "to be be or\nto be or or not"},
	} {
		if got := MergeText(c.rows); got != c.want {
			t.Errorf("%q: have %q, want %q", c.rows, got, c.want)
		}
	}
}

func TestMergeDetections(t *testing.T) {
	cat := func(tile int, score float64, cut bool, x0, y0, x1, y1 float64) TileDetection {
		return TileDetection{Detection{Label: "cat", XYXY: [4]float64{x0, y0, x1, y1}, Score: Score{Score: score}},
			tile, cut}
	}
	dog := cat(1, 0.9, false, 0, 0, 10, 10)
	dog.Label = "dog"
	for _, c := range []struct {
		name string
		all  []TileDetection
		want []int
	}{
		{"none", nil, nil},
		{"the surer one", []TileDetection{cat(0, 0.5, false, 0, 0, 10, 10), cat(1, 0.6, false, 1, 0, 11, 10)},
			[]int{1}},
		{"the first of equal ones", []TileDetection{cat(0, 0.5, false, 0, 0, 10, 10), cat(1, 0.5, false, 1, 0, 11, 10)},
			[]int{0}},
		{"the whole one", []TileDetection{cat(0, 0.9, true, 0, 0, 8, 10), cat(1, 0.2, false, 0, 0, 10, 10)}, []int{1}},
		{"another label", []TileDetection{cat(0, 0.5, false, 0, 0, 10, 10), dog}, []int{0, 1}},
		{"one tile", []TileDetection{cat(0, 0.5, false, 0, 0, 10, 10), cat(0, 0.6, false, 0, 0, 10, 10)}, []int{0, 1}},
		{"a part", []TileDetection{cat(0, 0.9, true, 0, 0, 2, 2), cat(1, 0.2, false, 0, 0, 10, 10)}, []int{1}},
		{"apart", []TileDetection{cat(0, 0.9, false, 0, 0, 10, 10), cat(1, 0.2, false, 10, 0, 20, 10)}, []int{0, 1}},
		{"half over each other", []TileDetection{cat(0, 0.9, false, 0, 0, 10, 10), cat(1, 0.2, false, 5, 0, 15, 10)},
			[]int{0, 1}},
		{"empty boxes", []TileDetection{cat(0, 0.9, false, 5, 5, 5, 5), cat(1, 0.2, false, 5, 5, 5, 5)}, []int{0, 1}},
		{"a chain: the middle one stands", []TileDetection{cat(0, 0.5, false, 0, 0, 10, 10),
			cat(1, 0.9, false, 3, 0, 13, 10), cat(2, 0.5, false, 6, 0, 16, 10)}, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, MergeDetections(c.all)); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		})
	}
}

func TestTouchesEdge(t *testing.T) {
	tile := image.Rect(100, 100, 164, 164)
	for _, c := range []struct {
		xyxy          [4]float64
		width, height int
		want          bool
	}{
		{[4]float64{110, 110, 150, 150}, 300, 300, false},
		{[4]float64{101, 110, 150, 150}, 300, 300, true},
		{[4]float64{110, 101, 150, 150}, 300, 300, true},
		{[4]float64{110, 110, 163, 150}, 300, 300, true},
		{[4]float64{110, 110, 150, 163}, 300, 300, true},
		{[4]float64{110, 110, 164, 164}, 164, 164, false}, // there the image ends
	} {
		if got := TouchesEdge(c.xyxy, tile, c.width, c.height); got != c.want {
			t.Errorf("%v: %v", c.xyxy, got)
		}
	}
	if TouchesEdge([4]float64{0, 0, 64, 64}, image.Rect(0, 0, 64, 64), 64, 64) {
		t.Error("the whole image has no edge that cuts")
	}
}
