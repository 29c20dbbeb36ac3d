package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/tensor"
)

func TestQuantize(t *testing.T) {
	folder := workplace(t)
	o := run(t, program(folder, "quantize", "d/demo-F32.gguf", "q.gguf", "Q4_K_M"))
	if o.code != 0 || o.stdout != "q.gguf\n" || !strings.Contains(o.stderr,
		"\nq.gguf: 7 F32, 19 Q4_K, 2 Q6_K, 1 Q8_0\n") {
		t.Errorf("%+v", o)
	}
	o = run(t, program(folder, "quantize", "d/mmproj-demo-F32.gguf", "m.gguf", "q4_k_m", "--json", "--threads", "1"))
	var q quantizedJSON
	if err := json.Unmarshal([]byte(o.stdout), &q); err != nil || o.stderr != "" || q.Path != "m.gguf" ||
		q.Type != "q4_k_m" || q.Bytes == 0 || q.SourceBytes <= q.Bytes ||
		q.Types["Q5_0"] != 20 || len(q.Fallbacks) != 2 || q.Fallbacks[0] != (fallbackJSON{"Q4_K", "Q5_0", 20}) ||
		q.FFNWidth != 344 || q.PaddedFFNWidth != 352 {
		t.Errorf("--json: %v: %+v", err, o)
	}
	if o = run(t, program(folder, "doctor", "q.gguf", "m.gguf")); o.code != 0 ||
		strings.Count(o.stdout, "whole\n") != 2 {
		t.Errorf("doctor: %+v", o)
	}
	if o = run(t, program(folder, "quantize", "q.gguf", "r.gguf", "q4_0")); o.code != 1 || !strings.Contains(o.stderr,
		"--requantize") {
		t.Errorf("blocks: %+v", o)
	}
	if o = run(t, program(folder, "quantize", "q.gguf", "r.gguf", "q4_0", "--requantize")); o.code != 0 ||
		!strings.Contains(o.stderr, "Q4_0") {
		t.Errorf("--requantize: %+v", o)
	}
}

// What a user changes of a recipe arrives in the file, from the command line and from the
// environment, the same in convert and quantize.
func TestTypeFlags(t *testing.T) {
	folder := workplace(t)
	changes := []string{"--tensor-type", "ffn_down=q8_0", "--tensor-type", `blk\.0\..*ffn_down=q6_k`,
		"--token-embedding-type", "q5_0"}
	if o := run(t, program(folder, append([]string{"quantize", "d/demo-F32.gguf", "q.gguf", "q4_0"},
		changes...)...)); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	types := func(path string) map[string]string {
		var l inspect.Contents
		if err := json.Unmarshal([]byte(run(t, program(folder, "inspect", "--json", path)).stdout), &l); err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, x := range l.Tensors {
			found[x.Name] = x.Type
		}
		return found
	}
	have := types("q.gguf")
	for _, c := range []struct {
		name string
		want string
	}{
		{"token_embd.weight", "Q5_0"}, {"blk.0.ffn_down.weight", "Q6_K"}, {"blk.1.ffn_down.weight", "Q8_0"},
		{"blk.1.ffn_up.weight", "Q4_0"}, {"blk.1.ffn_norm.weight", "F32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have[c.name] != c.want {
				t.Errorf("%s is %s, want %s", c.name, have[c.name], c.want)
			}
		})
	}
	convert := []string{"convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model", "-t",
		"q4_0", "-o", "c"}
	if o := run(t, program(folder, append(convert, changes...)...)); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	a, errA := os.ReadFile(filepath.Join(folder, "q.gguf"))
	b, errB := os.ReadFile(filepath.Join(folder, "c/demo-Q4_0.gguf"))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("convert and quantize differ: %v, %v", errA, errB)
	}
	cmd := program(folder, "quantize", "d/demo-F32.gguf", "e.gguf", "q4_0")
	cmd.Env = append(cmd.Env, "PALI_PURE=true", "PALI_TENSOR_TYPE=ffn_up=q5_1")
	if o := run(t, cmd); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	if have := types("e.gguf"); have["token_embd.weight"] != "Q4_0" || have["blk.0.ffn_up.weight"] != "Q5_1" {
		t.Errorf("PALI_PURE, PALI_TENSOR_TYPE: %v", have)
	}
}

// The demo answers in every type.
func TestEveryTypeRuns(t *testing.T) {
	folder := workplace(t)
	for _, name := range quant.Names() {
		o := run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
			"-t", name, "-o", name))
		if o.code != 0 {
			t.Fatalf("%s: %+v", name, o)
		}
		if o = run(t, program(folder, "run", "-m", name, "-i", photo, "caption en")); o.code != 0 || o.stderr != "" ||
			!strings.Contains(o.stdout, "circle") {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// Ctrl-C ends the work at once, with 130, and nothing is left.
func TestQuantizeInterrupted(t *testing.T) {
	folder := t.TempDir()
	sizes := tinymodel.Options{DType: tensor.F16}
	sizes.Text, sizes.Vision = sizes.Sizes()
	sizes.Text.EmbeddingLength, sizes.Text.FeedForwardLength, sizes.Text.BlockCount, sizes.Vision.ProjectionDim = 1024,
		8192, 1, 1024
	if _, _, err := tinymodel.Write(folder, sizes); err != nil {
		t.Fatal(err)
	}
	if o := run(t, program(folder, "convert", "tiny.npz", "--tokenizer", "tiny.model", "-t", "f16")); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	cmd := program(folder, "quantize", "tiny-F16.gguf", "out.gguf", "q4_k_m", "--threads", "1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	partial := filepath.Join(folder, "out.gguf.partial")
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if info, err := os.Stat(partial); err == nil && info.Size() > 0 {
			break
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || stderr.String() != "pali: interrupted\n" {
		t.Errorf("code %d: %s", code, stderr.String())
	}
	if left, err := filepath.Glob(filepath.Join(folder, "out.gguf*")); len(left) > 0 || err != nil {
		t.Errorf("%v left (%v)", left, err)
	}
}
