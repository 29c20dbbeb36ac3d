package dataset

// This file: finding the images of arguments, folders, patterns and lists.

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
	Name string // in the exported files: a relative path with slashes
	Path string // of the image's file
}

// FindOptions says where FindSources looks for images.
type FindOptions struct {
	Recursive bool      // include the folders below a folder
	Skip      string    // a folder to skip
	List      io.Reader // paths of images and folders, one per line
	Zero      bool      // NUL bytes separate the paths of List
}

// maxSources bounds the images of one run.
const maxSources = 1_000_000

// imageExtensions are the extensions of the files in a folder that are images.
var imageExtensions = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}

// ErrNoImages is returned by FindSources if it finds no image.
var ErrNoImages = errors.New("no images: a folder's are files that end with " + strings.Join(imageExtensions, " "))

// collector collects images.
type collector struct {
	recursive bool
	skip      os.FileInfo // a folder to skip; may be nil
	paths     []string
	seen      map[string]bool
	root      string // the deepest folder that all images are under; "" before the first
}

// FindSources returns the images of arguments: files, those in folders, sorted by name, those that
// patterns match, and for "-" those of o.List. Each is returned once. If there are none it returns
// ErrNoImages.
func FindSources(arguments []string, o FindOptions) ([]Source, error) {
	c := &collector{recursive: o.Recursive, seen: map[string]bool{}}
	if info, err := os.Stat(o.Skip); err == nil {
		c.skip = info
	}
	for _, a := range arguments {
		var err error
		if a == "-" {
			err = c.list(o.List, o.Zero)
		} else {
			err = c.argument(a)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(c.paths) == 0 {
		return nil, ErrNoImages
	}
	return c.sources()
}

// argument adds the images of the argument a: a file or folder of that name, else what the pattern
// matches.
func (c *collector) argument(a string) error {
	if _, err := os.Stat(a); err == nil {
		return c.path(a)
	}
	matches, err := filepath.Glob(a)
	if err != nil || len(matches) == 0 {
		return fmt.Errorf("%s: no such file or folder, and no pattern that one matches", a)
	}
	for _, m := range matches {
		if err := c.path(m); err != nil {
			return err
		}
	}
	return nil
}

// list adds the paths read from r, separated by newlines or, with zero, by NUL bytes. A path that
// does not exist is added too; reading it fails later.
func (c *collector) list(r io.Reader, zero bool) error {
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
		if err := c.path(lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the list of images: %w", err)
	}
	return nil
}

// path adds the image at path, or the images of the folder at path.
func (c *collector) path(path string) error {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return c.add(path, filepath.Dir(path))
	}
	return filepath.WalkDir(path, func(below string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case below == path:
			return nil
		case d.IsDir():
			if info, err := d.Info(); !c.recursive || strings.HasPrefix(d.Name(), ".") || err == nil && c.skip != nil &&
				os.SameFile(info, c.skip) {
				return filepath.SkipDir
			}
			return nil
		case strings.HasPrefix(d.Name(), ".") || !slices.Contains(imageExtensions,
			strings.ToLower(filepath.Ext(below))):
			return nil
		}
		return c.add(below, path)
	})
}

// add adds the image at path, which is in folder or below it.
func (c *collector) add(path, folder string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	if c.seen[absolute] {
		return nil
	}
	if len(c.paths) == maxSources {
		return fmt.Errorf("more than %d images", maxSources)
	}
	c.seen[absolute], c.paths = true, append(c.paths, path)
	if c.root == "" {
		c.root = folder
	}
	for !under(folder, c.root) && c.root != filepath.Dir(c.root) {
		c.root = filepath.Dir(c.root)
	}
	return nil
}

// under reports whether path is folder or in it.
func under(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// sources returns the images, named by their paths relative to the folder that all are under.
func (c *collector) sources() (all []Source, err error) {
	for _, path := range c.paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(c.root, absolute)
		if err != nil {
			return nil, err
		}
		all = append(all, Source{Name: filepath.ToSlash(name), Path: path})
	}
	return all, nil
}
