package eval

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

const demo = "../testdata/demo"

// demoMask returns a Mask that draws with the demo's decoder.
func demoMask(t *testing.T) Mask {
	t.Helper()
	src, err := npz.Open(filepath.Join(demo, "masks.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	path, err := convert.Masks(src, convert.MaskOptions{Name: "demo", Type: gguf.F32, OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := masks.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return NewMask(d)
}

// evaluateNames maps evaluate.py's names to ours where they differ.
var evaluateNames = map[string]string{
	"detect f1@0.5": "detect F1 at IoU 0.5", "detect mean iou of hits": "detect mean IoU of hits",
	"segment mask iou": "segment mask IoU",
}

// TestScoresAsEvaluate checks that the demo's answers get the scores of scripts/demo/evaluate.py.
func TestScoresAsEvaluate(t *testing.T) {
	questions, err := ReadQuestions(t.Context(), filepath.Join(demo, "pictures", "questions.jsonl"), "")
	if err != nil {
		t.Fatal(err)
	}
	answers := lines[struct{ Image, Prefix, Answer string }](t, filepath.Join(demo, "pictures", "answers.jsonl"))
	mask := demoMask(t)
	var records []Record
	for i, q := range questions {
		if answers[i].Image != q.Image || answers[i].Prefix != q.Prefix {
			t.Fatalf("line %d is another question", q.Line)
		}
		r := Record{Prefix: q.Prefix, Suffix: q.Suffix, Answer: answers[i].Answer}
		r.Objects, r.Unparsed = tasks.ParseDetections(r.Answer)
		if err := r.Score(mask); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	have := map[string]TaskScore{}
	for _, s := range Summarize(records).Scores {
		have[s.Task+" "+s.Metric] = s
	}
	printed, err := os.ReadFile("testdata/evaluate.txt")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^(.+?) +([0-9.]+)  \((\d+)\)$`).FindAllStringSubmatch(string(printed), -1)
	if len(found) != 9 {
		t.Fatalf("%d figures", len(found))
	}
	for _, m := range found {
		name := m[1]
		if ours, ok := evaluateNames[name]; ok {
			name = ours
		}
		want, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if s := have[name]; s.Value == nil || math.Abs(*s.Value-want) > 0.0002 || fmt.Sprint(s.N) != m[3] {
			t.Errorf("%s: have %+v, want %s (%s)", name, s, m[2], m[3])
		}
	}
}
