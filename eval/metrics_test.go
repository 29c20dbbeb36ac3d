package eval

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/tasks"
)

// TestLost checks what a summary says of answers that lost something.
func TestLost(t *testing.T) {
	object := tasks.Detection{Label: "car", Loc: [4]int{0, 0, 9, 9}}
	flat := tasks.Detection{Label: "cat", Loc: [4]int{5, 5, 5, 5}}
	for _, c := range []struct {
		name   string
		record Record
		want   tasks.Losses
	}{
		{"nothing", Record{Prefix: "caption en", Answer: "a cat"}, tasks.Losses{}},
		{"cut off", Record{Prefix: "caption en", CutOff: true}, tasks.Losses{CutOff: 1}},
		{"another label", Record{Prefix: "detect cat", Objects: Detections{object}},
			tasks.Losses{Unasked: map[string]int{"car": 1}}},
		{"no mask", Record{Prefix: "segment car", Objects: Detections{object}}, tasks.Losses{NoMask: 1}},
		{"a box without area is scored", Record{Prefix: "detect cat", Objects: Detections{flat}}, tasks.Losses{}},
		{"no object", Record{Prefix: "detect cat", Unparsed: []string{"x", "y"}}, tasks.Losses{Unparsed: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			have := Summarize([]Record{c.record}).Lost
			have.Parts = nil
			if d := cmp.Diff(c.want, have); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// lines reads the JSONL file at path.
func lines[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	s := bufio.NewScanner(f)
	for s.Scan() {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if s.Err() != nil || len(out) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(out), s.Err())
	}
	return out
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12 }

// TestTextsByHand compares with values computed by hand from the definitions.
func TestTextsByHand(t *testing.T) {
	ten := func(yes int, text, other string) []string {
		return append(slices.Repeat([]string{text}, yes), slices.Repeat([]string{other}, 10-yes)...)
	}
	for _, c := range []struct {
		name   string
		metric func([]string, string) float64
		truths []string
		answer string
		want   float64
	}{
		{"exact", Exact, []string{"a", "b"}, "b", 1},
		{"exact is to the letter", Exact, []string{"a"}, "A", 0},
		{"one of five letters replaced", ANLS, []string{"hello"}, "hallo", 0.8},
		{"inserted, 1 of 6", ANLS, []string{"Hello"}, "hello!", 1 - 1.0/6},
		{"half is too much", ANLS, []string{"ab"}, "ac", 0},
		{"letters are not bytes", ANLS, []string{"été"}, "ete", 0},
		{"both empty", ANLS, []string{""}, "", 1},
		{"the best truth", ANLS, []string{"zzzz", "abcd"}, "abcx", 0.75},
		{"5 % more", Relaxed, []string{"20"}, "21", 1},
		{"more than that", Relaxed, []string{"20"}, "21.1", 0},
		{"percent", Relaxed, []string{"50%"}, "0.5", 1},
		{"zero must be equal", Relaxed, []string{"0"}, "0.0", 0},
		{"texts", Relaxed, []string{"Blue"}, "blue", 1},
		// equal to m of ten: m times m-1 others are equal, 10-m times m
		{"one of ten", VQA, ten(1, "cat", "dog"), "cat", 9 * (1.0 / 3) / 10},
		{"two of ten", VQA, ten(2, "cat", "dog"), "cat", (2*(1.0/3) + 8*(2.0/3)) / 10},
		{"three of ten", VQA, ten(3, "cat", "dog"), "cat", (3*(2.0/3) + 7) / 10},
		{"four of ten", VQA, ten(4, "cat", "dog"), "cat", 1},
		{"normalized where annotators differ", VQA, ten(4, "the two cats!", "dog"), "2 cats", 1},
		{"left as it is where they agree", VQA, ten(10, "the two cats!", ""), "2 cats", 0},
		{"five annotators", VQA, []string{"a1", "a1", "b1", "c1", "d1"}, "a1", (2*(1.0/3) + 3*(2.0/3)) / 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := c.metric(c.truths, c.answer); !near(have, c.want) {
				t.Errorf("%q, %q: have %v, want %v", c.truths, c.answer, have, c.want)
			}
		})
	}
}

// TestTextsAsBigVision compares with values of big_vision's own evaluators.
func TestTextsAsBigVision(t *testing.T) {
	vqa := 0
	for _, c := range lines[struct {
		Truths        []string
		Answer        string
		ANLS, Relaxed float64
		VQA           *float64
	}](t, "testdata/texts.jsonl") {
		if have := ANLS(c.Truths, c.Answer); !near(have, c.ANLS) {
			t.Errorf("ANLS: %q, %q: have %v, want %v", c.Truths, c.Answer, have, c.ANLS)
		}
		if have := Relaxed(c.Truths, c.Answer); have != c.Relaxed {
			t.Errorf("relaxed: %q, %q: have %v, want %v", c.Truths, c.Answer, have, c.Relaxed)
		}
		if c.VQA == nil {
			continue
		}
		vqa++
		if have := VQA(c.Truths, c.Answer); !near(have, *c.VQA) {
			t.Errorf("VQA: %q, %q: have %v, want %v", c.Truths, c.Answer, have, *c.VQA)
		}
	}
	if vqa < 300 {
		t.Errorf("%d cases of VQA", vqa)
	}
}

func TestDetectionByHand(t *testing.T) {
	object := func(label string, y0, x0, y1, x1 int) tasks.Detection {
		return tasks.Detection{Label: label, Loc: [4]int{y0, x0, y1, x1}, Score: tasks.Score{Score: 1}}
	}
	a, half, b := object("a", 0, 0, 100, 100), object("a", 0, 0, 100, 50), object("b", 0, 0, 100, 100)
	for _, c := range []struct {
		name          string
		truth, answer []tasks.Detection
		f1            float64
		ious          []float64
	}{
		{"nothing to find", nil, nil, 1, nil},
		{"nothing found", []tasks.Detection{a}, nil, 0, nil},
		{"found what is not there", nil, []tasks.Detection{a}, 0, nil},
		{"found", []tasks.Detection{a}, []tasks.Detection{a}, 1, []float64{1}},
		{"IoU 0.5 is a hit", []tasks.Detection{a}, []tasks.Detection{half}, 1, []float64{0.5}},
		{"another label", []tasks.Detection{a}, []tasks.Detection{b}, 0, nil},
		{"one true box matches once", []tasks.Detection{a}, []tasks.Detection{half, a}, 2.0 / 3, []float64{0.5}},
		{"the nearest", []tasks.Detection{half, a}, []tasks.Detection{a}, 2.0 / 3, []float64{1}},
		{"turned inside out", []tasks.Detection{a}, []tasks.Detection{object("a", 100, 100, 0, 0)}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if f1, ious := F1(c.truth, c.answer, 0); !near(f1, c.f1) || !slices.Equal(ious, c.ious) {
				t.Errorf("have %v %v, want %v %v", f1, ious, c.f1, c.ious)
			}
		})
	}
	if f1, _ := F1([]tasks.Detection{a}, []tasks.Detection{a}, 2); !near(f1, 0.5) {
		t.Errorf("two parts that are not objects: %v", f1)
	}
	if have := IoU([4]int{0, 0, 10, 10}, [4]int{5, 5, 15, 15}); !near(have, 25.0/175) {
		t.Errorf("IoU of a quarter: %v", have)
	}
	have := MaskIoU([]bool{true, true, false, false}, []bool{false, true, true, false})
	if !near(have, 1.0/3) || MaskIoU([]bool{false}, []bool{false}) != 0 {
		t.Errorf("IoU of masks: %v", have)
	}
}

// TestCurve compares with values computed by hand for two questions with three true boxes, where
// the box with the highest score is right, the next wrong, and so on.
func TestCurve(t *testing.T) {
	a, b := [4]int{0, 0, 100, 100}, [4]int{500, 500, 600, 600}
	object := func(label string, loc [4]int, score float64) tasks.Detection {
		return tasks.Detection{Label: label, Loc: loc, Score: tasks.Score{Score: score}}
	}
	found := []Detected{
		{
			[]tasks.Detection{object("cat", a, 0), object("dog", b, 0)},
			[]tasks.Detection{object("cat", b, 0.8), object("dog", b, 0.9)},
		},
		{
			[]tasks.Detection{object("cat", a, 0)},
			[]tasks.Detection{object("owl", a, 0.1), object("cat", a, 0.7)},
		},
	}
	want := []Point{{0.9, 1. / 3, 1}, {0.8, 1. / 3, 0.5}, {0.7, 2. / 3, 2. / 3}, {0.1, 2. / 3, 0.5}}
	if d := cmp.Diff(want, Curve(found, 0.5)); d != "" {
		t.Error(d)
	}
	// Recalls 0 to 0.33 at precision 1, 0.34 to 0.66 at 2/3, none above.
	if have, want := PooledPrecision(found, 0.5), (34+33*2./3)/101; !near(have, want) {
		t.Errorf("pooled: have %v, want %v", have, want)
	}
	// Ranked by position, both first boxes are wrong.
	want = []Point{{0, 0, 0}, {0, 0, 0}, {-1, 1. / 3, 1. / 3}, {-1, 2. / 3, 0.5}}
	if d := cmp.Diff(want, Curve(RankByPosition(found), 0.5)); d != "" || found[0].Answer[1].Score.Score != 0.9 {
		t.Error(d)
	}
}

// TestAveragePrecision compares with the average precisions of pycocotools.
func TestAveragePrecision(t *testing.T) {
	b, err := os.ReadFile("testdata/precision.json")
	if err != nil {
		t.Fatal(err)
	}
	var sets []struct {
		Questions []Detected
		MAP, AP50 float64
	}
	if err := json.Unmarshal(b, &sets); err != nil || len(sets) < 5 {
		t.Fatalf("%d sets, %v", len(sets), err)
	}
	for i, s := range sets {
		if have, ok := AveragePrecision(s.Questions, COCO()); !ok || !near(have, s.MAP) {
			t.Errorf("set %d: mAP: have %v, want %v", i, have, s.MAP)
		}
		if have, ok := AveragePrecision(s.Questions, []float64{0.5}); !ok || !near(have, s.AP50) {
			t.Errorf("set %d: AP at 0.5: have %v, want %v", i, have, s.AP50)
		}
	}
	if _, ok := AveragePrecision(nil, COCO()); ok {
		t.Error("nothing to find has an average precision")
	}
}

func TestDivergence(t *testing.T) {
	log := func(p ...float64) (out []float32) {
		for _, v := range p {
			out = append(out, float32(math.Log(v)))
		}
		return out
	}
	for _, c := range []struct {
		name  string
		p, q  []float32
		nats  float64
		equal bool
	}{
		{"equal", log(0.5, 0.5), log(0.5, 0.5), 0, true},
		{"another top token", log(0.5, 0.5), log(0.25, 0.75), 0.5*math.Log(2) + 0.5*math.Log(2.0/3), false},
		{"the same top token", log(0.9, 0.1), log(0.6, 0.4), 0.9*math.Log(1.5) + 0.1*math.Log(0.25), true},
		{"large logits", []float32{1000, 0}, []float32{1000, 990}, math.Log1p(math.Exp(-10)), true},
		{"logits that differ by a constant", []float32{3, 1}, []float32{103, 101}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			nats, equal, err := Divergence(c.p, c.q)
			if err != nil || math.Abs(nats-c.nats) > 1e-7 || equal != c.equal {
				t.Errorf("have %v %v, want %v %v; %v", nats, equal, c.nats, c.equal, err)
			}
		})
	}
	nan, infinity := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		p, q []float32
	}{
		{"two sizes", []float32{1}, []float32{1, 2}},
		{"no tokens", nil, nil},
		{"reference with NaN", []float32{nan, 1}, []float32{1, 1}},
		{"NaN", []float32{1, 1}, []float32{1, nan}},
		{"infinity", []float32{1, 1}, []float32{infinity, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if nats, _, err := Divergence(c.p, c.q); err == nil {
				t.Errorf("passes: %v", nats)
			}
		})
	}
	if have := percentile([]float64{4, 1, 3, 2}, 0.99); !near(have, 3.97) || percentile([]float64{7}, 0.99) != 7 {
		t.Errorf("99th percentile: %v", have)
	}
}

func TestGroup(t *testing.T) {
	for _, c := range []struct{ name, prefix, want string }{
		{"language", "caption en", "caption en"},
		{"newline", "describe de\n", "describe de"},
		{"question", "answer en how many?", "answer"},
		{"labels", "detect a ; b", "detect"},
		{"one word", "ocr", "ocr"},
		{"free question", "What is this?", "other"},
		{"empty", "", "other"},
		{"longer word", "detection", "other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := group(c.prefix); have != c.want {
				t.Errorf("%q: have %q, want %q", c.prefix, have, c.want)
			}
		})
	}
}

func TestNormalizeVQA(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"punctuation and articles", "The cat's, an 1.5 m. tall", "cat's 1.5 m tall"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := normalizeVQA(c.text); have != c.want {
				t.Errorf("have %q, want %q", have, c.want)
			}
		})
	}
}
