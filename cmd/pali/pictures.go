package main

// This file: the images that arguments, folders, patterns and lists mean. Before it: label.go's command line. After it: package tasks/dataset.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pali-gguf/pali/tasks/dataset"
)

// maxSources bounds the images of one run.
const maxSources = 1_000_000

// pictureEndings are those of the files that a folder's images are.
var imageEndings = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}

// gathering collects images.
type gathering struct {
	recursive bool
	skip      os.FileInfo // a folder not to look into; may be nil
	paths     []string
	seen      map[string]bool
	root      string // the deepest folder that all images are under; "" before the first
}

// gather lists images: those of folders, in the order of their names, those that patterns match, and files. Each counts once.
// skip is a folder that is not looked into.
func gather(arguments []string, list io.Reader, zero, recursive bool, skip string) ([]dataset.Source, error) {
	g := &gathering{recursive: recursive, seen: map[string]bool{}}
	if info, err := os.Stat(skip); err == nil {
		g.skip = info
	}
	for _, a := range arguments {
		var err error
		if a == "-" {
			err = g.list(list, zero)
		} else {
			err = g.argument(a)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(g.paths) == 0 {
		return nil, errors.New("no images: a folder's are files that end with " + strings.Join(imageEndings, " ") + "; --recursive looks into the folders below")
	}
	return g.sources()
}

// argument adds what an argument means: a file or folder of that name, else what the pattern matches.
func (g *gathering) argument(a string) error {
	if _, err := os.Stat(a); err == nil {
		return g.path(a)
	}
	matches, err := filepath.Glob(a)
	if err != nil || len(matches) == 0 {
		return fmt.Errorf("%s: no such file or folder, and no pattern that one matches", a)
	}
	for _, m := range matches {
		if err := g.path(m); err != nil {
			return err
		}
	}
	return nil
}

// list adds the paths of a list, parted by newlines or by zero bytes. One that is not there is a bad image.
func (g *gathering) list(r io.Reader, zero bool) error {
	lines := bufio.NewScanner(r)
	if zero {
		lines.Split(func(data []byte, end bool) (int, []byte, error) {
			if i := bytes.IndexByte(data, 0); i >= 0 {
				return i + 1, data[:i], nil
			}
			if end && len(data) > 0 {
				return len(data), data, nil
			}
			return 0, nil, nil
		})
	}
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		if err := g.path(lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the list of images: %w", err)
	}
	return nil
}

// path adds an image, or the images of a folder.
func (g *gathering) path(path string) error {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return g.add(path, filepath.Dir(path))
	}
	return filepath.WalkDir(path, func(below string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case below == path:
			return nil
		case d.IsDir():
			if info, err := d.Info(); !g.recursive || strings.HasPrefix(d.Name(), ".") || err == nil && g.skip != nil && os.SameFile(info, g.skip) {
				return filepath.SkipDir
			}
			return nil
		case strings.HasPrefix(d.Name(), ".") || !slices.Contains(imageEndings, strings.ToLower(filepath.Ext(below))):
			return nil
		}
		return g.add(below, path)
	})
}

// add adds an image under a folder.
func (g *gathering) add(path, folder string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	if g.seen[absolute] {
		return nil
	}
	if len(g.paths) == maxSources {
		return fmt.Errorf("more than %d images", maxSources)
	}
	g.seen[absolute], g.paths = true, append(g.paths, path)
	if g.root == "" {
		g.root = folder
	}
	for !under(folder, g.root) && g.root != filepath.Dir(g.root) {
		g.root = filepath.Dir(g.root)
	}
	return nil
}

// under reports whether a path is a folder or lies in it.
func under(path, folder string) bool {
	way, err := filepath.Rel(folder, path)
	return err == nil && way != ".." && !strings.HasPrefix(way, ".."+string(filepath.Separator))
}

// sources names the images by their paths from the folder that all are under.
func (g *gathering) sources() (all []dataset.Source, err error) {
	for _, path := range g.paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(g.root, absolute)
		if err != nil {
			return nil, err
		}
		all = append(all, dataset.Source{Name: filepath.ToSlash(name), Path: path})
	}
	return all, nil
}

// checkName refuses a name that JSON or XML could not hold.
func checkName(name string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }
	if !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return errors.New("a name that is not UTF-8, or has control characters: rename the file")
	}
	return nil
}
