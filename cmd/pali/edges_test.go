package main

// This file: pali label called in unusual ways, and wrongly.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLabelEdges checks flags and names as people and other programs write them.
func TestLabelEdges(t *testing.T) {
	folder := labelPlace(t)
	for _, c := range []struct {
		name        string
		environment string
		args        []string
		want        string // the paths that are printed
	}{
		{"capitals and blanks", "", []string{"one", "--format", "CSV, coco,", "--task", " OCR "},
			"coco.json labels.csv"},
		{"quotes that came along", "", []string{`"one"`, "--classes", " 'classes.txt' ", "--masks",
			`"d/masks-demo.gguf"`},
			"coco.json"},
		{"percent", "", []string{"one", "--task", "ocr", "--min-score", "50%"}, "coco.json"},
		{"empty variables", "PALI_MAX_TOKENS= PALI_KV= PALI_CLASSES=", []string{"one", "--task", "ocr"}, "coco.json"},
		{"variables", "PALI_FORMAT=CSV PALI_KV=F32", []string{"one", "--task", "ocr"}, "labels.csv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			cmd := program(folder, append([]string{"label", "-m", " d/", "-t", "1", "-o", out}, c.args...)...)
			cmd.Env = append(cmd.Environ(), strings.Fields(c.environment)...)
			o := run(t, cmd)
			have := strings.ReplaceAll(strings.Join(strings.Fields(o.stdout), " "), out+"/", "")
			if o.code != 0 || have != c.want {
				t.Errorf("%q: %+v", have, o)
			}
		})
	}
}

func TestLabelCalledWrongly(t *testing.T) {
	folder := labelPlace(t)
	if err := os.WriteFile(filepath.Join(folder, "bad.txt"), []byte("cat ; dog\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	for i := range 2000 {
		fmt.Fprintln(&many, "thing number", i)
	}
	for name, text := range map[string]string{"many.txt": many.String(),
		"names.yaml": "train: images\nnames:\n  0: cat\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	locked := "/proc/labels" // for root, who may write anywhere else
	if os.Geteuid() != 0 {
		locked = filepath.Join(folder, "locked", "labels")
		if err := os.Mkdir(filepath.Dir(locked), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"no images", 2, []string{"--task", "ocr"}},
		{"no prompts", 2, []string{"one"}},
		{"--task cook", 2, []string{"one", "--task", "cook"}},
		{"without --classes", 2, []string{"one", "--task", "detect"}},
		{"asks for no things", 2, []string{"one", "--task", "ocr", "--classes", "classes.txt"}},
		{"has a control character (U+001B)", 2, []string{"one", "--prompt", "detect \x1b[31mcat"}},
		{"--classes cannot be it too", 2, []string{"-", "--classes", "-"}},
		{"is asked twice", 2, []string{"one", "--prompt", "ocr", "--task", "ocr"}},
		{"--format png", 2, []string{"one", "--task", "ocr", "--format", "coco,png"}},
		{"--loc-divisor", 2, []string{"one", "--task", "ocr", "--loc-divisor", "7"}},
		{"--min-score", 2, []string{"one", "--task", "ocr", "--min-score", "7"}},
		{"--classes-per-prompt", 2, []string{"one", "--classes", "classes.txt", "--classes-per-prompt", "0"}},
		{"an object may take", 2, []string{"one", "--classes", "classes.txt", "--strict", "--max-tokens", "5"}},
		{"a class cannot contain", 1, []string{"one", "--classes", "bad.txt"}},
		{"no classes: want one per line", 1, []string{"one", "--classes", "empty"}},
		{"--classes-per-prompt 2000: ", 2, []string{"one", "--classes", "many.txt", "--classes-per-prompt", "2000"}},
		{"the format masks: there are 2000 classes", 1, []string{"one", "--classes", "many.txt", "--format", "masks"}},
		{"--classes: names.yaml: is YAML", 1, []string{"one", "--classes", "names.yaml"}},
		{"the list on standard input is empty", 1, []string{"-", "--task", "ocr"}},
		{"type --classes", 2, []string{"one", "—classes", "classes.txt"}},
		{"a long name has two dashes, --classes", 2, []string{"one", "-classes", "classes.txt"}},
		{"want a number with a point, as 0.5", 2, []string{"one", "--task", "ocr", "--min-score", "0,5"}},
		{"--json \"maybe\": must be true or false", 2, []string{"one", "--task", "ocr", "--json=maybe"}},
		{"--output words.txt: not a directory", 1, []string{"one", "--task", "ocr", "-o", "words.txt"}},
		{"no such file or folder", 1, []string{"three", "--task", "ocr"}},
		{"no images: a folder's", 1, []string{"nothing", "--task", "ocr"}},
		{"not a directory", 1, []string{"one", "--task", "ocr", "-o", "words.txt/out"}},
		{locked, 1, []string{"one", "--task", "ocr", "-o", locked}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, program(folder, append([]string{"label", "-m", "d", "-t", "1", "-o", "out"}, c.args...)...))
			if o.code != c.code || !strings.Contains(o.stderr, c.name) || strings.Count(o.stderr, "\n") != 1 ||
				o.stdout != "" {
				t.Errorf("want %q: %+v", c.name, o)
			}
		})
	}
	if err := os.Remove(filepath.Join(folder, "d", "masks-demo.gguf")); err != nil {
		t.Fatal(err)
	}
	o := run(t, program(folder, "label", "one", "-m", "d", "--task", "ocr", "--format", "masks", "-o", "out"))
	if o.code != 2 || !strings.Contains(o.stderr, "--format masks: no mask file") {
		t.Errorf("%+v", o)
	}
}
