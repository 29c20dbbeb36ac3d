package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/internal/inspect"
)

func TestCompare(t *testing.T) {
	folder := workplace(t)
	const checkpoint = "testdata/demo/demo.npz"
	pali := func(args ...string) string {
		t.Helper()
		o := run(t, program(folder, args...))
		if o.code != 0 || args[0] == "compare" && o.stderr != "" {
			t.Fatalf("%v: %+v", args, o)
		}
		return o.stdout
	}
	compare := func(args ...string) (c inspect.Differences) {
		t.Helper()
		if err := json.Unmarshal([]byte(pali(append([]string{"compare", "--json"}, args...)...)), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	pali("convert", checkpoint, "--tokenizer", "testdata/demo/tokenizer.model", "-t", "q8_0", "-o", "q")

	// What convert wrote in 32-bit floats is the checkpoint, whichever comes first; a checkpoint in
	// pieces too.
	data, err := os.ReadFile(filepath.Join(folder, checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range [][]byte{data[:1_000_000], data[1_000_000:]} {
		if err := os.WriteFile(filepath.Join(folder, "x.npz.part"+string('0'+rune(i))), part, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"29 tensors compared, 29 equal", []string{checkpoint, "d/demo-F32.gguf"}},
		{"71 tensors compared, 71 equal", []string{"d/mmproj-demo-F32.gguf", checkpoint}},
		{"29 tensors compared, 29 ", []string{"x.npz.part0", "x.npz.part1", "d/demo-F32.gguf"}},
		{"32 tensors compared, 32 equal", []string{checkpoint, checkpoint}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if s := pali(append([]string{"compare"}, c.args...)...); !strings.HasPrefix(s, c.want) ||
				strings.Contains(s, "only in") {
				t.Errorf("%v: %s", c.args, s)
			}
		})
	}

	// One changed value is found, and is the worst.
	text, err := os.ReadFile(filepath.Join(folder, "q/demo-Q8_0.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-1] ^= 0x80 // the sign of output_norm's last element, a float
	if err := os.WriteFile(filepath.Join(folder, "changed.gguf"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := compare("q/demo-Q8_0.gguf", "changed.gguf")
	if w := c.Tensors[0]; w.Name != "output_norm.weight" || w.Unequal != 1 || c.Tensors[1].Unequal != 0 ||
		w.MaxAbs == 0 || w.MaxAbs != c.All.MaxAbs || w.Cosine >= 1 {
		t.Errorf("%+v", c.Tensors[:2])
	}

	// Both sides of a quantized file agree on all but which one is the reference, and the number of
	// threads changes nothing.
	c = compare(checkpoint, "q/mmproj-demo-Q8_0.gguf")
	flipped := compare("q/mmproj-demo-Q8_0.gguf", checkpoint)
	padded := 0
	for _, x := range c.Tensors {
		if x.Padded != nil {
			padded++
		}
		if strings.HasSuffix(x.Name, "ffn_down.weight") && (x.Shape[1] != 344 || x.Padded[1] != 352 || x.Unequal == 0) {
			t.Errorf("%+v", x)
		}
		if x.Relative > 0.01 || x.Cosine < 0.9999 || (x.TypeB == "Q8_0") != (x.Unequal > 0) {
			t.Errorf("%+v", x)
		}
	}
	if padded != 3*4 || c.All.RMS == 0 || c.All.RMS != flipped.All.RMS || c.All.Unequal != flipped.All.Unequal ||
		c.A.Path != flipped.B.Path {
		t.Errorf("%d padded; %+v, flipped %+v", padded, c.All, flipped.All)
	}
	if a, b := pali("compare", "d/demo-F32.gguf", "q/demo-Q8_0.gguf", "--json"), pali("compare", "d/demo-F32.gguf",
		"q/demo-Q8_0.gguf", "--json", "--threads", "1"); a != b {
		t.Errorf("one thread gives another text:\n%s\n%s", a, b)
	}
}

// What only one file has is named, and what cannot be compared too.
func TestCompareNames(t *testing.T) {
	folder := workplace(t)
	for _, name := range []string{"000", "008"} {
		if o := run(t, program(folder, "run", "-m", "d", "-i", "testdata/demo/pictures/"+name+".png", "caption en",
			"--max-tokens", "3", "--dump", name+".npz")); o.code != 0 {
			t.Fatalf("%+v", o)
		}
	}
	o := run(t, program(folder, "compare", "000.npz", "008.npz"))
	if o.code != 0 || !strings.Contains(o.stdout, "3 tensors compared, 0 equal") || !strings.Contains(o.stdout,
		"not compared: tokens: elements I32 and I32") {
		t.Errorf("two dumps: %+v", o)
	}
	if o := run(t, program(folder, "convert", "testdata/reference/cases/tiny-gemma2.npz", "--tokenizer",
		"testdata/reference/cases/tokenizer.model", "-t", "f32", "-o", "tiny")); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	o = run(t, program(folder, "compare", "d/mmproj-demo-F32.gguf", "tiny/mmproj-tiny-gemma2-F32.gguf"))
	if o.code != 1 || o.stdout != "" || !strings.Contains(o.stderr,
		"cannot be compared: v.patch_embd.weight: shapes ") {
		t.Errorf("two models: %+v", o)
	}
	if o = run(t, program(folder, "compare", "d/demo-F32.gguf", "d/mmproj-demo-F32.gguf")); o.code != 1 ||
		!strings.Contains(o.stderr, "no tensor has the same name") {
		t.Errorf("two halves: %+v", o)
	}
	if o = run(t, program(folder, "compare", "000.npz", "d/demo-F32.gguf")); o.code != 1 || !strings.Contains(o.stderr,
		"not a PaliGemma checkpoint") {
		t.Errorf("a dump and a model: %+v", o)
	}
}
