package main

// This file: docs/quality.md.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// write writes the page and its plots.
func write(folder string, r *results) error {
	for name, draw := range map[string]func(io.Writer) error{
		"quality.md":             r.page,
		"quality-divergence.png": func(w io.Writer) error { return r.draw(w, divergence, "png") },
		"quality-score.png":      func(w io.Writer) error { return r.draw(w, lost, "png") },
	} {
		f, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if err := errors.Join(draw(f), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return nil
}

func (r *results) page(out io.Writer) error {
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("# What each type costs\n")
	p("Written by `make quality QUESTIONS=%s`, on the demo checkpoint. No published checkpoint was measured: "+
		"they require a licence to be accepted.\n", filepath.ToSlash(r.questions))
	r.advice(p)
	p("![Divergence from f32, by size](quality-divergence.png)\n")
	p("![Score lost against f32, by size](quality-score.png)\n")
	r.scoreTable(p, "The text file", "The mmproj file is f32.", true)
	r.scoreTable(p, "The mmproj file",
		"The text file is f32. Rows of 128 and of 352, which the demo's encoder has, are not multiples of 256: "+
			"q6_k, q5_k, q4_k, iq4_xs and q3_k are\nreplaced by the nearest type of blocks of 32 there, and so are "+
			"those of a published encoder with rows of 1152.", false)
	r.pairTable(p)
	r.tokenTable(p)
	r.weightedTable(p)
	r.method(p)
	_, err := io.WriteString(out, w.String())
	return err
}

// say writes a line.
type say func(format string, args ...any)

// advice is what to take, and whether the recipes of the words hold what is asked of them.
func (r *results) advice(p say) {
	int8 := r.get(word("int8", false), word("int8", true))
	int4 := r.get(word("int4", false), word("int8", true))
	iq4 := r.get("iq4_nl", word("int8", true))
	p("**Take `int8` for both files, and where memory is short `int4` for the text file with `int8` for the " +
		"mmproj file.**\n")
	for _, x := range []struct {
		name string
		figure
		limit float64
	}{{"int8` / `int8", int8, 0.5}, {"int4` / `int8", int4, 3}, {"iq4_nl` / `int8", iq4, 3}} {
		loss, metric := x.worst()
		verdict := fmt.Sprintf("within the %.1f points that are asked of it", x.limit)
		if loss > x.limit {
			verdict = fmt.Sprintf("more than the %.1f points that are asked of it", x.limit)
		}
		p("- `%s` (%v with %v, %.0f %% of the bytes of f32): the largest loss of any score is %s points (%s), "+
			"%s; over all questions %s ± %.2f points. Divergence %s nats.",
			x.name, x.Text, x.Vision, 100*float64(x.textBytes+x.visionBytes)/float64(r.exact.textBytes+
				r.exact.visionBytes),
			points(loss), metric, verdict, points(x.losses[len(x.losses)-1]), x.noise, small(x.Against.KLMean))
	}
	best := ""
	for _, t := range []string{"q4_k_m", "q4_k_s", "q4_1", "q4_0", "iq4_nl", "iq4_xs"} {
		if best == "" || r.get(t, reference).Against.KLMean < r.get(best, reference).Against.KLMean {
			best = t
		}
	}
	p("\nOf the types of 4 bits %s diverges least for the text file: %s nats; `int4` is %v: %s nats.\n", best,
		small(r.get(best, reference).Against.KLMean),
		int4.Text, small(r.get(int4.Text.Type, reference).Against.KLMean))
	r.forWhom(p, int4, iq4)
}

// forWhom says which type is right for whom. The encoders' speeds are those of BenchmarkEncode
// (quant): they do not depend on the model.
func (r *results) forWhom(p say, int4, iq4 figure) {
	last := len(metrics) - 1
	p("Which for whom:\n")
	p("- `int8`: whoever has the memory. No loss was measured, and few types are as fast.")
	p("- `int4`: where memory is short. %v is the fastest type on processors with and without AVX-512 (our "+
		"kernels, ggml's\n  interleaved blocks), and a 3B is converted in seconds.", int4.Text)
	p("- `iq4_nl`: where memory is short, and a model is converted once and asked for long. In %.1f %% of the bytes "+
		"of %v "+
		"it has\n  %.0f %% of its divergence (%s points lost for %s, ± %.2f, ± %.2f). It has kernels where %v has "+
		"them, and is "+
		"slightly slower.\n  But its encoder tries many scales: 5 million weights a second and core, so that a 3B "+
		"takes "+
		"four minutes on two cores, not seconds.", 100*float64(iq4.textBytes)/float64(int4.textBytes), int4.Text,
		100*iq4.Against.KLMean/int4.Against.KLMean, points(iq4.losses[last]), points(int4.losses[last]), iq4.noise,
		int4.noise, int4.Text)
	p("\nThe word `int4` stays %v for that reason: conversion is what a person waits for, and the scores differ by "+
		"less than their errors.\n", int4.Text)
}

// small writes a small number with two digits that count.
func small(v float64) string { return fmt.Sprintf("%.2g", v) }

// scoreTable is the table of one file's types, the other file being f32.
func (r *results) scoreTable(p say, title, about string, text bool) {
	p("## %s\n\n%s\n", title, about)
	header, line := "| type | MB | 3B: GB |", "|---|---|---|"
	for _, x := range metrics {
		header, line = header+" "+x.name+" |", line+"---|"
	}
	p("%s all: lost | KL mean | KL 99 %% | same token | same answer | %s |\n%s---|---|---|---|---|---|", header,
		timeOf(text), line)
	for _, t := range types() {
		f := r.get(t, reference)
		bytes, large, ms := f.textBytes, r.sizes[t].Text, fmt.Sprintf("%.1f / %.2f", f.Timings.Prefill,
			f.Timings.DecodeToken)
		if !text {
			f = r.get(reference, t)
			bytes, large, ms = f.visionBytes, r.sizes[t].Vision, fmt.Sprintf("%.1f", f.Timings.Vision)
		}
		row := fmt.Sprintf("| %s | %.2f | %.2f |", t, float64(bytes)/1e6, float64(large)/1e9)
		for _, s := range f.scores {
			row += fmt.Sprintf(" %.1f |", s)
		}
		p("%s %s ± %.2f | %s | %s | %.1f | %.1f | %s |", row, points(f.losses[len(f.losses)-1]), f.noise,
			small(f.Against.KLMean), small(f.Against.KLP99), 100*f.Against.EqualTop, 100*f.Against.Equal, ms)
	}
	p("")
}

func timeOf(text bool) string {
	if text {
		return "ms prompt / token"
	}
	return "ms image"
}

// pairTable shows the divergence of pairs.
func (r *results) pairTable(p say) {
	p("## Both files\n\nMean divergence in nats, and the largest loss of any score in points; text types down, " +
		"mmproj types across.\n")
	header, line := "| |", "|---|"
	for _, v := range pairedVision() {
		header, line = header+" "+v+" |", line+"---|"
	}
	p("%s\n%s", header, line)
	for _, t := range pairedText() {
		row := "| " + t + " |"
		for _, v := range pairedVision() {
			f := r.get(t, v)
			loss, metric := f.worst()
			row += fmt.Sprintf(" %s, %s (%s) |", small(f.Against.KLMean), points(loss), metric)
		}
		p("%s", row)
	}
	p("")
}

// weightedTable shows what an importance matrix brings.
func (r *results) weightedTable(p say) {
	p("## With an importance matrix\n\n`pali imatrix` on the 200 questions of testdata/demo, then `pali " +
		"quantize --imatrix`. Mean divergence in nats, and the share that is left;")
	p("flat is the share left with a matrix in which all columns weigh the same.\n")
	p("| type | text file | with imatrix | left | flat | mmproj file | with imatrix | left " +
		"|\n|---|---|---|---|---|---|---|---|")
	exact := half{Type: reference}
	mean := func(text, vision half) float64 { return r.byPair[pair{text, vision}].Against.KLMean }
	for _, t := range types() {
		if !weighable(t) {
			continue
		}
		plain, with, even := half{Type: t}, half{Type: t, Weights: calibrated}, half{Type: t, Weights: flat}
		p("| %s | %s | %s | %.0f %% | %.0f %% | %s | %s | %.0f %% |", t,
			small(mean(plain, exact)), small(mean(with, exact)), 100*mean(with, exact)/mean(plain, exact),
			100*mean(even, exact)/mean(plain, exact),
			small(mean(exact, plain)), small(mean(exact, with)), 100*mean(exact, with)/mean(exact, plain))
	}
	left := func(t, weights string) float64 {
		return 100 * mean(half{Type: t, Weights: weights}, exact) / mean(half{Type: t}, exact)
	}
	p("\nA matrix of importance can help where columns differ in it. In the demo's text file the mean square "+
		"of what meets a column has a 90th percentile of %.1f times the 10th", r.spread)
	p("(median over the matrices; %.0f times where they differ most). The flat matrix knows nothing of "+
		"columns: with it q4_0 keeps %.0f %% of its divergence and q4_k_m %.0f %%, with the",
		r.spreadMax, left("q4_0", flat), left("q4_k_m", flat))
	p("calibrated one %.0f %% and %.0f %%. So what these two gain here is the search for better scales that "+
		"llama.cpp's encoders make whenever they are given a matrix. Models of",
		left("q4_0", calibrated), left("q4_k_m", calibrated))
	p("billions of parameters have columns that stand out more; what a matrix brings them was not measured.\n")
}

// tokenTable shows what the type of the token table costs.
func (r *results) tokenTable(p say) {
	p("## The token table\n\nIt is the input embedding, the locations' among it, and the classifier. Text " +
		"file's MB, and mean divergence in nats; text types down, types of the table across.\n")
	header, line := "| |", "|---|"
	for _, t := range tables {
		header, line = header+" "+t+" |", line+"---|"
	}
	p("%s\n%s", header, line)
	for _, t := range tabled() {
		row := "| " + t + " |"
		for _, table := range tables {
			f := r.byPair[pair{half{Type: t, Table: table}, half{Type: reference}}]
			row += fmt.Sprintf(" %.2f MB, %s |", float64(f.textBytes)/1e6, small(f.Against.KLMean))
		}
		p("%s", row)
	}
	p("")
}

// method says what the figures are and what they are not.
func (r *results) method(p say) {
	p("## How it was measured\n")
	var over []string
	for i, x := range metrics[:len(metrics)-1] {
		over = append(over, fmt.Sprintf("%s over %d", x.name, r.counts[i]))
	}
	p("%d questions about images that neither the training nor the importance matrix saw, asked by `pali "+
		"eval`, one thread each, greedy. Scores are in percent: %s.",
		r.exact.Questions, strings.Join(over, ", "))
	p("One answer of %d is %.2f points. \"all\" is the mean of all questions' own scores, \"lost\" what it "+
		"lacks of that of f32, with the standard error of the difference.",
		r.counts[0], 100/float64(r.counts[0]))
	p("The divergence is Kullback and Leibler's, at each position of the answer that the model in f32 gives. " +
		"\"3B\" is the size that `pali estimate` gives for a PaliGemma 3B of 224 pixels.")
	p("\nA model as small as the demo has little to spare in each weight, and its matrices are narrow: what a " +
		"type costs here does not say what it costs a 3B, and")
	p("times are those of the calls around very small products. How fast the types are on matrices of a 3B is " +
		"in [performance.md](performance.md).")
}

// points writes a difference, and no zero with a sign.
func points(v float64) string {
	if text := fmt.Sprintf("%.2f", v); text != "-0.00" {
		return text
	}
	return "0.00"
}
