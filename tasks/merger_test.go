package tasks

import (
	"errors"
	"image"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/runner"
)

// The full image and two tiles: the object that both tiles see whole comes once, in pixels of the
// image.
func TestTileMerger(t *testing.T) {
	prompt, err := Detect("cat")
	if err != nil {
		t.Fatal(err)
	}
	rows := Tiles(175, 100, 100)
	answers := map[image.Rectangle]string{
		image.Rect(0, 0, 175, 100): "nothing",
		image.Rect(0, 0, 100, 100): "<loc0102><loc0818><loc0205><loc0920> cat",
		image.Rect(75, 0, 175,
			100): "<loc0102><loc0051><loc0205><loc0153> cat ; <loc0900><loc0900><loc0900><loc0999> cat",
	}
	m := TileMerger{Want: Want{Prompt: prompt, MaxTokens: 1}, Full: Canvas{175, 100, LocDivisor}}
	var asked, done []int
	err = m.Ask(rows, func(part image.Rectangle) (*runner.Result, error) {
		asked = append(asked, part.Dx())
		return &runner.Result{Text: answers[part], Tokens: []int32{7}, Steps: []runner.Step{{Token: 7}}}, nil
	}, func(n, total int) { done = append(done, n, total) })
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]int{{175, 100, 100}, {1, 2, 2, 2}}, [][]int{asked, done}); d != "" {
		t.Error(d)
	}
	a := m.Response(time.Millisecond)
	if len(a.Objects) != 1 || *a.Objects[0].Tile != [4]int{0, 0, 100, 100} || a.Objects[0].XYXY[0] < 79 ||
		a.Objects[0].XYXY[0] > 80 {
		t.Errorf("%+v", a.Objects)
	}
	if len(a.Tiles) != 3 || len(a.Tokens) != 3 || !cmp.Equal(a.Unparsed, []string{"nothing"}) || a.Timings.Load != 1 {
		t.Errorf("%+v", a)
	}
	want := Losses{CutOff: 3, Unparsed: 1, NoArea: 1, Parts: []string{"nothing"}}
	if d := cmp.Diff(want, a.Lost); d != "" {
		t.Errorf("lost (-want +got)\n%s", d)
	}
	broken := errors.New("broken")
	err = m.Ask(rows, func(image.Rectangle) (*runner.Result, error) { return nil, broken }, func(int, int) {})
	if !errors.Is(err, broken) {
		t.Errorf("have %v", err)
	}
}

func TestLayTiles(t *testing.T) {
	for _, c := range []struct {
		name                           string
		width, height, side, modelSide int
		want                           int // tiles; 0: an error
	}{
		{"as the model sees", 400, 224, 0, 224, 3},
		{"a side that was asked for", 400, 300, 400, 224, 1},
		{"at most 64 by themselves", 30000, 30000, 0, 224, 64},
		{"too many", 30000, 30000, 100, 224, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := LayTiles(c.width, c.height, c.side, c.modelSide)
			n := 0
			for _, row := range rows {
				n += len(row)
			}
			if n != c.want || (err != nil) != (c.want == 0) {
				t.Errorf("%d tiles, want %d; %v", n, c.want, err)
			}
		})
	}
}
