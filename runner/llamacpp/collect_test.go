package llamacpp

// This file: the inputs of every matrix, as collected from the running graphs, against PaliGemma 1
// restated in 64-bit floats from the checkpoint's arrays (big_vision models/vit.py,
// models/ppp/gemma.py, models/proj/paligemma/paligemma.py). Neither our conversion nor ggml has a
// part in the restatement.

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
)

// rows is a matrix, row by row.
type rows [][]float64

// restated computes the model on a checkpoint's arrays and remembers what each matrix is multiplied
// with.
type restated struct {
	reference // the checkpoint
	config    paligemma.VisionConfig
	seen      map[string]rows // by the matrix's name in the GGUF file
}

// part returns cell i of an array whose first axis has n cells.
func (r restated) part(name string, i, n int) []float32 {
	v := r.floats("params/" + name)
	return v[i*len(v)/n : (i+1)*len(v)/n]
}

// see remembers the input of some matrices.
func (r restated) see(x rows, names ...string) {
	for _, name := range names {
		r.seen[name] = append(r.seen[name], x...)
	}
}

// times is x [T,in] times w [in,out], plus a bias if there is one.
func times(x rows, w, bias []float32) rows {
	out := make(rows, len(x))
	for t, row := range x {
		n := len(w) / len(row)
		out[t] = make([]float64, n)
		for j := range n {
			if bias != nil {
				out[t][j] = float64(bias[j])
			}
			for i, v := range row {
				out[t][j] += v * float64(w[i*n+j])
			}
		}
	}
	return out
}

func plus(a, b rows) rows {
	out := make(rows, len(a))
	for t := range a {
		out[t] = make([]float64, len(a[t]))
		for i := range a[t] {
			out[t][i] = a[t][i] + b[t][i]
		}
	}
	return out
}

// each applies f to every element of a and the element of b at its place.
func each(a, b rows, f func(a, b float64) float64) rows {
	out := make(rows, len(a))
	for t := range a {
		out[t] = make([]float64, len(a[t]))
		for i := range a[t] {
			out[t][i] = f(a[t][i], b[t][i])
		}
	}
	return out
}

func gelu(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// norm is LayerNorm with a bias, RMSNorm with 1+scale without one.
func norm(x rows, scale, bias []float32) rows {
	out := make(rows, len(x))
	for t, row := range x {
		mean, square := 0.0, 0.0
		if bias != nil {
			for _, v := range row {
				mean += v / float64(len(row))
			}
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(len(row))
		}
		out[t] = make([]float64, len(row))
		for i, v := range row {
			n := (v - mean) / math.Sqrt(square+1e-6)
			if bias != nil {
				out[t][i] = n*float64(scale[i]) + float64(bias[i])
			} else {
				out[t][i] = n * (1 + float64(scale[i]))
			}
		}
	}
	return out
}

// attend mixes v [T,h] by softmax(q k), over the positions that sees allows.
func attend(q, k, v rows, sees func(from, to int) bool) rows {
	out := make(rows, len(q))
	scale := 1 / math.Sqrt(float64(len(q[0])))
	for i := range q {
		out[i] = make([]float64, len(v[0]))
		sum := 0.0
		for j := range k {
			if !sees(i, j) {
				continue
			}
			score := 0.0
			for c := range q[i] {
				score += q[i][c] * k[j][c] * scale
			}
			p := math.Exp(score)
			sum += p
			for c := range v[j] {
				out[i][c] += p * v[j][c]
			}
		}
		for c := range out[i] {
			out[i][c] /= sum
		}
	}
	return out
}

// joinColumns puts matrices of as many rows next to each other.
func joinColumns(all []rows) rows {
	out := make(rows, len(all[0]))
	for t := range out {
		for _, a := range all {
			out[t] = append(out[t], a[t]...)
		}
	}
	return out
}

// patches cuts pixels [3,S,S] into rows of [3,P,P], and orders the kernel [P,P,3,W] likewise:
// [3*P*P,W].
func (r restated) patches(pixels []float32) (x rows, kernel []float32) {
	side, p := r.config.ImageSize, r.config.PatchSize
	stored := r.floats("params/img/embedding/kernel")
	width := r.config.EmbeddingLength
	for gy := 0; gy < side; gy += p {
		for gx := 0; gx < side; gx += p {
			var row []float64
			for i := range 3 * p * p {
				c, y, z := i/(p*p), i/p%p, i%p
				row = append(row, float64(pixels[c*side*side+(gy+y)*side+gx+z]))
			}
			x = append(x, row)
		}
	}
	for i := range 3 * p * p {
		c, y, z := i/(p*p), i/p%p, i%p
		kernel = append(kernel, stored[((y*p+z)*3+c)*width:][:width]...)
	}
	return x, kernel
}

// vision returns the image embeddings [T,E] of one image.
func (r restated) vision(pixels []float32) rows {
	x, kernel := r.patches(pixels)
	r.see(x, "v.patch_embd.weight")
	x = times(x, kernel, r.floats("params/img/embedding/bias"))
	position := r.floats("params/img/pos_embedding")
	for t := range x {
		for i := range x[t] {
			x[t][i] += float64(position[t*len(x[t])+i])
		}
	}
	n := r.config.BlockCount
	for l := range n {
		of := func(name string) []float32 { return r.part("img/Transformer/encoderblock/"+name, l, n) }
		at := func(name string) string { return fmt.Sprintf("v.blk.%d.%s.weight", l, name) }
		h := norm(x, of("LayerNorm_0/scale"), of("LayerNorm_0/bias"))
		r.see(h, at("attn_q"), at("attn_k"), at("attn_v"))
		const attention = "MultiHeadDotProductAttention_0/"
		qkv := map[string]rows{}
		for _, name := range []string{"query", "key", "value"} {
			qkv[name] = times(h, of(attention+name+"/kernel"), of(attention+name+"/bias"))
		}
		var heads []rows
		dim := r.config.EmbeddingLength / r.config.HeadCount
		for i := range r.config.HeadCount {
			cut := func(x rows) rows {
				out := make(rows, len(x))
				for t := range x {
					out[t] = x[t][i*dim : (i+1)*dim]
				}
				return out
			}
			heads = append(heads, attend(cut(qkv["query"]), cut(qkv["key"]), cut(qkv["value"]),
				func(int, int) bool { return true }))
		}
		mixed := joinColumns(heads)
		r.see(mixed, at("attn_out"))
		x = plus(x, times(mixed, of(attention+"out/kernel"), of(attention+"out/bias")))
		h = norm(x, of("LayerNorm_1/scale"), of("LayerNorm_1/bias"))
		r.see(h, at("ffn_up"))
		h = times(h, of("MlpBlock_0/Dense_0/kernel"), of("MlpBlock_0/Dense_0/bias"))
		h = each(h, h, func(a, _ float64) float64 { return gelu(a) })
		r.see(h, at("ffn_down"))
		x = plus(x, times(h, of("MlpBlock_0/Dense_1/kernel"), of("MlpBlock_0/Dense_1/bias")))
	}
	x = norm(x, r.floats("params/img/Transformer/encoder_norm/scale"),
		r.floats("params/img/Transformer/encoder_norm/bias"))
	r.see(x, "mm.input_projection.weight")
	return times(x, r.floats("params/img/head/kernel"), r.floats("params/img/head/bias"))
}

// rotate is RoPE: the halves of each row turned by its position.
func rotate(x rows) rows {
	out := make(rows, len(x))
	for t, row := range x {
		half := len(row) / 2
		out[t] = make([]float64, len(row))
		for i := range half {
			sin, cos := math.Sincos(float64(t) * math.Pow(10000, -float64(i)/float64(half)))
			out[t][i], out[t][half+i] = row[i]*cos-row[half+i]*sin, row[half+i]*cos+row[i]*sin
		}
	}
	return out
}

// text returns the logits after the prefix and after each token but the last of the answer: those
// that choose the answer's tokens.
func (r restated) text(images rows, prefix, answer []int32, layers, heads int) rows {
	table := r.floats("params/llm/embedder/input_embedding")
	d := len(images[0])
	x := append(rows{}, images...)
	for _, token := range append(append([]int32{}, prefix...), answer[:len(answer)-1]...) {
		row := make([]float64, d)
		for i, v := range table[int(token)*d:][:d] {
			row[i] = float64(v) * math.Sqrt(float64(d))
		}
		x = append(x, row)
	}
	known := len(images) + len(prefix)
	sees := func(from, to int) bool { return to < known || to <= from }
	for l := range layers {
		of := func(name string) []float32 { return r.part("llm/layers/"+name, l, layers) }
		at := func(name string) string { return fmt.Sprintf("blk.%d.%s.weight", l, name) }
		h := norm(x, of("pre_attention_norm/scale"), nil)
		r.see(h, at("attn_q"), at("attn_k"), at("attn_v"))
		kv := of("attn/kv_einsum/w") // [2,1,d,h]
		k, v := rotate(times(h, kv[:len(kv)/2], nil)), times(h, kv[len(kv)/2:], nil)
		q := of("attn/q_einsum/w") // [n,d,h]
		var all []rows
		for n := range heads {
			all = append(all, attend(rotate(times(h, q[n*len(q)/heads:(n+1)*len(q)/heads], nil)), k, v, sees))
		}
		mixed := joinColumns(all)
		r.see(mixed, at("attn_output"))
		x = plus(x, times(mixed, of("attn/attn_vec_einsum/w"), nil))
		h = norm(x, of("pre_ffw_norm/scale"), nil)
		gating := of("mlp/gating_einsum") // [2,d,f]
		gated := each(times(h, gating[:len(gating)/2], nil), times(h, gating[len(gating)/2:], nil),
			func(a, b float64) float64 { return gelu(a) * b })
		used := 0
		if l == layers-1 { // from here on only the rows whose logits are wanted matter, and are computed
			used = known - 1
		}
		r.see(h[used:], at("ffn_gate"), at("ffn_up"))
		r.see(gated[used:], at("ffn_down"))
		x = plus(x, times(gated, of("mlp/linear"), nil))
	}
	x = norm(x, r.floats("params/llm/final_norm/scale"), nil)[known-1:]
	r.see(x, "token_embd.weight")
	logits := make(rows, len(x))
	for t, row := range x {
		logits[t] = make([]float64, len(table)/d)
		for token := range logits[t] {
			for i, v := range row {
				logits[t][token] += v * float64(table[token*d+i])
			}
		}
	}
	return logits
}

// collecting opens a model whose matrices' inputs are collected.
func collecting(t *testing.T, text, vision string) (*Model, *ggml.Collector) {
	t.Helper()
	c := ggml.NewCollector()
	t.Cleanup(c.Free)
	m, err := Open(text, vision, Options{Threads: 1, KV: "f32", Device: "cpu", Collect: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, c
}

func TestCollected(t *testing.T) {
	c := readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl"))[0]
	golden := openReference(t, c.Out)
	text, vision := converted(t, filepath.Join(casesFolder, c.Checkpoint), filepath.Join(casesFolder,
		"tokenizer.model"), gguf.F32, gguf.F32)
	m, collector := collecting(t, text, vision)
	answer := golden.ints("tokens")
	r, err := m.Runner().Score(context.Background(), c.request(t, m, 1), answer)
	if err != nil {
		t.Fatal(err)
	}
	squares, err := collector.Take()
	if err != nil {
		t.Fatal(err)
	}

	checkpoint, err := npz.Open(filepath.Join(casesFolder, c.Checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	want := restated{reference{t, checkpoint}, m.Config(), map[string]rows{}}
	images := want.vision(golden.floats("pixels"))
	near(t, "restated images", narrow(images), golden.floats("image_embeddings"), 1e-5)
	logits := want.text(images, golden.ints("prefix_tokens"), answer, m.config.BlockCount, m.config.HeadCount)
	near(t, "restated logits", narrow(logits), golden.floats("logits"), 1e-4)
	near(t, "logits of the given answer", narrow(logits), joined(r.Logits), logitsNear(c, gguf.F32))

	if matrices := 2 + 6*m.Config().BlockCount + 7*m.config.BlockCount + 1; len(squares) != matrices ||
		len(want.seen) != matrices {
		t.Errorf("%d matrices collected, %d restated, want %d", len(squares), len(want.seen), matrices)
	}
	for _, s := range squares {
		compareSquares(t, s, want.seen[s.Name])
	}
}

// compareSquares fails where a sum differs by more than a bound times the matrix's largest sum,
// which allows for ggml's 16-bit table of gelu.
func compareSquares(t *testing.T, have ggml.SumSquares, x rows) {
	t.Helper()
	if int(have.Rows) != len(x) || len(x) == 0 || len(have.Sums) != len(x[0]) {
		t.Errorf("%s: %d rows of %d, want %d rows", have.Name, have.Rows, len(have.Sums), len(x))
		return
	}
	sums, worst := make([]float64, len(x[0])), 0.0
	for _, row := range x {
		for i, v := range row {
			sums[i] += v * v
		}
	}
	for i := range sums {
		worst = max(worst, math.Abs(sums[i]-have.Sums[i])/slices.Max(sums))
	}
	t.Logf("%-30s %4d rows of %4d: %.1e of the largest", have.Name, have.Rows, len(sums), worst)
	if !(worst <= 1e-3) {
		t.Errorf("%s: sums differ by up to %.2e of the largest:\nhave %v\nwant %v", have.Name, worst, have.Sums[:5],
			sums[:5])
	}
}

func narrow(x rows) []float32 {
	var out []float32
	for _, row := range x {
		for _, v := range row {
			out = append(out, float32(v))
		}
	}
	return out
}

func joined(x [][]float32) []float32 {
	var out []float32
	for _, row := range x {
		out = append(out, row...)
	}
	return out
}
