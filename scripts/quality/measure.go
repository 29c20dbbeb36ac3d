package main

// This file: the models in every type, and their answers.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/quant"
)

// reference is the type that the others are compared with.
const reference = "f32"

// types lists the types of one file, the widest first.
func types() []string {
	return slices.DeleteFunc(quant.Names(), func(name string) bool { return name == "int8" || name == "int4" })
}

// word returns the type that int8 or int4 stands for in a text or a vision file.
func word(name string, vision bool) string {
	p, err := quant.NewPlan(name, vision)
	if err != nil {
		panic(err) // the words are the program's own
	}
	return p.Recipe.Name
}

// half is one file of a pair.
type half struct {
	Type    string
	Weights string // the importance matrix: none, calibrated or flat
	Table   string // type of the token table; "": as the type has it
}

// Importance matrices: what pali imatrix saw, and one in which all columns weigh the same, to tell
// what the columns' weights bring from what the search for scales brings that llama.cpp's encoders
// make whenever there is a matrix.
const (
	calibrated = "imatrix"
	flat       = "flat"
)

func (h half) String() string {
	s := h.Type
	if h.Weights != "" {
		s += "-" + h.Weights
	}
	if h.Table != "" {
		s += "-table-" + h.Table
	}
	return s
}

// pair is a text file and a vision file.
type pair struct{ Text, Vision half }

func (p pair) String() string { return fmt.Sprintf("%v.%v", p.Text, p.Vision) }

// weighable reports whether an importance matrix changes a type: one of blocks that are fitted,
// which q8_0's are not.
func weighable(name string) bool {
	return !slices.Contains([]string{"f32", "f16", "bf16", "q8_0"}, name)
}

// pairs lists what is measured: each type of one file with the other in f32, with and without an
// importance matrix; pairs that a person would take; and some types with other token tables.
func pairs() []pair {
	exact := half{Type: reference}
	var all []pair
	for _, t := range types() {
		all = append(all, pair{half{Type: t}, exact}, pair{exact, half{Type: t}})
		if weighable(t) {
			weighted := half{Type: t, Weights: calibrated}
			all = append(all, pair{weighted, exact}, pair{exact, weighted}, pair{half{Type: t, Weights: flat}, exact})
		}
	}
	for _, t := range pairedText() {
		for _, v := range pairedVision() {
			all = append(all, pair{half{Type: t}, half{Type: v}})
		}
	}
	for _, t := range tabled() {
		for _, table := range tables {
			all = append(all, pair{half{Type: t, Table: table}, exact})
		}
	}
	slices.SortFunc(all, func(a, b pair) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// pairedText and pairedVision list the types that are paired with each other.
func pairedText() []string {
	return unique(word("int8", false), "q4_k_m", "iq4_nl", word("int4", false), "q4_0")
}
func pairedVision() []string { return unique(word("int8", true), word("int4", true)) }

// tables are types of the token table, and tabled the text types that are tried with each.
var tables = []string{"f16", "q8_0", "q6_k", "q4_0"}

func tabled() []string { return unique(word("int8", false), "iq4_nl", word("int4", false), "q4_0") }

func unique(names ...string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// measurement is a run of the program.
type measurement struct{ *flags }

// call runs pali and returns what it prints.
func (m *measurement) call(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, m.pali, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pali %s: %w: %s", strings.Join(args, " "), errors.Join(err, ctx.Err()),
			strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

func (m *measurement) path(name string) string { return filepath.Join(m.work, name) }

func (m *measurement) text(h half) string   { return m.path("demo-" + h.String() + ".gguf") }
func (m *measurement) vision(h half) string { return m.path("mmproj-demo-" + h.String() + ".gguf") }

// models makes the files of all pairs.
func (m *measurement) models(ctx context.Context) error {
	demo := filepath.Join(m.data, "demo")
	if _, err := m.call(ctx, "convert", filepath.Join(demo, "demo.npz"), "--tokenizer",
		filepath.Join(demo, "tokenizer.model"),
		"--masks", filepath.Join(demo, "masks.npz"), "--name", "demo", "-t", reference, "-o", m.work,
		"--force"); err != nil {
		return err
	}
	text, vision := m.path("demo-F32.gguf"), m.path("mmproj-demo-F32.gguf")
	weights := m.weights(calibrated)
	if _, err := m.call(ctx, "imatrix", "-m", text, "--mmproj", vision, "-t", "1", "--questions",
		filepath.Join(demo, "pictures", "questions.jsonl"),
		"-o", weights, "--force"); err != nil {
		return err
	}
	if err := m.flatten(); err != nil {
		return err
	}
	quantize := func(from, to string, h half) error {
		args := []string{"quantize", from, to, h.Type, "--force"}
		if h.Weights != "" {
			args = append(args, "--imatrix", m.weights(h.Weights))
		}
		if h.Table != "" {
			args = append(args, "--token-embedding-type", h.Table)
		}
		_, err := m.call(ctx, args...)
		return err
	}
	for _, p := range pairs() {
		if p.Vision == (half{Type: reference}) {
			if err := quantize(text, m.text(p.Text), p.Text); err != nil {
				return err
			}
		}
		if p.Text == (half{Type: reference}) {
			if err := quantize(vision, m.vision(p.Vision), p.Vision); err != nil {
				return err
			}
		}
	}
	return nil
}

// weights is the file of an importance matrix.
func (m *measurement) weights(name string) string { return m.path(name + ".gguf") }

// flatten writes the flat matrix, from the calibrated one.
func (m *measurement) flatten() error {
	matrix, err := quant.OpenImatrix(m.weights(calibrated))
	if err != nil {
		return err
	}
	for _, s := range matrix.Squares {
		for i := range s.Sums {
			s.Sums[i] = float64(s.Rows)
		}
	}
	out, err := matrix.Bytes(gguf.F32)
	if err != nil {
		return err
	}
	return os.WriteFile(m.weights(flat), out, 0o600)
}

// columnSpread returns how much a matrix's columns differ: the mean square of what meets the most
// important tenth of them begins, over that where the least important tenth ends. It returns the
// median over all matrices of the text file, and the largest.
func (m *measurement) columnSpread() (median, largest float64, err error) {
	matrix, err := quant.OpenImatrix(m.weights(calibrated))
	if err != nil {
		return 0, 0, err
	}
	var all []float64
	for _, s := range matrix.Squares {
		if strings.HasPrefix(s.Name, "blk.") {
			sums := slices.Sorted(slices.Values(s.Sums))
			all = append(all, sums[len(sums)*9/10]/sums[len(sums)/10])
		}
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1], nil
}

// evaluate asks every pair the questions.
func (m *measurement) evaluate(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(m.jobs)
	all := pairs()
	for i, p := range all {
		group.Go(func() error {
			fmt.Fprintf(os.Stderr, "%d of %d: text %v, vision %v\n", i+1, len(all), p.Text, p.Vision)
			exact := half{Type: reference}
			_, err := m.call(ctx, "eval", "-m", m.text(p.Text), "--mmproj", m.vision(p.Vision), "--against",
				m.text(exact), "--against-mmproj", m.vision(exact),
				"--masks", m.path("masks-demo.gguf"), "--questions", m.questions, "--images",
				filepath.Join(m.data, "quality"),
				"--per-question", m.journal(p), "--threads", "1")
			return err
		})
	}
	return group.Wait()
}

func (m *measurement) journal(p pair) string { return m.path(p.String() + ".jsonl") }

// estimated is what pali estimate says of a published 3B at 224 pixels, in bytes.
type estimated struct {
	Text   int64 `json:"text_bytes"`
	Vision int64 `json:"mmproj_bytes"`
}

// estimate asks for the sizes of the 3B in every type.
func (m *measurement) estimate(ctx context.Context) (map[string]estimated, error) {
	sizes := map[string]estimated{}
	for _, t := range types() {
		out, err := m.call(ctx, "estimate", "3b", t, "--json")
		if err != nil {
			return nil, err
		}
		var e estimated
		if err := json.Unmarshal(out, &e); err != nil {
			return nil, err
		}
		sizes[t] = e
	}
	return sizes, nil
}
