package pali_test

// This file: packages below cmd name no flag, kept by a test: cmd/pali/hints.go adds them.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// flag is what a flag looks like in a text.
var flag = regexp.MustCompile("(^|[ (\"`])--[a-z]")

func TestNoFlags(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "cmd" || path == "scripts" || path == "bin" || strings.HasPrefix(d.Name(), ".") &&
			path != "."):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		seen++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if ok && text.Kind == token.STRING && flag.MatchString(strings.ReplaceAll(text.Value,
				"llama-gguf-split --merge", "")) {
				t.Errorf("%s names a flag: %s", set.Position(text.Pos()), text.Value)
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d files, %v", seen, err)
	}
}
