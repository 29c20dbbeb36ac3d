package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/npz"
)

// evalPlace is a workplace with some of the demo's questions in q.jsonl, and the demo in q4_0 in q.
func evalPlace(t *testing.T, questions int) string {
	t.Helper()
	folder := workplace(t)
	all, err := os.ReadFile(filepath.Join(data, "demo/pictures/questions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	some := bytes.Join(bytes.SplitAfter(all, []byte("\n"))[:questions], nil)
	if err := os.WriteFile(filepath.Join(folder, "q.jsonl"), some, 0o600); err != nil {
		t.Fatal(err)
	}
	o := run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
		"-t", "q4_0", "-o", "q"))
	if o.code != 0 {
		t.Fatalf("convert: %+v", o)
	}
	return folder
}

// evalArgs asks q.jsonl with one thread.
func evalArgs(args ...string) []string {
	return append([]string{"eval", "--questions", "q.jsonl", "--images", "testdata/demo/pictures", "--threads", "1",
		"--json"}, args...)
}

func summaryOf(t *testing.T, o outcome) eval.Summary {
	t.Helper()
	var s eval.Summary
	if err := json.Unmarshal([]byte(o.stdout), &s); err != nil || o.code != 0 {
		t.Fatalf("%v: %+v", err, o)
	}
	return s
}

// rowsOf reads a journal.
func rowsOf(t *testing.T, path string) []eval.Record {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []eval.Record
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var r eval.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// The answers are those of the program that trained the demo, and score as they do.
func TestEval(t *testing.T) {
	const n = 24
	folder := evalPlace(t, n)
	o := run(t, program(folder, evalArgs("-m", "d", "--per-question", "rows.jsonl")...))
	s := summaryOf(t, o)
	if s.Questions != n || s.Score == nil || s.Score.N != n || s.Score.Value < 0.8 || s.Against != nil ||
		o.stderr != "" ||
		!strings.Contains(o.stdout, "not measured: there is no mask file") {
		t.Errorf("%+v", o)
	}
	equal, images := 0, 0
	for i, r := range rowsOf(t, filepath.Join(folder, "rows.jsonl")) {
		want := answerOf(t, i)
		if r.Answer == want {
			equal++
		}
		images += r.Timings.Images
		if detect := strings.HasPrefix(r.Prefix, "detect"); detect != (r.Scores.F1 != nil) || detect &&
			r.Answer != "" && (len(r.Objects) == 0 || r.Objects[0].Score.Score >= 1) {
			t.Errorf("%+v", r)
		}
	}
	if equal < n-1 || images >= n/3 {
		t.Errorf("%d of %d answers as the reference's; %d images encoded", equal, n, images)
	}

	// The journal is complete: nothing is asked. With the mask file it is another run, and masks
	// are measured.
	again := run(t, program(folder, evalArgs("-m", "d", "--per-question", "rows.jsonl")...))
	if again.stdout != o.stdout || again.stderr != "" {
		t.Errorf("asked again: %+v", again)
	}
	if o := run(t, program(folder, "convert", "--masks", "testdata/demo/masks.npz", "--name", "demo", "-o",
		"d")); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	if o := run(t, program(folder, evalArgs("-m", "d", "--per-question", "rows.jsonl")...)); o.code != 1 ||
		!strings.Contains(o.stderr, "of a run with other questions") {
		t.Errorf("another run: %+v", o)
	}
	s = summaryOf(t, run(t, program(folder, evalArgs("-m", "d", "--per-question", "rows.jsonl", "--force")...)))
	for _, x := range s.Scores {
		if x.Metric == "mask IoU" && (x.Value == nil || *x.Value < 0.6) {
			t.Errorf("%+v", x)
		}
	}
	text := run(t, program(folder, append(evalArgs("-m", "d", "--per-question", "rows.jsonl"), "--json=false")...))
	if !strings.Contains(text.stdout, "mask IoU") || !strings.Contains(text.stdout, "24 questions") {
		t.Errorf("%+v", text)
	}
}

// answerOf returns answer i of answers.jsonl.
func answerOf(t *testing.T, i int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "demo/pictures/answers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ Answer string }
	if err := json.Unmarshal(bytes.Split(b, []byte("\n"))[i], &a); err != nil {
		t.Fatal(err)
	}
	return a.Answer
}

func TestEvalAgainst(t *testing.T) {
	folder := evalPlace(t, 6)
	s := summaryOf(t, run(t, program(folder, evalArgs("-m", "d", "--against", "d")...)))
	if a := s.Against; a == nil || a.KLMean != 0 || a.KLP99 != 0 || a.EqualTop != 1 || a.Equal != 1 ||
		a.Positions < 20 {
		t.Errorf("against itself: %+v", s.Against)
	}
	s = summaryOf(t, run(t, program(folder, evalArgs("-m", "q", "--against", "d", "--per-question", "rows.jsonl")...)))
	rows := rowsOf(t, filepath.Join(folder, "rows.jsonl"))
	positions, equal, top := 0, 0, 0
	for i, r := range rows {
		positions += len(r.Against.KL)
		top += r.Against.Top
		if r.Against.Equal != (r.Against.Answer == r.Answer) || r.Against.Answer != answerOf(t, i) {
			t.Errorf("%+v", r)
		}
		if r.Against.Equal {
			equal++
		}
	}
	if a := s.Against; a.Positions != positions || a.EqualTop != float64(top)/float64(positions) ||
		a.Equal != float64(equal)/6 || a.KLMean <= 0 || a.KLP99 < a.KLMean {
		t.Errorf("%+v; %d positions, %d equal tops, %d equal answers", a, positions, top, equal)
	}

	// The divergence of the first token, from the logits that both models write down.
	first := func(model, prompt string) []float32 {
		t.Helper()
		path := filepath.Join(folder, model+".npz")
		if o := run(t, program(folder, "run", "-m", model, "-i", photo, prompt, "--max-tokens", "1", "--threads", "1",
			"--dump", path)); o.code != 0 {
			t.Fatalf("%+v", o)
		}
		a, err := npz.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		x, _ := a.Tensor("logits")
		v, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	p, q := softmax(first("d", rows[0].Prefix)), softmax(first("q", rows[0].Prefix))
	want := 0.0
	for i := range p {
		want += p[i] * math.Log(p[i]/q[i])
	}
	if have := rows[0].Against.KL[0]; math.Abs(have-want) > 1e-9+1e-6*want {
		t.Errorf("divergence of the first token: have %v, want %v", have, want)
	}
}

func softmax(logits []float32) []float64 {
	p, sum := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		p[i] = math.Exp(float64(v))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// Killed or interrupted again and again, a run ends with what an undisturbed one gives.
func TestEvalKilled(t *testing.T) {
	folder := evalPlace(t, 24)
	args := func(journal string) []string { return evalArgs("-m", "q", "--against", "d", "--per-question", journal) }
	want := summaryOf(t, run(t, program(folder, args("whole.jsonl")...)))
	kills := 0
	for wait := 60 * time.Millisecond; kills < 8; wait += 40 * time.Millisecond {
		cmd := program(folder, args("killed.jsonl")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(wait)
		signal := []os.Signal{os.Kill, os.Interrupt}[kills%2]
		cmd.Process.Signal(signal)
		if err := cmd.Wait(); err == nil {
			break // it was faster
		}
		// -1: the program had not begun
		if code := cmd.ProcessState.ExitCode(); signal == os.Interrupt && code != 130 && code != -1 {
			t.Errorf("interrupted: code %d", code)
		}
		kills++
	}
	o := run(t, program(folder, args("killed.jsonl")...))
	have := summaryOf(t, o)
	t.Logf("killed %d times; %s", kills, o.stderr)
	have.Timings, want.Timings = eval.Medians{}, eval.Medians{}
	if d := cmp.Diff(want, have); d != "" || kills == 0 {
		t.Errorf("killed %d times (-want +got)\n%s", kills, d)
	}
	a, b := rowsOf(t, filepath.Join(folder, "whole.jsonl")), rowsOf(t, filepath.Join(folder, "killed.jsonl"))
	for i := range a {
		a[i].Timings, b[i].Timings = eval.Timings{}, eval.Timings{}
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("rows (-want +got)\n%s", d)
	}
}
