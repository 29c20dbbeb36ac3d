package eval

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/journal"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// answered returns n questions and their records.
func answered(n int) (questions []Question, records []Record) {
	for i := range n {
		one := float64(i) / 3
		suffix := References{Texts: []string{"x", "<y>"}, List: true}
		q := Question{Image: "a.png", Prefix: fmt.Sprintf("detect <%d>", i), Suffix: suffix, Line: i + 1}
		questions = append(questions, q)
		records = append(records, Record{
			Run: "r", Line: q.Line, Image: q.Image, Prefix: q.Prefix, Suffix: q.Suffix, Answer: "\"é\n",
			Objects: Detections{{Label: "b", Loc: [4]int{1, 2, 3, 4}, Score: tasks.Score{Score: one}}},
			Scores:  Scores{F1: &one}, Against: &Divergences{KL: []float64{one, 1e-300}},
		})
	}
	return questions, records
}

// TestJournalResumes checks that, wherever a stopped program cut the file, the resumed run ends
// with the same bytes and the same records.
func TestJournalResumes(t *testing.T) {
	questions, records := answered(3)
	path := filepath.Join(t.TempDir(), "j.jsonl")
	add := func(j *Journal, records []Record) {
		t.Helper()
		for _, r := range records {
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
	add(j, records)
	whole, err := os.ReadFile(path)
	if err != nil || bytes.Count(whole, []byte("\n")) != 3 || !bytes.Contains(whole, []byte(`"suffix":["x","<y>"]`)) {
		t.Fatalf("%v: %s", err, whole)
	}
	for cut := range len(whole) + 1 {
		if cut%13 > 0 && !bytes.Contains(whole[max(0, cut-2):min(len(whole), cut+2)], []byte("\n")) {
			continue // only positions near the end of a line, and some between
		}
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(path, "r", questions, false)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if n := bytes.Count(whole[:cut], []byte("\n")); len(j.Records) != n {
			t.Fatalf("cut at %d: %d records, want %d", cut, len(j.Records), n)
		}
		add(j, records[len(j.Records):])
		have, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(have, whole) {
			t.Fatalf("cut at %d: %v: %s", cut, err, have)
		}
		if d := cmp.Diff(records, j.Records); d != "" {
			t.Fatalf("cut at %d: (-want +got)\n%s", cut, d)
		}
	}
}

// TestJournalRefuses checks that a file that is not a journal of this run is refused and not
// changed.
func TestJournalRefuses(t *testing.T) {
	questions, records := answered(2)
	path := filepath.Join(t.TempDir(), "j.jsonl")
	j, err := OpenJournal(path, "r", questions, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
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
	for _, c := range []struct{ name, run, text, want string }{
		{"another run", "other", string(ours), "of a run with other"},
		{"an answer twice", "r", first + first, "not the answer to question 2"},
		{"another file", "r", "my notes\n", "not a record"},
		{"another file without a newline", "r", "my notes", "EOF"},
		{"broken line", "r", first + "{\"run\":\n" + first, "line 2: not a record"},
		{"too many answers", "r", string(ours) + first, "answer to question 3"},
		{"too long a line", "r", strings.Repeat("x", journal.MaxLine+1), "buffer full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := OpenJournal(path, c.run, questions, false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if have, err := os.ReadFile(path); err != nil || string(have) != c.text {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
	if _, err := OpenJournal(t.TempDir(), "r", questions, false); err == nil {
		t.Error("a folder passes")
	}
	if j, err = OpenJournal(path, "r", questions, true); err != nil || len(j.Records) != 0 {
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
{"image": "a.png", "prefix": "ocr", "suffix": ["1"]}
{"image": " ./a.png\n", "prefix": "ocr", "suffix": [2, "two"]}
{"image": "pictures\\b.png", "prefix": "ocr", "suffix": 2.50}`)
	have, err := ReadQuestions(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Question{
		{"a.png", "caption en", References{[]string{"<x>"}, false}, path, 1, filepath.Join(folder, "a.png")},
		{"pictures/b.png", "", References{[]string{"1", "one"}, true}, path, 3, filepath.Join(other, "b.png")},
		{"a.png", "ocr", References{}, path, 4, filepath.Join(folder, "a.png")},
		{"a.png", "ocr", References{}, path, 5, filepath.Join(folder, "a.png")},
		{"a.png", "ocr", References{[]string{"1"}, true}, path, 6, filepath.Join(folder, "a.png")},
		{" ./a.png\n", "ocr", References{[]string{"2", "two"}, true}, path, 7, filepath.Join(folder, "a.png")},
		{"pictures\\b.png", "ocr", References{[]string{"2.50"}, false}, path, 8, filepath.Join(other, "b.png")},
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	write(`{"image": "b.png", "prefix": "ocr"}`)
	if have, err = ReadQuestions(t.Context(), path, other); err != nil ||
		have[0].Path != filepath.Join(other, "b.png") {
		t.Errorf("%v: %+v", err, have)
	}
	long := strings.Repeat("x", runner.MaxPromptBytes+1)
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "\n\n", "no questions"},
		{"without an image", "{\"image\": \"a.png\", \"prefix\": \"\"}\n{\"prefix\": \"ocr\"}", `line 2: no "image"`},
		{"missing file", `{"image": "c.png", "prefix": ""}`, "c.png"},
		{"not JSON", "not JSON", "line 1"},
		{"suffix of another kind", `{"image": "a.png", "prefix": "", "suffix": [true]}`,
			`line 1: "suffix": want a text, or a list of texts`},
		{"prefix that is a number", `{"image": "a.png", "prefix": 3}`, `line 1: "prefix": have number, want a text`},
		{"without a prefix", `{"image": "a.png", "suffix": "x"}`, `no "prefix"`},
		{"list", `[{"image": "a.png", "prefix": "ocr"}]`, "a list in JSON"},
		{"on several lines", "{\"image\": \"a.png\",\n\"prefix\": \"ocr\"}", "line 1: the object does not end here"},
		{"classes", "circle\n", "not JSON: want lines"},
		{"address", `{"image": "https://a.b/c.png", "prefix": ""}`, "line 1: https://a.b/c.png: an address"},
		{"long prefix", `{"image": "a.png", "prefix": "` + long + `"}`, "a prefix of 8193 bytes"},
		{"long suffix", `{"image": "a.png", "suffix": ["` + long + `"]}`, "a suffix of 8193 bytes"},
		{"long line", `{"image": "a.png", "prefix": "` + strings.Repeat("x", maxLine) + `"}`, "line 1: longer than"},
		{"Latin-1", "\n{\"image\": \"a.png\", \"prefix\": \"caf\xe9\"}", "line 2: byte 0xe9 is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(c.text)
			if _, err := ReadQuestions(t.Context(), path, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	for _, c := range []struct{ name, path, images, want string }{
		{"folder", folder, "", "is a folder, not a regular file: want lines"},
		{"no file", path + "x", "", path + "x: no such file or directory: want lines"},
		{"no folder of images", path, path, path + ": no such folder of images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(`{"image": "a.png", "prefix": "ocr"}`)
			if _, err := ReadQuestions(t.Context(), c.path, c.images); err == nil ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	const one, two = `{"image": "a.png", "prefix": "é"}`, `{"image": "a.png", "prefix": "ocr"}`
	for name, text := range map[string]string{
		"a byte-order mark": "\ufeff" + one + "\n" + two, "CRLF": one + "\r\n" + two + "\r\n", "CR": one + "\r" + two,
		"blanks around": " " + one + " \n\t" + two, "UTF-16": wide("\ufeff" + one + "\r\n" + two + "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			write(text)
			have, err := ReadQuestions(t.Context(), path, "")
			if err != nil || len(have) != 2 || have[0].Prefix != "é" || have[1].Prefix != "ocr" {
				t.Errorf("%v: %+v", err, have)
			}
		})
	}
}

// wide returns text in UTF-16, as PowerShell's > writes it.
func wide(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// TestScore checks the scores of answers, that a question without a true answer is not scored, and
// that masks are not measured without a decoder.
func TestScore(t *testing.T) {
	mask := func(o tasks.Detection) ([]bool, error) { return []bool{o.Label == "a", true}, nil }
	loc := "<loc0000><loc0000><loc0100><loc0100>"
	var records []Record
	for _, c := range []struct {
		name           string
		prefix, answer string
		truths         References
		mask           Mask
		want           string
	}{
		{"no true answer", "caption en", "x", References{}, nil, `{}`},
		{"text", "caption en", "x", References{[]string{"x"}, false}, nil, `{"exact":1}`},
		{"list", "caption en", "x", References{[]string{"xy"}, true}, nil, `{"exact":0,"anls":0,"relaxed_accuracy":0}`},
		{"four true answers", "answer", "x", References{[]string{"x", "x", "y", "z"}, true}, nil,
			`{"exact":1,"vqa_accuracy":0.5,"anls":1,"relaxed_accuracy":1}`},
		{"detection", "detect a", loc + " a", References{[]string{loc + " a"}, false}, nil,
			`{"f1":1,"hit_ious":[1]}`},
		{"no decoder", "segment a", loc + " a", References{[]string{loc + " a"}, false}, nil, `{"box_iou":1}`},
		{"half the mask", "segment a", loc + " b", References{[]string{loc + " a"}, false}, mask,
			`{"box_iou":1,"mask_iou":0.5}`},
		{"nothing found", "segment a", "", References{[]string{loc + " a"}, false}, mask,
			`{"box_iou":0,"mask_iou":0}`},
		{"nothing to find", "segment a", "", References{[]string{""}, false}, mask, `{"box_iou":1,"mask_iou":1}`},
	} {
		r := Record{Prefix: c.prefix, Answer: c.answer, Suffix: c.truths, Objects: referenceDetections(c.answer)}
		t.Run(c.name, func(t *testing.T) {
			if err := r.Score(c.mask); err != nil {
				t.Fatal(err)
			}
			if have, err := json.Marshal(r.Scores); err != nil || string(have) != c.want {
				t.Errorf("have %s, want %s; %v", have, c.want, err)
			}
		})
		records = append(records, r)
	}
	checkSummary(t, records)
}

// checkSummary checks the summary of TestScore's records.
func checkSummary(t *testing.T, records []Record) {
	t.Helper()
	s := Summarize(records)
	if s.Score == nil || s.Score.N != 8 || !near(s.Score.Value, (1+0+1+1+1+0.5+0+1)/8) || s.Against != nil {
		t.Errorf("%+v", s)
	}
	last := s.Scores[len(s.Scores)-1]
	if last.Metric != "mask IoU" || last.Value != nil || last.N != 1 || last.Note == "" {
		t.Errorf("%+v", last)
	}
	if s = Summarize(records[:1]); s.Score != nil || len(s.Scores) != 0 {
		t.Errorf("%+v", s)
	}
}
