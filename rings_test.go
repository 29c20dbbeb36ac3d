//go:build cgo

package pali_test

// This file: how a package's files hang together, kept by a test. Two files are in one ring if each
// uses, directly or through others, something that the other declares: such files can only be read
// together.

import (
	"cmp"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRings bounds the largest ring of files in the two packages that had the largest ones, and the
// lines of the command.
func TestRings(t *testing.T) {
	for _, c := range []struct {
		folder       string
		ring, length int // most files of a ring; most lines of Go outside tests, 0: not bounded
	}{
		{"cmd/pali", 3, 4300},
		{"server", 10, 0},
		{"server/engine", 10, 0},
	} {
		t.Run(c.folder, func(t *testing.T) {
			uses, lines := fileUses(t, c.folder)
			if c.length > 0 && lines > c.length {
				t.Errorf("%d lines of Go outside tests, want at most %d", lines, c.length)
			}
			if ring := largestRing(uses); len(ring) > c.ring {
				t.Errorf("a ring of %d files, want at most %d: %v", len(ring), c.ring, ring)
			}
		})
	}
}

// fileUses returns, for each file of a package outside tests, the other files whose declarations it
// uses, and the number of lines of all.
func fileUses(t *testing.T, folder string) (uses map[string][]string, lines int) {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{join .GoFiles "\n"}}`, "./"+folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	set, files := token.NewFileSet(), []*ast.File(nil)
	for name := range strings.FieldsSeq(string(out)) {
		f, err := parser.ParseFile(set, filepath.Join(folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files, lines = append(files, f), lines+set.File(f.Pos()).LineCount()
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", exports(t, folder))}
	p, err := config.Check(module+"/"+folder, set, files, &info)
	if err != nil {
		t.Fatal(err)
	}
	uses = map[string][]string{}
	for id, o := range info.Uses {
		if o.Pkg() != p || !o.Pos().IsValid() {
			continue
		}
		from, to := set.Position(id.Pos()).Filename, set.Position(o.Pos()).Filename
		if from != to && !slices.Contains(uses[from], to) {
			uses[from] = append(uses[from], to)
		}
	}
	return uses, lines
}

// exports returns a function that opens what the compiler wrote about a package that folder's
// imports, itself or through others.
func exports(t *testing.T, folder string) func(path string) (io.ReadCloser, error) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./"+folder)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, export, _ := strings.Cut(strings.TrimSpace(line), " ")
		file[path] = export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(file[path]) }
}

// largestRing returns the files of the largest ring, in the order of their names: the largest
// strongly connected component of the graph of uses.
func largestRing(uses map[string][]string) (largest []string) {
	reaches := map[string]map[string]bool{}
	for from := range uses {
		reaches[from] = map[string]bool{}
		for todo := uses[from]; len(todo) > 0; todo = todo[1:] {
			if !reaches[from][todo[0]] {
				reaches[from][todo[0]] = true
				todo = append(todo, uses[todo[0]]...)
			}
		}
	}
	for a := range uses {
		var ring []string
		for b := range uses {
			if reaches[a][b] && reaches[b][a] {
				ring = append(ring, filepath.Base(b))
			}
		}
		if len(ring) > len(largest) || len(ring) == len(largest) && slices.Compare(ring, largest) < 0 {
			largest = ring
		}
	}
	slices.SortFunc(largest, cmp.Compare[string])
	return largest
}
