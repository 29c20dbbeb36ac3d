package main

import (
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
		{"capitals and blanks", "", []string{"one", "--format", "CSV, coco,", "--task", " OCR "}, "coco.json labels.csv"},
		{"quotes that came along", "", []string{`"one"`, "--classes", " 'classes.txt' ", "--masks", `"d/masks-demo.gguf"`},
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
