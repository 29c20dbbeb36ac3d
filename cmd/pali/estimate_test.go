package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/quant"
)

func estimated(t *testing.T, folder string, args ...string) (e estimateJSON) {
	t.Helper()
	o := run(t, program(folder, append([]string{"estimate", "--json"}, args...)...))
	if err := json.Unmarshal([]byte(o.stdout), &e); err != nil || o.code != 0 || o.stderr != "" {
		t.Fatalf("%v: %v: %+v", args, err, o)
	}
	return e
}

// The files that pali convert makes are as large as was told before, from the checkpoint and from
// files of another type: in every type, for both families.
func TestEstimateIsExact(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct{ npz, tokenizer, floats string }{
		{"testdata/demo/demo.npz", "testdata/demo/tokenizer.model", "d"},
		{"testdata/reference/cases/tiny-gemma2.npz", "testdata/reference/cases/tokenizer.model", "tiny"},
	} {
		convert := func(out string, args ...string) []string {
			args = append([]string{"convert", c.npz, "--tokenizer", c.tokenizer, "-o", out, "--force"}, args...)
			o := run(t, program(folder, args...))
			if o.code != 0 {
				t.Fatalf("%v: %+v", args, o)
			}
			return strings.Fields(o.stdout)
		}
		convert(c.floats, "-t", "f32")
		types := quant.Names()
		for i, name := range types {
			vision := types[len(types)-1-i] // another one
			paths := convert("e", "-t", name, "--mmproj-type", vision)
			for _, c := range []struct {
				how string
				e   estimateJSON
			}{
				{"checkpoint", estimated(t, folder, c.npz, name, "--tokenizer", c.tokenizer, "--mmproj-type", vision)},
				{"files", estimated(t, folder, c.floats, name, "--mmproj-type", vision)},
			} {
				t.Run(c.how, func(t *testing.T) {
					for i, told := range []int64{c.e.Text, c.e.Vision} {
						info, err := os.Stat(filepath.Join(folder, paths[i]))
						if err != nil {
							t.Fatal(err)
						}
						if info.Size() != told {
							t.Errorf("%s: %d bytes, from the %s %d were told", paths[i], info.Size(), c.how, told)
						}
					}
					if c.e.Total < c.e.Text+c.e.Vision+c.e.KV || c.e.KV == 0 || c.e.Work == 0 {
						t.Errorf("%+v", c.e)
					}
				})
			}
		}
	}
}

// A second image and a wider cache take more memory.
func TestEstimateOfSizes(t *testing.T) {
	one, two := estimated(t, ".", "3b", "q8_0"), estimated(t, ".", "3b", "q8_0", "--images", "2", "--kv", "f32")
	// 576 and 832 positions, in 256s; model sizes: 18 layers, one head of 256, twice 2 bytes
	if one.KV != 18432*768 || two.KV != 2*18432*1024 {
		t.Errorf("caches of %d and %d bytes", one.KV, two.KV)
	}
}

func TestEstimateCalledWrongly(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct {
		name string
		args []string
		code int
	}{
		{"want two", []string{"3b"}, 2},
		{"q9", []string{"3b", "q9"}, 2},
		{"--kv", []string{"3b", "q8_0", "--kv", "f64"}, 2},
		{"--images", []string{"3b", "q8_0", "--images", "0"}, 2},
		{"--ctx", []string{"3b", "q8_0", "--ctx", "-1"}, 2},
		{"or a size: 3b", []string{"4b", "q8_0"}, 1},
		{"no text GGUF", []string{"nothing", "q8_0"}, 1},
		{"or a size: 3b,", []string{"3b-300", "q8_0"}, 1},
		{"no tokenizer", []string{"testdata/demo/demo.npz", "q8_0"}, 2},
		{"2 files", []string{"d", "d", "q8_0"}, 2},
		{"cut.npz", []string{"cut.npz", "q8_0", "--tokenizer", "testdata/demo/tokenizer.model"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, program(folder, append([]string{"estimate"}, c.args...)...))
			if o.code != c.code || !strings.Contains(o.stderr, c.name) || o.stdout != "" ||
				strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("%v: want %q: %+v", c.args, c.name, o)
			}
		})
	}
}
