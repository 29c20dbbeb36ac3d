package dataset

// This file: the images that arguments, folders, patterns and lists mean.

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
)

// Source is an image to label.
type Source struct {
	Name string // as the files call it: a relative path with slashes
	Path string // where it is
}

// FindOptions says where to look for images.
type FindOptions struct {
	Recursive bool      // look into the folders below a folder too
	Skip      string    // a folder that is not looked into
	List      io.Reader // paths of images and folders, a line each
	Zero      bool      // zero bytes separate the paths of List
}

// maxSources bounds the images of one run.
const maxSources = 1_000_000

// imageEndings are those of the files that a folder's images are.
var imageEndings = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}

// ErrNoImages is returned where no argument means an image.
var ErrNoImages = errors.New("no images: a folder's are files that end with " + strings.Join(imageEndings, " "))

// gathering collects images.
type gathering struct {
	recursive bool
	skip      os.FileInfo // a folder not to look into; may be nil
	paths     []string
	seen      map[string]bool
	root      string // the deepest folder that all images are under; "" before the first
}

// FindSources lists the images that arguments mean: those of folders, in the order of their names,
// those that patterns match, files, and for "-" those of o.List. Each counts once. Where there are
// none it returns ErrNoImages.
func FindSources(arguments []string, o FindOptions) ([]Source, error) {
	g := &gathering{recursive: o.Recursive, seen: map[string]bool{}}
	if info, err := os.Stat(o.Skip); err == nil {
		g.skip = info
	}
	for _, a := range arguments {
		var err error
		if a == "-" {
			err = g.list(o.List, o.Zero)
		} else {
			err = g.argument(a)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(g.paths) == 0 {
		return nil, ErrNoImages
	}
	return g.sources()
}

// argument adds what an argument means: a file or folder of that name, else what the pattern
// matches.
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

// list adds the paths of a list, separated by newlines or by zero bytes. One that is not there is a
// bad image.
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
			if info, err := d.Info(); !g.recursive || strings.HasPrefix(d.Name(), ".") || err == nil && g.skip != nil &&
				os.SameFile(info, g.skip) {
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
func (g *gathering) sources() (all []Source, err error) {
	for _, path := range g.paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(g.root, absolute)
		if err != nil {
			return nil, err
		}
		all = append(all, Source{Name: filepath.ToSlash(name), Path: path})
	}
	return all, nil
}
