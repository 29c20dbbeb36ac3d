// Command synthetic writes a full-size PaliGemma checkpoint with random weights, in Kaggle's
// layout, for measuring: timing a conversion takes no real weights.
//
//	go -C scripts run ./synthetic -o 3b.npz --tokenizer tokenizer.model
//
// Before it: the list of arrays in internal/tinymodel. After it: pali convert
// (scripts/bench-convert.sh). This file: the flags and the file; values.go: the numbers. The same
// flags give the same bytes. Memory does not grow with the checkpoint.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

var dtypes = map[string]tensor.DType{"f32": tensor.F32, "f16": tensor.F16, "bf16": tensor.BF16}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "synthetic:", err)
		os.Exit(1)
	}
}

// run does what the command line says.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	fs := pflag.NewFlagSet("synthetic", pflag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.StringP("output", "o", "synthetic.npz", "file to write")
	variant := fs.String("variant", "3b", strings.Join(paligemma.Keys(), ", "))
	side := fs.Int("image", 224, "side of the image: 224, 448 or 896")
	dtype := fs.String("dtype", "f32", "f32, f16 or bf16")
	seed := fs.Uint64("seed", 0, "another seed gives other weights")
	force := fs.Bool("force", false, "replace a file that is there")
	tokenizer := fs.String("tokenizer", "", "also copy Gemma's tokenizer, which the Go module carries, to this file")
	if err := fs.Parse(args); err != nil {
		return err
	}
	v, ok := paligemma.Find(*variant)
	d, known := dtypes[*dtype]
	if !ok || !known || fs.NArg() > 0 || *side != 224 && *side != 448 && *side != 896 {
		return fmt.Errorf("have --variant %s --image %d --dtype %s and %d other words, want what --help lists",
			*variant, *side, *dtype, fs.NArg())
	}
	forms := tinymodel.Forms(tinymodel.Options{Text: v.Text, Vision: paligemma.So400m(*side, v.Text.EmbeddingLength)})
	if *tokenizer != "" {
		if err := copyTokenizer(*tokenizer); err != nil {
			return err
		}
	}
	return write(ctx, *out, forms, d, *seed, *force, newProgress(stderr))
}

// write writes PATH.partial and gives it its name when it is complete.
func write(ctx context.Context, path string, forms []tinymodel.Form, d tensor.DType, seed uint64, force bool,
	report func(done, total int64)) error {
	var size counter
	if err := archive(&size, forms, d, func(tinymodel.Form) io.Reader { return untouched{} }); err != nil {
		return err
	}
	set, err := atomicfile.Begin([]atomicfile.Target{{Path: path, Size: int64(size)}}, atomicfile.Options{Force: force})
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(io.NewOffsetWriter(set.WriterAt(0), 0), 4<<20)
	done := int64(0)
	err = archive(b, forms, d, func(f tinymodel.Form) io.Reader {
		v := newValues(f, d, seed)
		return reader(func(p []byte) (int, error) {
			n := v.fill(p)
			done += int64(n)
			report(done, int64(size))
			return n, ctx.Err()
		})
	})
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}

// archive writes every array with the bytes of its reader, which need not end.
func archive(to io.Writer, forms []tinymodel.Form, d tensor.DType, values func(tinymodel.Form) io.Reader) error {
	w := npz.NewWriter(to)
	for _, f := range forms {
		n := tensor.Tensor{DType: d, Shape: f.Shape}.Bytes()
		if err := w.Add("params/"+f.Name, d, f.Shape, io.LimitReader(values(f), n)); err != nil {
			return err
		}
	}
	return w.Close()
}

// counter counts what is written to it: stored members are as long whatever they hold.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// untouched reads as any bytes.
type untouched struct{}

func (untouched) Read(b []byte) (int, error) { return len(b), nil }

type reader func(b []byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

// newProgress returns a function that keeps one line on a terminal up to date, five times a second,
// and does nothing elsewhere.
func newProgress(to io.Writer) func(done, total int64) {
	f, ok := to.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(int64, int64) {}
	}
	var last time.Time
	return func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= time.Second/5 {
			last = now
			fmt.Fprintf(f, "\rsynthetic: %.1f of %.1f GB\033[K\r", float64(done)/1e9, float64(total)/1e9)
		}
	}
}

// copyTokenizer copies the 256,000-piece Gemma tokenizer out of the Go module that carries
// llama.cpp.
func copyTokenizer(to string) error {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ollama/ollama").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "tokenizer", "testdata", "gemma2",
		"tokenizer.model"))
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o666)
}
