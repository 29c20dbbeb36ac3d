package dataset

// This file: finding the images of arguments, folders and patterns; list.go: those of a list.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// Source is an image to label.
type Source struct {
	Name string // in the exported files: a relative path with slashes
	Path string // of the image's file
}

// FindOptions says where FindSources looks for images.
type FindOptions struct {
	Recursive bool      // include the folders below a folder
	Skip      string    // the folder that is written to, to skip
	List      io.Reader // paths of images and folders, one per line
	Zero      bool      // NUL bytes separate the paths of List
}

// Found is what FindSources found.
type Found struct {
	Sources []Source
	// Bad are images in folders whose formats are not read, and BadFolders what cannot be read. Their
	// names are their paths.
	Bad, BadFolders []BadImage
	Skipped         Skipped
}

// maxSources bounds the images of one run, and maxBad those that it names as bad before it begins.
const (
	maxSources = 1_000_000
	maxBad     = 100_000
)

// ErrNoImages is returned by FindSources if it finds no image, and nothing that it must name.
var ErrNoImages = errors.New("no images: a folder's are its JPEG, PNG, GIF, BMP and WebP files")

// collector collects images.
type collector struct {
	found     Found
	recursive bool
	output    os.FileInfo // the folder that is written to; nil if there is none yet
	resumed   bool        // it has a journal: its subfolders of formats are ours
	seen      map[string]bool
	real      map[string]string // the folders of paths, without symbolic links
	root      string            // the deepest folder that all images are under; "" before the first
	readDir   func(path string) ([]os.DirEntry, error)
}

// FindSources returns the images of arguments: files, those in folders, sorted by name, those that
// patterns match, and for "-" those of o.List. Each is returned once. What a file in a folder is
// its contents decide; what an argument or the list names is taken for an image. If there are none
// it returns ErrNoImages.
func FindSources(arguments []string, o FindOptions) (*Found, error) {
	return newCollector(o).collect(arguments, o)
}

func newCollector(o FindOptions) *collector {
	c := &collector{recursive: o.Recursive, seen: map[string]bool{}, real: map[string]string{}, readDir: os.ReadDir}
	if info, err := os.Stat(o.Skip); err == nil && o.Skip != "" {
		c.output = info
		_, err := os.Stat(filepath.Join(o.Skip, JournalName))
		c.resumed = err == nil
	}
	return c
}

func (c *collector) collect(arguments []string, o FindOptions) (*Found, error) {
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
	switch found := len(c.found.Sources) + len(c.found.Bad) + len(c.found.BadFolders); {
	case found == 0 && slices.Equal(arguments, []string{"-"}):
		return &c.found, errors.New("no images: the list on standard input is empty, or of folders without images")
	case found == 0:
		return &c.found, ErrNoImages
	}
	return &c.found, c.nameSources()
}

// argument adds the images of the argument a: a file or folder of that name, else what the pattern
// matches.
func (c *collector) argument(a string) error {
	if path, ok := existing(a, strings.TrimRight(a, `/\`)); ok {
		return c.path(path)
	}
	for _, part := range strings.Split(filepath.ToSlash(a), "/") {
		if part == "**" {
			return fmt.Errorf("%s: ** is not known in a pattern: name the folder, to look into those below it too", a)
		}
	}
	matches, err := filepath.Glob(a)
	if !strings.HasPrefix(filepath.Base(a), ".") { // as a shell does
		matches = slices.DeleteFunc(matches, func(m string) bool { return hidden(filepath.Base(m)) })
	}
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

// existing returns the first of paths that exists.
func existing(paths ...string) (path string, ok bool) {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil && path != "" {
			return path, true
		}
	}
	return "", false
}

// path adds the image at path, or the images of the folder at path.
func (c *collector) path(path string) error {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return c.add(path, filepath.Dir(path))
	}
	return c.folder(path, path)
}

// folder adds the images of the folder at path, which is top or below it.
func (c *collector) folder(path, top string) error {
	entries, err := c.readDir(path)
	if err != nil && len(entries) == 0 {
		return c.bad(&c.found.BadFolders, path, cause(err))
	}
	info, err := os.Stat(path)
	output := err == nil && c.resumed && os.SameFile(info, c.output)
	earlier := !output && c.recursive && isRun(path)
	for _, e := range entries {
		below := filepath.Join(path, e.Name())
		switch {
		case e.IsDir() && output && isFormatFolder(e.Name()):
		case e.IsDir() && earlier && isFormatFolder(e.Name()):
			c.found.Skipped.add(earlierRun, below)
		case e.IsDir():
			err = c.subfolder(below, top, e)
		case hidden(e.Name()):
			if imageproc.HasExtension(e.Name()) && !strings.HasPrefix(e.Name(), "._") { // macOS's notes about a file
				c.found.Skipped.add(hiddenImage, below)
			}
		default:
			err = c.entry(below, top, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isRun reports whether the folder at path has the journal of a run.
func isRun(path string) bool {
	head, err := input.ReadHead(filepath.Join(path, JournalName), int64(len(journalBegins)))
	return err == nil && string(head) == journalBegins
}

// subfolder adds the images of a folder in a folder, if it is to be looked into.
func (c *collector) subfolder(path, top string, d os.DirEntry) error {
	info, err := d.Info()
	switch {
	case err == nil && c.output != nil && os.SameFile(info, c.output):
		return nil
	case !c.recursive && hidden(d.Name()):
		return nil
	case !c.recursive:
		c.found.Skipped.add(folderBelow, path)
		return nil
	case hidden(d.Name()):
		c.found.Skipped.add(hiddenFolder, path)
		return nil
	}
	return c.folder(path, top)
}

// entry adds a file in a folder if it is an image, by its extension or else by its first bytes.
func (c *collector) entry(path, top string, d os.DirEntry) error {
	mode, named := d.Type(), imageproc.HasExtension(d.Name())
	if mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			c.found.Skipped.add(linkedFolder, path)
			return nil
		case err == nil:
			mode = info.Mode().Type()
		case !named:
			c.found.Skipped.add(brokenLink, path)
			return nil
		}
	}
	switch {
	case named: // what is not a regular file is reported when it is read
		return c.add(path, top)
	case !mode.IsRegular():
		return nil
	}
	head, err := input.ReadHead(path, imageproc.SniffLen)
	if err != nil {
		c.found.Skipped.add(unopened, path)
		return nil
	}
	format, readable := imageproc.Sniff(head)
	switch {
	case readable:
		return c.add(path, top)
	case imageproc.IsImage(format):
		_, err := imageproc.Decode(head, imageproc.DefaultLimits) // says what to do with the format
		return c.bad(&c.found.Bad, path, err)
	}
	return nil
}

// bad adds an image or folder that cannot be read to all, once.
func (c *collector) bad(all *[]BadImage, path string, err error) error {
	if key := c.key(path); !c.seen[key] {
		if len(*all) == maxBad {
			return fmt.Errorf("more than %d files and folders that cannot be read, as %s", maxBad, path)
		}
		c.seen[key] = true
		*all = append(*all, BadImage{Source{Name: filepath.ToSlash(path), Path: path}, err})
	}
	return nil
}

// add adds the image at path, which is in folder or below it.
func (c *collector) add(path, folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	key := c.key(path)
	if c.seen[key] {
		return nil
	}
	if len(c.found.Sources) == maxSources {
		return fmt.Errorf("more than %d images", maxSources)
	}
	c.seen[key] = true
	c.found.Sources = append(c.found.Sources, Source{Path: path})
	if c.root == "" {
		c.root = folder
	}
	for !under(folder, c.root) && c.root != filepath.Dir(c.root) {
		c.root = filepath.Dir(c.root)
	}
	return nil
}

// key returns the absolute path of path, with no symbolic link among its folders.
func (c *collector) key(path string) string {
	folder, name := filepath.Split(path)
	real, ok := c.real[folder]
	if !ok {
		real = filepath.Clean(folder)
		if resolved, err := filepath.EvalSymlinks(real); err == nil {
			real = resolved
		}
		if absolute, err := filepath.Abs(real); err == nil {
			real = absolute
		}
		c.real[folder] = real
	}
	return filepath.Join(real, name)
}

// under reports whether path is folder or in it.
func under(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// nameSources names the images by their paths relative to the folder that all are under.
func (c *collector) nameSources() error {
	for i, s := range c.found.Sources {
		absolute, err := filepath.Abs(s.Path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(c.root, absolute)
		if err != nil {
			return err
		}
		c.found.Sources[i].Name = filepath.ToSlash(name)
	}
	return nil
}

// hidden reports whether a file or folder of this name is hidden.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// cause returns the system's part of err, without the operation and the path.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
