// Command synthetic writes a full-size PaliGemma checkpoint with random weights, in Kaggle's layout, for measuring: nobody needs real weights to time a conversion.
//
//	go run ./scripts/synthetic -o 3b.npz --tokenizer tokenizer.model
//
// The values repeat a block of normal ones at each array's own spread. The same flags give the same bytes.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tensor"
)

// variants names the lines of pali.Variants.
var variants = map[string]int{"3b": 0, "2-3b": 1, "2-10b": 2, "2-28b": 3}

func main() {
	out := pflag.StringP("output", "o", "synthetic.npz", "file to write")
	variant := pflag.String("variant", "3b", "3b, 2-3b, 2-10b or 2-28b")
	side := pflag.Int("image", 224, "side of the picture: 224, 448 or 896")
	dtype := pflag.String("dtype", "f32", "f32, f16 or bf16")
	tokenizer := pflag.String("tokenizer", "", "also copy Gemma's tokenizer, which the Go module carries, to this file")
	pflag.Parse()
	err := write(*out, *variant, *side, *dtype)
	if err == nil && *tokenizer != "" {
		err = copyTokenizer(*tokenizer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "synthetic:", err)
		os.Exit(1)
	}
}

func write(path, variant string, side int, dtype string) error {
	at, ok := variants[variant]
	d := map[string]tensor.DType{"f32": tensor.F32, "f16": tensor.F16, "bf16": tensor.BF16}[dtype]
	if !ok || d == 0 {
		return fmt.Errorf("variant %q, dtype %q: see --help", variant, dtype)
	}
	text := pali.Variants[at].Text
	forms := tinymodel.Forms(tinymodel.Options{Text: text, Vision: pali.VisionConfig{
		ImageSize: side, PatchSize: 14, EmbeddingLength: 1152, FeedForwardLength: 4304, BlockCount: 27, HeadCount: 16, ProjectionDim: text.EmbeddingLength,
	}})
	f, err := os.Create(path + ".partial")
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 4<<20)
	w := npz.NewWriter(b)
	for _, form := range forms {
		if err := w.Add("params/"+form.Name, d, form.Shape, newValues(form, d)); err != nil {
			return errors.Join(err, f.Close(), os.Remove(path+".partial"))
		}
	}
	if err := errors.Join(w.Close(), b.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".partial"))
	}
	return os.Rename(path+".partial", path)
}

// values reads an array's bytes: a block of normal values, again and again. The block's length is odd, so that rows differ.
type values struct {
	block []byte
	at    int
}

func newValues(form tinymodel.Form, d tensor.DType) *io.LimitedReader {
	r := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, 1<<20+7)
	for i := range v {
		v[i] = float32(form.Mean + form.Deviation*r.NormFloat64())
	}
	n := int64(d.Size())
	for _, size := range form.Shape {
		n *= int64(size)
	}
	x := &values{block: make([]byte, len(v)*d.Size())}
	tensor.Narrow(x.block, v, d)
	return &io.LimitedReader{R: x, N: n}
}

func (v *values) Read(b []byte) (int, error) {
	n := copy(b, v.block[v.at:])
	v.at = (v.at + n) % len(v.block)
	return n, nil
}

// copyTokenizer copies the 256,000-piece Gemma tokenizer out of the Go module that carries llama.cpp.
func copyTokenizer(to string) error {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ollama/ollama").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "tokenizer", "testdata", "gemma2", "tokenizer.model"))
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o666)
}
