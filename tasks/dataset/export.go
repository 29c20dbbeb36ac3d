package dataset

// This file: writing the files from the journal.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// JournalName is the name of the journal's file in the output folder.
const JournalName = "journal.jsonl"

// Export writes the records of a journal in several formats.
type Export struct {
	Out       string           // output folder
	Formats   []string         // some of FormatNames
	Prompts   []tasks.Prompt   // their labels are the first classes
	MinScore  float64          // objects with a lower score are dropped, and so are those with an empty box
	Divisor   float64          // of the bins: tasks.LocDivisor, or 1024
	Decoder   *masks.Decoder   // nil: no masks
	Limits    imageproc.Limits // of an image that is converted
	Journal   *Journal
	FS        atomicfile.FS           // nil: the real one
	Lookahead int                     // images whose masks may be drawn at once; 0: one more than there are processors
	Progress  func(done, total int64) // called after each image

	classes []string
	class   map[string]int
	notes   []string
}

// Summary describes what was written.
type Summary struct {
	Files    []string     `json:"files"` // paths; the folder of a format with a file for each image
	Images   int          `json:"pictures"`
	Objects  int          `json:"objects"`
	Dropped  int          `json:"left_out"` // objects with too low a score or an empty box
	Unparsed int          `json:"unparsed"` // parts of answers that are not objects
	Classes  []string     `json:"classes"`
	Losses   tasks.Losses `json:"lost"`
	Notes    []string     `json:"notes,omitempty"` // what programs that read the files may miss, a sentence each
	Bad      []BadImage   `json:"-"`               // images that could not be read again, and are left out
	// formats that cannot hold what the others do, and why, a sentence each
	Unwritten []string `json:"not_written,omitempty"`
}

// note adds a sentence to Summary.Notes.
func (e *Export) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// Check refuses an output folder with files of images that are not in sources, since programs that
// read the folder would take them for labels too, and one that would be written over the images of
// sources, and more classes than a format can hold. With fresh it also refuses files that would be
// replaced, with an atomicfile.ExistsError.
func (e *Export) Check(sources []Source, fresh bool) error {
	if slices.Contains(e.Formats, masksFormat) {
		if err := checkMaskClasses(len(classes(e.Prompts))); err != nil {
			return fmt.Errorf("the format %s: %w", masksFormat, err)
		}
	}
	all, _ := e.list(sources, nil)
	for _, f := range e.wanted() {
		path := filepath.Join(e.Out, f.path)
		if info, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		} else if info.IsDir() != (f.each != nil) {
			return fmt.Errorf("%s: not what %s is written to: remove it, or choose another folder", path, f.name)
		}
		if f.each == nil && fresh {
			return atomicfile.ExistsError{Path: path}
		}
		if f.each == nil {
			continue
		}
		ours := map[string]bool{}
		for _, name := range f.more {
			ours[name] = true
		}
		for _, img := range all {
			if f.images && within(img.Path, path) {
				return fmt.Errorf("%s is in the folder that %s is written to: choose another folder to write to",
					img.Path, f.name)
			}
			for _, name := range f.each(img) {
				ours[name] = true
			}
		}
		if err := f.checkFolder(path, ours, fresh); err != nil {
			return err
		}
	}
	return nil
}

// within reports whether the file at path is in folder.
func within(path, folder string) bool {
	path, err := filepath.Abs(path)
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	return err == nil && under(path, folder)
}

// checkFolder refuses a folder with files of images that are not in ours, and with fresh also one
// with files in ours. Any other file may be there.
func (f *format) checkFolder(folder string, ours map[string]bool, fresh bool) error {
	others, first := 0, ""
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		for _, s := range workSuffixes {
			name = strings.TrimSuffix(name, s)
		}
		switch {
		case !ours[name] && f.reads(name):
			if others++; others == 1 {
				first = path
			}
		case ours[name] && fresh:
			return atomicfile.ExistsError{Path: path}
		}
		return nil
	})
	switch {
	case err == nil && others == 1:
		err = fmt.Errorf("%s belongs to none of these images: remove it, or choose another folder", first)
	case err == nil && others > 1:
		err = fmt.Errorf("%s and %s in %s belong to none of these images: remove them, or choose another folder", first,
			count(others-1, "other file", "other files"), folder)
	}
	return err
}

// Run writes the files. digests has one for each of sources, as Labeller.Run returns them; a source
// with the zero Digest is left out. So is an image of which a format needs the file, and whose file
// is no longer the one that was labelled.
func (e *Export) Run(ctx context.Context, sources []Source, digests []Digest) (*Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := removeSpools(e.Out); err != nil {
		return nil, err
	}
	s := &Summary{Files: []string{}, Bad: []BadImage{}}
	e.notes = nil
	all, left := e.list(sources, digests)
	if err := e.findClasses(all); err != nil {
		return nil, err
	}
	s.Classes = append([]string{}, e.classes...)
	writers, err := e.open(s)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, w := range writers {
			w.abort()
		}
	}()
	for _, img := range left {
		if err := e.removeFiles(img); err != nil {
			return nil, err
		}
	}
	if err := e.each(ctx, all, writers, s); err != nil {
		return nil, err
	}
	for len(writers) > 0 {
		w := writers[0]
		writers = writers[1:]
		if err := w.end(); err != nil {
			return nil, err
		}
	}
	s.Notes = e.notes
	s.Dropped, s.Unparsed = s.Losses.LowScore+s.Losses.NoArea, s.Losses.Unparsed
	return s, nil
}

// list returns the images of sources, and those that are left out since their digests are zero.
// Without digests none is.
func (e *Export) list(sources []Source, digests []Digest) (all, left []*labelledImage) {
	names, shortened := nameFiles(sources, e.Out, func(string) bool { return true })
	forYOLO, _ := nameFiles(sources, e.Out, func(folder string) bool { return folder != yoloImages })
	if shortened > 0 && slices.ContainsFunc(e.wanted(), func(f format) bool { return f.each != nil }) {
		e.note("%s for files, and cut there", count(shortened, "image's name is too long",
			"images' names are too long"))
	}
	for i, s := range sources {
		img := &labelledImage{Source: s, baseName: names[i], yoloName: forYOLO[i]}
		if digests == nil {
			all = append(all, img)
			continue
		}
		if img.digest = digests[i]; img.digest == (Digest{}) {
			left = append(left, img)
			continue
		}
		all = append(all, img)
	}
	return all, left
}

// findClasses sets the classes: first those of the prompts and then those of the answers in their
// order.
func (e *Export) findClasses(all []*labelledImage) error {
	e.classes, e.class = nil, map[string]int{}
	add := func(label string) {
		if _, ok := e.class[label]; !ok {
			e.class[label] = len(e.classes)
			e.classes = append(e.classes, label)
		}
	}
	for _, c := range classes(e.Prompts) {
		add(c)
	}
	for _, img := range all {
		r, err := e.Journal.Record(img.digest)
		if err != nil {
			return err
		}
		answers, _ := e.read(r)
		for _, a := range answers {
			for _, o := range a.objects {
				add(o.Label)
			}
		}
	}
	return nil
}

// open begins all formats and adds their paths to s. Writers that read the images again come first,
// so that an image of which this fails is in none.
func (e *Export) open(s *Summary) (writers []writer, err error) {
	var others []writer
	for _, f := range e.wanted() {
		path := filepath.Join(e.Out, f.path)
		w, err := f.open(e, path)
		if errors.As(err, new(unfitError)) {
			s.Unwritten = append(s.Unwritten, err.Error())
			continue
		}
		if err != nil {
			for _, w := range append(writers, others...) {
				w.abort()
			}
			return nil, err
		}
		if s.Files = append(s.Files, path); f.again {
			writers = append(writers, w)
		} else {
			others = append(others, w)
		}
	}
	return append(writers, others...), nil
}

// removeFiles removes the files of an image that is left out, which an earlier run wrote or this
// one began with.
func (e *Export) removeFiles(img *labelledImage) error {
	for _, f := range e.wanted() {
		if f.each == nil {
			continue
		}
		for _, name := range f.each(img) {
			if err := e.remove(filepath.Join(e.Out, f.path, filepath.FromSlash(name))); err != nil {
				return err
			}
		}
	}
	return nil
}

// each reads the images' records and draws their masks, several images in parallel, and gives the
// images to writers in order.
func (e *Export) each(ctx context.Context, all []*labelledImage, writers []writer, s *Summary) error {
	type drawn struct {
		img *labelledImage
		err error
	}
	done, ahead := 0, e.Lookahead
	if ahead == 0 {
		ahead = runtime.GOMAXPROCS(0) + 1
	}
	for waiting := range inOrder(ctx, len(all), ahead, func(i int) drawn {
		img := *all[i]
		return drawn{&img, e.load(&img)}
	}) {
		d := <-waiting
		if d.err != nil {
			return d.err
		}
		if err := e.add(d.img, writers, s); err != nil {
			return err
		}
		done++
		e.Progress(int64(done), int64(len(all)))
	}
	return ctx.Err()
}

// add gives img to writers and counts it, or leaves it out.
func (e *Export) add(img *labelledImage, writers []writer, s *Summary) error {
	img.id = s.Images + 1
	for _, w := range writers {
		err := w.add(img)
		if bad := (imageError{}); errors.As(err, &bad) || errors.Is(err, syscall.ENAMETOOLONG) {
			s.Bad = append(s.Bad, BadImage{img.Source, err})
			return e.removeFiles(img)
		}
		if err != nil {
			return err
		}
	}
	s.Images++
	s.Objects += len(img.objects())
	s.Losses.Add(img.losses)
	return nil
}

// load reads the record of img and draws its masks.
func (e *Export) load(img *labelledImage) error {
	r, err := e.Journal.Record(img.digest)
	if err != nil {
		return err
	}
	img.width, img.height = r.Width, r.Height
	img.answers, img.losses = e.read(r)
	for _, a := range img.answers {
		for i := range a.objects {
			a.objects[i].class = e.class[a.objects[i].Label]
		}
	}
	return e.drawMasks(img)
}
