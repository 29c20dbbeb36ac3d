package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/journal"
	"github.com/pali-gguf/pali/tasks"
)

// asked makes questions and their rows.
func asked(n int) (questions []Question, rows []Record) {
	for i := range n {
		one := float64(i) / 3
		q := Question{Image: "a.png", Prefix: fmt.Sprintf("detect <%d>", i), Suffix: References{Texts: []string{"x", "<y>"}, List: true}, Line: i + 1}
		questions = append(questions, q)
		rows = append(rows, Record{Run: "r", Line: q.Line, Image: q.Image, Prefix: q.Prefix, Suffix: q.Suffix, Answer: "\"é\n",
			Objects: Detections{{Label: "b", Loc: [4]int{1, 2, 3, 4}, Score: tasks.Score{Score: one}}}, Scores: Scores{F1: &one}, Against: &Divergences{KL: []float64{one, 1e-300}}})
	}
	return questions, rows
}

// Whatever a stopped program left of the file, the run that goes on ends with the same bytes and
// the same rows.
func TestJournalGoesOn(t *testing.T) {
	questions, rows := asked(3)
	path := filepath.Join(t.TempDir(), "j.jsonl")
	add := func(j *Journal, rows []Record) {
		t.Helper()
		for _, r := range rows {
			if err := j.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	j, err := OpenJournal(path, "r", questions, false)
	if err != nil {
		t.Fatal(err)
	}
	add(j, rows)
	whole, err := os.ReadFile(path)
	if err != nil || bytes.Count(whole, []byte("\n")) != 3 || !bytes.Contains(whole, []byte(`"suffix":["x","<y>"]`)) {
		t.Fatalf("%v: %s", err, whole)
	}
	for cut := range len(whole) + 1 {
		if cut%13 > 0 && !bytes.Contains(whole[max(0, cut-2):min(len(whole), cut+2)], []byte("\n")) {
			continue // all places near a line's end, and some between
		}
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(path, "r", questions, false)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if n := bytes.Count(whole[:cut], []byte("\n")); len(j.Rows) != n {
			t.Fatalf("cut at %d: %d rows, want %d", cut, len(j.Rows), n)
		}
		add(j, rows[len(j.Rows):])
		have, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(have, whole) {
			t.Fatalf("cut at %d: %v: %s", cut, err, have)
		}
		if d := cmp.Diff(rows, j.Rows); d != "" {
			t.Fatalf("cut at %d: (-want +got)\n%s", cut, d)
		}
	}
}

// A file that is no journal of this run is refused, and stays as it is.
func TestJournalRefuses(t *testing.T) {
	questions, rows := asked(2)
	path := filepath.Join(t.TempDir(), "j.jsonl")
	j, err := OpenJournal(path, "r", questions, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := j.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	ours, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := string(ours[:bytes.IndexByte(ours, '\n')+1])
	for want, c := range map[string]struct {
		run  string
		text string
	}{
		"of a run with other":        {"other", string(ours)},
		"not the answer to question": {"r", first + first},
		"not a row":                  {"r", "my notes\n"},
		"EOF":                        {"r", "my notes"},
		"line 2: not a row":          {"r", first + "{\"run\":\n" + first},
		"answer to question 3":       {"r", string(ours) + first},
		"buffer full":                {"r", strings.Repeat("x", journal.MaxLine+1)},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(path, c.run, questions, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != c.text {
			t.Errorf("%q: the file was changed: %v", want, err)
		}
	}
	if _, err := OpenJournal(t.TempDir(), "r", questions, false); err == nil {
		t.Error("a folder passes")
	}
	if j, err = OpenJournal(path, "r", questions, true); err != nil || len(j.Rows) != 0 {
		t.Errorf("fresh: %v", err)
	}
	j.Close()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("fresh: %v %v", info, err)
	}
}

func TestQuestions(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "q.jsonl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(folder, "pictures")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Join(folder, "a.png"), filepath.Join(other, "b.png")} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"image": "a.png", "prefix": "caption en", "suffix": "<x>", "more": 1}

{"image": "pictures/b.png", "prefix": "", "suffix": ["1", "one"]}
{"image": "a.png", "prefix": "ocr"}
{"image": "a.png", "prefix": "ocr", "suffix": null}
{"image": "a.png", "prefix": "ocr", "suffix": ["1"]}`)
	have, err := ReadQuestions(path, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Question{
		{"a.png", "caption en", References{[]string{"<x>"}, false}, path, 1, filepath.Join(folder, "a.png")},
		{"pictures/b.png", "", References{[]string{"1", "one"}, true}, path, 3, filepath.Join(other, "b.png")},
		{"a.png", "ocr", References{}, path, 4, filepath.Join(folder, "a.png")},
		{"a.png", "ocr", References{}, path, 5, filepath.Join(folder, "a.png")},
		{"a.png", "ocr", References{[]string{"1"}, true}, path, 6, filepath.Join(folder, "a.png")},
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	write(`{"image": "b.png", "prefix": "ocr"}`)
	if have, err = ReadQuestions(path, other); err != nil || have[0].Path != filepath.Join(other, "b.png") {
		t.Errorf("%v: %+v", err, have)
	}
	for want, text := range map[string]string{
		"no questions":           "\n\n",
		"line 2: no \"image\"":   "{\"image\": \"a.png\"}\n{\"prefix\": \"ocr\"}",
		"c.png":                  `{"image": "c.png"}`,
		"line 1":                 "not JSON",
		"cannot unmarshal":       `{"image": "a.png", "suffix": 3}`,
		"a prefix of 8193 bytes": `{"image": "a.png", "prefix": "` + strings.Repeat("x", 8193) + `"}`,
		"a suffix of 8193 bytes": `{"image": "a.png", "suffix": ["` + strings.Repeat("x", 8193) + `"]}`,
		"token too long":         `{"image": "a.png", "prefix": "` + strings.Repeat("x", maxLine) + `"}`,
	} {
		write(text)
		if _, err := ReadQuestions(path, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := ReadQuestions(folder, ""); err == nil {
		t.Error("a folder passes")
	}
}

// A question without a true answer is asked and not scored; masks are not measured without a
// decoder.
func TestScore(t *testing.T) {
	mask := func(o tasks.Detection) ([]bool, error) { return []bool{o.Label == "a", true}, nil }
	loc := "<loc0000><loc0000><loc0100><loc0100>"
	var rows []Record
	for _, c := range []struct {
		prefix, answer string
		truths         References
		mask           Mask
		want           string
	}{
		{"caption en", "x", References{}, nil, `{}`},
		{"caption en", "x", References{[]string{"x"}, false}, nil, `{"exact":1}`},
		{"caption en", "x", References{[]string{"xy"}, true}, nil, `{"exact":0,"anls":0,"relaxed_accuracy":0}`},
		{"answer", "x", References{[]string{"x", "x", "y", "z"}, true}, nil, `{"exact":1,"vqa_accuracy":0.5,"anls":1,"relaxed_accuracy":1}`},
		{"detect a", loc + " a", References{[]string{loc + " a"}, false}, nil, `{"f1":1,"hit_ious":[1]}`},
		{"segment a", loc + " a", References{[]string{loc + " a"}, false}, nil, `{"box_iou":1}`},
		{"segment a", loc + " b", References{[]string{loc + " a"}, false}, mask, `{"box_iou":1,"mask_iou":0.5}`},
		{"segment a", "", References{[]string{loc + " a"}, false}, mask, `{"box_iou":0,"mask_iou":0}`},
		{"segment a", "", References{[]string{""}, false}, mask, `{"box_iou":1,"mask_iou":1}`},
	} {
		r := Record{Prefix: c.prefix, Answer: c.answer, Suffix: c.truths, Objects: referenceDetections(c.answer)}
		if err := r.Score(c.mask); err != nil {
			t.Fatal(err)
		}
		if have, err := json.Marshal(r.Scores); err != nil || string(have) != c.want {
			t.Errorf("%q, %q: have %s, want %s; %v", c.prefix, c.answer, have, c.want, err)
		}
		rows = append(rows, r)
	}
	s := Summarize(rows)
	if s.Score == nil || s.Score.N != 8 || !near(s.Score.Value, (1+0+1+1+1+0.5+0+1)/8) || s.Against != nil {
		t.Errorf("%+v", s)
	}
	last := s.Scores[len(s.Scores)-1]
	if last.Metric != "mask IoU" || last.Value != nil || last.N != 1 || last.Note == "" {
		t.Errorf("%+v", last)
	}
	if s = Summarize(rows[:1]); s.Score != nil || len(s.Scores) != 0 {
		t.Errorf("%+v", s)
	}
}
