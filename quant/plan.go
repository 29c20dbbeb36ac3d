package quant

// This file: a recipe applied to the tensors of a file, with what the user wants otherwise.

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

// Plan says how a file is stored: it is a convert.Encoder. After Choose it is safe for concurrent
// use.
type Plan struct {
	Recipe  Recipe
	Pure    bool     // every matrix in the recipe's Matrix, but for those that Override names
	Imatrix *Imatrix // which columns matter; nil: all columns of a matrix matter equally

	// Fallbacks counts, of the last Choose, the tensors whose rows the block does not divide: by
	// the type that was meant and the type that was taken.
	Fallbacks map[[2]gguf.Type]int

	overrides []override           // of several that match a tensor's name the last counts
	weights   map[string][]float32 // of the matrices of the last Choose that are rounded by them
}

// override gives matrices another type.
type override struct {
	pattern *regexp.Regexp // found anywhere in the name
	typ     gguf.Type
}

// Names lists what NewPlan accepts: "q8_0, ..., int8, int4".
func Names() []string {
	var names []string
	for _, r := range Recipes {
		names = append(names, r.Name)
	}
	return append(names, "int8", "int4")
}

// NewPlan finds the recipe called name, in any case. int8 and int4 may mean another recipe for the
// mmproj file (vision) than for the text file.
func NewPlan(name string, vision bool) (*Plan, error) {
	want := strings.ToLower(strings.TrimSpace(name))
	if w, ok := aliases[want]; ok {
		if want = w.text; vision {
			want = w.vision
		}
	}
	i := slices.IndexFunc(Recipes, func(r Recipe) bool { return r.Name == want })
	if i < 0 {
		return nil, fmt.Errorf("type %q: want %s", name, strings.Join(Names(), ", "))
	}
	return &Plan{Recipe: Recipes[i]}, nil
}

// Override reads s, "REGEX=TYPE", and gives the matrices in whose names REGEX is found that type.
// Of several overrides of a matrix the last counts. It fails on a pattern that is not found in the
// name of any matrix that a PaliGemma can have.
func (p *Plan) Override(s string) error {
	pattern, name, ok := cutLast(s, "=")
	if !ok {
		return fmt.Errorf("%q: want REGEX=TYPE", s)
	}
	pattern = strings.TrimSpace(pattern)
	t, err := parseType(name)
	if err != nil {
		return err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(matrixNames(), re.MatchString) {
		return fmt.Errorf("%q: no matrix has such a name", pattern)
	}
	p.overrides = append(p.overrides, override{re, t})
	return nil
}

// OverrideTable gives the token table the type of that name.
func (p *Plan) OverrideTable(name string) error {
	t, err := parseType(name)
	if err != nil {
		return err
	}
	p.overrides = append(p.overrides, override{regexp.MustCompile("^" + regexp.QuoteMeta(gemma.TokenEmbd) + "$"), t})
	return nil
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// parseType finds a type that a matrix can be stored in by its name, in any case.
func parseType(name string) (gguf.Type, error) {
	var names []string
	name = strings.TrimSpace(name)
	for _, t := range matrixTypes {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
		names = append(names, strings.ToLower(t.String()))
	}
	return 0, fmt.Errorf("type %q: want %s", name, strings.Join(names, ", "))
}

// matrixNames lists the names of all matrices of the largest model that package gemma accepts.
func matrixNames() []string {
	var names []string
	for _, t := range slices.Concat(gemma.Tensors(paligemma.TextConfig{BlockCount: 512}),
		mmproj.Tensors(paligemma.VisionConfig{BlockCount: 512, PatchSize: 1})) {
		if isMatrix(t) {
			names = append(names, t.Name)
		}
	}
	return names
}

// Name returns the recipe's name as files have it: "Q4_K_M".
func (p *Plan) Name() string { return strings.ToUpper(p.Recipe.Name) }

// FileType returns what general.file_type says of the file.
func (p *Plan) FileType() uint32 { return p.Recipe.FileType }

// Blocks reports whether matrices may be stored in blocks.
func (p *Plan) Blocks() bool {
	return p.Recipe.Matrix.Blocked() || slices.ContainsFunc(p.overrides,
		func(o override) bool { return o.typ.Blocked() })
}

// Choose sets the types of tensors, all those of a file, whose names and shapes are given. It fails
// where the importance matrix lacks a matrix that is to be rounded by it, or is another model's.
func (p *Plan) Choose(tensors []gguf.Tensor) error {
	p.Fallbacks, p.weights = map[[2]gguf.Type]int{}, map[string][]float32{}
	of := layer{gqaRatio: gqaRatio(tensors), weighted: p.Imatrix != nil}
	for _, t := range tensors {
		at, _ := role(t.Name)
		of.of = max(of.of, at+1)
	}
	for i := range tensors {
		t := &tensors[i]
		if !isMatrix(*t) {
			t.Type = gguf.F32
			continue
		}
		want := p.want(t.Name, of)
		t.Type = fallbackFor(want, t.Shape[len(t.Shape)-1])
		if t.Type != want {
			p.Fallbacks[[2]gguf.Type{want, t.Type}]++
		}
		// Q8_0 has no choice to make: ggml's encoder ignores weights
		if p.Imatrix != nil && t.Type.Blocked() && t.Type != gguf.Q8_0 {
			var err error
			if p.weights[t.Name], err = p.Imatrix.Weights(t.Name, t.Shape[len(t.Shape)-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Keys returns the keys that say, as llama.cpp's files do, which importance matrix the last Choose
// took: none if it took none.
func (p *Plan) Keys() []gguf.KV {
	if len(p.weights) == 0 {
		return nil
	}
	return []gguf.KV{
		{Key: "quantize.imatrix.file", Value: p.Imatrix.Name},
		{Key: "quantize.imatrix.dataset", Value: strings.Join(p.Imatrix.Datasets, ", ")},
		{Key: "quantize.imatrix.entries_count", Value: uint32(len(p.Imatrix.Squares))},
		{Key: "quantize.imatrix.chunks_count", Value: uint32(min(int64(p.Imatrix.Chunks), math.MaxUint32))},
	}
}

// checkUsed refuses an override that is for none of the matrices among tensors.
func (p *Plan) checkUsed(tensors []gguf.Tensor) error {
	for _, o := range p.overrides {
		if !slices.ContainsFunc(tensors, func(t gguf.Tensor) bool {
			return isMatrix(t) &&
				o.pattern.MatchString(t.Name)
		}) {
			return fmt.Errorf("%q=%s: no matrix of this file has such a name", o.pattern,
				strings.ToLower(o.typ.String()))
		}
	}
	return nil
}

// want returns the type that a matrix should have, whatever its width.
func (p *Plan) want(name string, l layer) gguf.Type {
	for _, o := range slices.Backward(p.overrides) {
		if o.pattern.MatchString(name) {
			return o.typ
		}
	}
	r := p.Recipe
	if p.Pure {
		return r.Matrix
	}
	var rules []rule
	at, pattern := role(name)
	switch pattern {
	case gemma.TokenEmbd:
		return r.Table
	case mmproj.ProjectionWeight:
		return r.Projector
	case gemma.AttnV, mmproj.AttnVWeight:
		rules = r.Value
	case gemma.AttnOutput, mmproj.AttnOutWeight:
		rules = r.Output
	case gemma.FFNDown, mmproj.FFNDownWeight:
		rules = r.Down
	}
	l.at = at
	for _, rule := range rules {
		if rule.takes(l) {
			return rule.as
		}
	}
	return r.Matrix
}

// fallbackFor returns the type, or the nearest whose blocks divide a row of cols elements.
func fallbackFor(t gguf.Type, cols int) gguf.Type {
	divides := func(t gguf.Type) bool { elements, _ := t.Block(); return cols%elements == 0 }
	if other, ok := fallback[t]; ok && !divides(t) {
		t = other
	}
	if !divides(t) {
		return gguf.F16
	}
	return t
}

// isMatrix reports whether a tensor is a matrix that a recipe may store in another type than F32.
func isMatrix(t gguf.Tensor) bool {
	return len(t.Shape) == 2 && t.Name != mmproj.PositionEmbd
}

var layered = regexp.MustCompile(`^((?:v\.)?blk\.)([0-9]{1,3})(\..*)$`)

// role returns a tensor's layer, and its name as packages gemma and mmproj have it, with %d for the
// layer.
func role(name string) (layer int, pattern string) {
	m := layered.FindStringSubmatch(name)
	if m == nil {
		return 0, name
	}
	layer, _ = strconv.Atoi(m[2])
	return layer, m[1] + "%d" + m[3]
}

// gqaRatio returns how many query heads share a key/value head, which is in the shapes of their
// matrices; 1 for the encoder.
func gqaRatio(tensors []gguf.Tensor) int {
	var q, k int
	for _, t := range tensors {
		switch t.Name {
		case fmt.Sprintf(gemma.AttnQ, 0):
			q = t.Shape[0]
		case fmt.Sprintf(gemma.AttnK, 0):
			k = t.Shape[0]
		}
	}
	if k == 0 {
		return 1
	}
	return q / k
}
