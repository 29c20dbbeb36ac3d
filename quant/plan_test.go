package quant

// This file: the types that the recipes give to whole models, and what a user can change of them.

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/abitest"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

var update = flag.Bool("update", false, "rewrite the files of testdata; not where CI is set")

// models are those of the golden tables: the sizes of testdata/demo, and of the two published 3B.
var models = []struct {
	name   string
	text   paligemma.TextConfig
	vision paligemma.VisionConfig
}{
	{"demo", paligemma.TextConfig{Architecture: paligemma.Gemma, EmbeddingLength: 256, BlockCount: 3,
		FeedForwardLength: 512, HeadCount: 4, HeadCountKV: 1, KeyLength: 64, VocabSize: 2048},
		paligemma.VisionConfig{ImageSize: 112, PatchSize: 14, EmbeddingLength: 128, FeedForwardLength: 344,
			BlockCount: 4, HeadCount: 4, ProjectionDim: 256}},
	{"paligemma-3b", paligemma.Variants[0].Text, siglip(2048)},
	{"paligemma2-3b", paligemma.Variants[1].Text, siglip(2304)},
}

func siglip(projection int) paligemma.VisionConfig {
	return paligemma.VisionConfig{ImageSize: 224, PatchSize: 14, EmbeddingLength: 1152, FeedForwardLength: 4304,
		BlockCount: 27, HeadCount: 16, ProjectionDim: projection}
}

// chosen returns the tensors of both files of a model with their types, as pali convert stores
// them.
func chosen(t *testing.T, text paligemma.TextConfig, vision paligemma.VisionConfig, change func(*Plan),
	name string) []gguf.Tensor {
	t.Helper()
	var all []gguf.Tensor
	for _, isVision := range []bool{false, true} {
		p, err := NewPlan(name, isVision)
		if err != nil {
			t.Fatal(err)
		}
		change(p)
		tensors := gemma.Tensors(text)
		if isVision {
			if p.Blocks() {
				vision.FeedForwardLength = mmproj.PaddedWidth(vision.FeedForwardLength)
			}
			tensors = mmproj.Tensors(vision)
		}
		if err := p.Choose(tensors); err != nil {
			t.Fatal(err)
		}
		all = append(all, tensors...)
	}
	return all
}

func unchanged(*Plan) {}

// evenly makes the importance matrix of a model whose matrices saw nothing but ones.
func evenly(text paligemma.TextConfig, vision paligemma.VisionConfig) *Imatrix {
	m := &Imatrix{Name: "ones.gguf", Datasets: []string{"a", "b"}, Chunks: 3}
	for _, t := range slices.Concat(gemma.Tensors(text), mmproj.Tensors(vision)) {
		if isMatrix(t) {
			s := ggml.SumSquares{Name: t.Name, Rows: 1, Sums: make([]float64, t.Shape[1])}
			for i := range s.Sums {
				s.Sums[i] = 1
			}
			m.Squares = append(m.Squares, s)
		}
	}
	slices.SortFunc(m.Squares, func(a, b ggml.SumSquares) int { return strings.Compare(a.Name, b.Name) })
	return m
}

// Each matrix of three models in each recipe, as a table that a person can read:
// testdata/recipes-*.txt.
func TestRecipes(t *testing.T) {
	if *update && os.Getenv("CI") != "" {
		t.Fatal("-update is refused where CI is set: look at the difference first")
	}
	for _, m := range models {
		var columns [][]gguf.Tensor
		header := fmt.Sprintf("%-26s", "")
		for _, r := range Recipes {
			columns = append(columns, chosen(t, m.text, m.vision, unchanged, r.Name))
			header += fmt.Sprintf(" %-6s", r.Name)
		}
		lines := []string{strings.TrimRight(header, " ")}
		for i, x := range columns[0] {
			line, matrix := fmt.Sprintf("%-26s", x.Name), false
			for _, c := range columns {
				line += fmt.Sprintf(" %-6s", c[i].Type)
				matrix = matrix || c[i].Type != gguf.F32
			}
			if matrix != isMatrix(x) {
				t.Errorf("%s %s: F32 or not, a matrix or not", m.name, x.Name)
			}
			if matrix {
				lines = append(lines, strings.TrimRight(line, " "))
			}
		}
		golden(t, "recipes-"+m.name+".txt", strings.Join(lines, "\n")+"\n")
	}
}

func golden(t *testing.T, name, have string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(have), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, w := strings.Split(have, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(h), len(w)) {
		if i >= len(h) || i >= len(w) || h[i] != w[i] {
			t.Fatalf("%s:%d differs (go test ./quant -update rewrites it):\nhave %q\nwant %q", path, i+1,
				h[min(i, len(h)-1)], w[min(i, len(w)-1)])
		}
	}
}

// The readers take what a recipe makes of any tensor, and no recipe uses a type that --tensor-type
// does not know.
func TestTypesAreAccepted(t *testing.T) {
	for _, r := range Recipes {
		for _, m := range models {
			for _, x := range chosen(t, m.text, m.vision, unchanged, r.Name) {
				if isMatrix(x) != slices.Contains(matrixTypes, x.Type) && x.Type != gguf.F32 {
					t.Errorf("%s: %s is %v", r.Name, x.Name, x.Type)
				}
			}
		}
	}
	for _, x := range matrixTypes {
		if !slices.Contains(gguf.Matrices, x) {
			t.Errorf("%v is none of gguf.Matrices", x)
		}
	}
}

// general.file_type has llama.cpp's numbers.
func TestFileTypes(t *testing.T) {
	source := "#include \"llama.h\"\n"
	for _, r := range Recipes {
		prefix := "LLAMA_FTYPE_MOSTLY_"
		if r.Name == "f32" {
			prefix = "LLAMA_FTYPE_ALL_"
		}
		source += fmt.Sprintf("_Static_assert(%s%s == %d, %q);\n", prefix, strings.ToUpper(r.Name), r.FileType, r.Name)
	}
	if output, err := abitest.Syntax(t, source); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	if _, err := abitest.Syntax(t, source+"_Static_assert(LLAMA_FTYPE_MOSTLY_Q6_K == 17, \"\");"); err == nil {
		t.Error("a wrong number compiles")
	}
}

func TestNewPlan(t *testing.T) {
	for _, name := range Names() {
		for _, vision := range []bool{false, true} {
			p, err := NewPlan(strings.ToUpper(name), vision)
			if err != nil {
				t.Error(err)
			} else if named := strings.EqualFold(p.Name(), name); named == strings.HasPrefix(name, "int") {
				t.Errorf("%s is %s", name, p.Name())
			}
		}
	}
	if len(Names()) != len(aliases)+16 {
		t.Errorf("names: %v", Names())
	}
	for _, name := range []string{"", "q9", "q4_k", "int2"} {
		if _, err := NewPlan(name, false); err == nil || !strings.Contains(err.Error(), "q4_k_m") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What a user changes, and how tensors whose rows a block does not divide are counted.
func TestChanges(t *testing.T) {
	override := func(s string) func(*Plan) {
		return func(p *Plan) {
			if err := p.Override(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	table := func(name string) func(*Plan) {
		return func(p *Plan) {
			if err := p.OverrideTable(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := models[1]
	for _, c := range []struct {
		recipe string
		change []func(*Plan)
		tensor string
		want   gguf.Type
	}{
		{"q4_0", nil, "token_embd.weight", gguf.Q8_0},
		{"q4_0", []func(*Plan){table("q6_k")}, "token_embd.weight", gguf.Q6_K},
		{"q4_0", []func(*Plan){table("q6_k")}, "blk.0.ffn_up.weight", gguf.Q4_0},
		{"q4_0", []func(*Plan){table("q6_k"), override("token=f16")}, "token_embd.weight", gguf.F16},
		{"q4_k_m", []func(*Plan){override("ffn_down=Q8_0")}, "blk.0.ffn_down.weight", gguf.Q8_0},
		{"q4_k_m", []func(*Plan){override("ffn_down=q8_0"), override(`blk\.0\.=bf16`)}, "blk.0.ffn_down.weight",
			gguf.BF16},
		// 1152 is not a multiple of 256
		{"q4_k_m", []func(*Plan){override("v.blk=q6_k")}, "v.blk.3.attn_q.weight", gguf.Q8_0},
		{"q4_k_m", []func(*Plan){override(".=q4_0")}, "blk.0.attn_norm.weight", gguf.F32},
		{"q4_k_m", []func(*Plan){override(".=q4_0")}, mmproj.PositionEmbd, gguf.F32},
		{"q4_k_m", []func(*Plan){override(".=q4_0")}, mmproj.PatchEmbdWeight, gguf.F32},
		{"f16", []func(*Plan){override("ffn_down=q8_0")}, "v.blk.0.ffn_down.weight", gguf.Q8_0}, // padded
		{"q4_k_m", []func(*Plan){func(p *Plan) { p.Pure = true }}, "token_embd.weight", gguf.Q4_K},
		{"q4_k_m", []func(*Plan){func(p *Plan) { p.Pure = true }}, "blk.0.ffn_down.weight", gguf.Q4_K},
		{"q4_k_m", []func(*Plan){func(p *Plan) { p.Pure = true }}, mmproj.ProjectionWeight, gguf.Q5_0},
		{"q4_k_m", []func(*Plan){func(p *Plan) { p.Pure = true }, table("q8_0")}, "token_embd.weight", gguf.Q8_0},
		{"iq4_xs", nil, "blk.0.ffn_down.weight", gguf.Q5_K},
		{"iq4_xs", []func(*Plan){func(p *Plan) { p.Imatrix = evenly(m.text, m.vision) }}, "blk.0.ffn_down.weight",
			gguf.IQ4_XS},
		{"q4_0", []func(*Plan){func(p *Plan) { p.Imatrix = evenly(m.text, m.vision) }}, "blk.1.ffn_down.weight",
			gguf.Q4_1},
		{"q4_0", []func(*Plan){func(p *Plan) { p.Imatrix = evenly(m.text, m.vision) }}, "blk.2.ffn_down.weight",
			gguf.Q4_0},
	} {
		all := chosen(t, m.text, m.vision, func(p *Plan) {
			for _, f := range c.change {
				f(p)
			}
		}, c.recipe)
		i := slices.IndexFunc(all, func(x gguf.Tensor) bool { return x.Name == c.tensor })
		if i < 0 || all[i].Type != c.want {
			t.Errorf("%s: %s is %v, want %v", c.recipe, c.tensor, all[i].Type, c.want)
		}
	}
	for _, c := range []struct {
		s    string
		want string
	}{
		{"ffn_down", "want REGEX=TYPE"}, {"ffn_down=q9", `type "q9"`}, {"ffn_down=q4_k_m", `type "q4_k_m"`},
		{"(=q8_0", "missing closing"},
		{"atn_q=q8_0", "no matrix has such a name"}, {"attn_norm=q8_0", "no matrix"}, {"position=q8_0", "no matrix"},
		{"=", `type ""`},
	} {
		t.Run(c.s, func(t *testing.T) {
			if err := new(Plan).Override(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v, want %s", c.s, err, c.want)
			}
		})
	}
	if err := new(Plan).OverrideTable("int8"); err == nil {
		t.Error("int8 is a type")
	}
}

// TestOverridesOfOtherFiles checks that an override which only the other half of a model could take is
// refused.
func TestOverridesOfOtherFiles(t *testing.T) {
	m := models[0]
	for _, c := range []struct {
		name, override string
		tensors        []gguf.Tensor
		refused        bool
	}{
		{"of a text file", "attn_q=q8_0", gemma.Tensors(m.text), false},
		{"of the other half", "^v.blk=q8_0", gemma.Tensors(m.text), true},
		{"the table of a vision file", "", mmproj.Tensors(m.vision), true},
		{"a layer that is not there", `blk\.500\.=q8_0`, gemma.Tensors(m.text), true},
		{"none of its matrices", `output_norm|^v=q8_0`, gemma.Tensors(m.text), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := NewPlan("q4_0", false)
			if err == nil && c.override != "" {
				err = p.Override(c.override)
			} else if err == nil {
				err = p.OverrideTable("q6_k")
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := p.checkUsed(c.tensors); (err != nil) != c.refused {
				t.Error(err)
			}
		})
	}
}

// A plan takes the weights of the matrices that are rounded by them, says so in the file, and
// refuses another model's.
func TestPlanTakesWeights(t *testing.T) {
	text, vision := models[0].text, models[0].vision
	for _, c := range []struct {
		name string
		want int
	}{
		{"f16", 0},
		{"q8_0", 0},
		{"q4_0", 7 * text.BlockCount},
		{"q4_k_m", 7 * text.BlockCount},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := NewPlan(c.name, false)
			if err != nil {
				t.Fatal(err)
			}
			p.Imatrix = evenly(text, vision)
			if err := p.Choose(gemma.Tensors(text)); err != nil || len(p.weights) != c.want {
				t.Errorf("%s: %v: weights of %d matrices, want %d", c.name, err, len(p.weights), c.want)
			}
			keys := []gguf.KV{{Key: "quantize.imatrix.file", Value: "ones.gguf"}, {Key: "quantize.imatrix.dataset",
				Value: "a, b"},
				{Key: "quantize.imatrix.entries_count", Value: uint32(len(p.Imatrix.Squares))},
				{Key: "quantize.imatrix.chunks_count", Value: uint32(3)}}
			if c.want == 0 {
				keys = nil
			}
			if d := cmp.Diff(keys, p.Keys()); d != "" {
				t.Errorf("%s: keys (-want +have)\n%s", c.name, d)
			}
		})
	}
	p, err := NewPlan("q4_0", true)
	if err != nil {
		t.Fatal(err)
	}
	p.Imatrix = evenly(text, vision)
	padded := vision
	padded.FeedForwardLength = mmproj.PaddedWidth(vision.FeedForwardLength)
	if err := p.Choose(mmproj.Tensors(padded)); err != nil || padded == vision {
		t.Errorf("a padded tower: %v, %+v", err, padded)
	}
	wider := vision
	wider.EmbeddingLength *= 2
	if err := p.Choose(mmproj.Tensors(wider)); err == nil || !strings.Contains(err.Error(),
		"v.blk.0.attn_q.weight: 128 columns, the model's has 256") {
		t.Errorf("a wider tower: %v", err)
	}
	deeper := vision
	deeper.BlockCount++
	if err := p.Choose(mmproj.Tensors(deeper)); err == nil || !strings.Contains(err.Error(), "v.blk.4.attn_q.weight") {
		t.Errorf("a deeper tower: %v", err)
	}
}

func TestFallbacks(t *testing.T) {
	p, err := NewPlan("q4_k_m", true)
	if err != nil {
		t.Fatal(err)
	}
	v := siglip(2048)
	v.FeedForwardLength = 4352
	if err := p.Choose(mmproj.Tensors(v)); err != nil {
		t.Fatal(err)
	}
	// Of 27 layers 13 have more bits: 0 to 2, 5, 8, 11, 14, 17, 20, 23 to 26. There attn_v (rows of
	// 1152) is meant to be Q6_K.
	if len(p.Fallbacks) != 2 || p.Fallbacks[[2]gguf.Type{gguf.Q6_K, gguf.Q8_0}] != 13 ||
		p.Fallbacks[[2]gguf.Type{gguf.Q4_K, gguf.Q5_0}] != 27*5-13 {
		t.Errorf("%v", p.Fallbacks)
	}
	for _, c := range []struct {
		cols int
		want gguf.Type
	}{
		{256, gguf.Q3_K},
		{96, gguf.IQ4_NL},
		{48, gguf.F16},
	} {
		t.Run(fmt.Sprint(c.cols), func(t *testing.T) {
			if have := fallbackFor(gguf.Q3_K, c.cols); have != c.want {
				t.Errorf("%d: %v, want %v", c.cols, have, c.want)
			}
		})
	}
}
