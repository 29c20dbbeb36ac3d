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

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// JournalName is the name of the journal's file in the output folder.
const JournalName = "journal.jsonl"

// Export writes the records of a journal in several formats.
type Export struct {
	Out       string         // output folder
	Formats   []string       // some of FormatNames
	Prompts   []tasks.Prompt // their labels are the first classes
	MinScore  float64        // objects with a lower score are dropped, and so are those with an empty box
	Divisor   float64        // of the bins: tasks.LocDivisor, or 1024
	Decoder   *masks.Decoder // nil: no masks
	Journal   *Journal
	FS        atomicfile.FS           // nil: the real one
	Lookahead int                     // images whose masks may be drawn at once; 0: one more than there are processors
	Progress  func(done, total int64) // called after each image

	classes []string
	class   map[string]int
}

// Summary describes what was written.
type Summary struct {
	Files    []string `json:"files"` // paths; the folder of a format with a file for each image
	Images   int      `json:"pictures"`
	Objects  int      `json:"objects"`
	Dropped  int      `json:"left_out"` // objects with too low a score or an empty box
	Unparsed int      `json:"unparsed"` // parts of answers that are not objects
	Classes  []string `json:"classes"`
}

// writer writes one format. Either end or abort is called last.
type writer interface {
	add(img *labelledImage) error
	end() error // commits the file
	abort()
}

// format is an output format.
type format struct {
	name string
	path string // of its file, or of its folder, in Export.Out
	// returns the files of an image in the folder; nil for a format with one file for all images
	each func(img *labelledImage, s Source) []string
	more []string // other files in the folder
	// reports whether a program that reads the folder would take a file for one of an image
	reads func(name string) bool
	masks bool // requires masks
	open  func(e *Export, path string) (writer, error)
}

var formats = []format{
	{name: "coco", path: "coco.json", open: openCOCO},
	{name: "yolo", path: "yolo", each: yoloFiles, more: []string{yoloData}, reads: yoloReads, open: openYOLO},
	{name: "yolo-seg", path: "yolo-seg", each: yoloFiles, more: []string{yoloData}, reads: yoloReads, masks: true,
		open: openYOLO},
	{name: "voc", path: "voc", each: named(".xml"), reads: endsWith(".xml"), open: openVOC},
	{name: "labelme", path: "labelme", each: named(".json"), reads: endsWith(".json"), open: openLabelMe},
	{name: "csv", path: "labels.csv", open: openCSV},
	{name: "jsonl", path: "labels.jsonl", open: openJSONL},
	{name: "masks", path: "masks", each: named(".png"), reads: endsWith(".png"), more: []string{maskClasses},
		masks: true, open: openMasks},
}

// named returns a function that returns the one file of an image: its base name and ext.
func named(ext string) func(*labelledImage, Source) []string {
	return func(img *labelledImage, _ Source) []string { return []string{img.baseName + ext} }
}

// endsWith returns a function that reports whether a name ends with ext.
func endsWith(ext string) func(string) bool {
	return func(name string) bool { return strings.HasSuffix(name, ext) }
}

// FormatNames returns the names of all formats.
func FormatNames() (all []string) {
	for _, f := range formats {
		all = append(all, f.name)
	}
	return all
}

// NeedsMasks reports whether the format with this name requires masks.
func NeedsMasks(name string) bool {
	return slices.ContainsFunc(formats, func(f format) bool { return f.name == name && f.masks })
}

// wanted returns the formats that e.Formats names.
func (e *Export) wanted() (all []format) {
	for _, f := range formats {
		if slices.Contains(e.Formats, f.name) {
			all = append(all, f)
		}
	}
	return all
}

// Check refuses an output folder with files of images that are not in sources, since programs that
// read the folder would take them for labels too. With fresh it also refuses files that would be
// replaced, with an atomicfile.ExistsError.
func (e *Export) Check(sources []Source, fresh bool) error {
	names := baseNames(sources)
	for _, f := range e.wanted() {
		path := filepath.Join(e.Out, f.path)
		if info, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		} else if info.IsDir() != (f.each != nil) {
			return fmt.Errorf("%s: not what %s is written to: remove it, or choose another folder", path, f.name)
		}
		if fresh && f.each == nil {
			return atomicfile.ExistsError{Path: path}
		}
		if f.each == nil {
			continue
		}
		ours := map[string]bool{}
		for _, name := range f.more {
			ours[name] = true
		}
		for i, s := range sources {
			for _, name := range f.each(&labelledImage{baseName: names[i]}, s) {
				ours[name] = true
			}
		}
		if err := f.checkFolder(path, ours, fresh); err != nil {
			return err
		}
	}
	return nil
}

// checkFolder refuses a folder with files of images that are not in ours, and with fresh also one
// with files in ours. Any other file may be there.
func (f *format) checkFolder(folder string, ours map[string]bool, fresh bool) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
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
			return fmt.Errorf("%s belongs to none of these images: remove it, or choose another folder", path)
		case ours[name] && fresh:
			return atomicfile.ExistsError{Path: path}
		}
		return nil
	})
}

// Run writes the files. digests has one for each of sources, as Labeller.Run returns them; a source
// with the zero Digest is left out.
func (e *Export) Run(ctx context.Context, sources []Source, digests []Digest) (*Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := listImages(sources, digests)
	s, err := e.count(all)
	if err != nil {
		return nil, err
	}
	writers, err := e.open(s)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, w := range writers {
			w.abort()
		}
	}()
	if err := e.removeStale(sources, digests); err != nil {
		return nil, err
	}
	if err := e.each(ctx, all, writers); err != nil {
		return nil, err
	}
	for len(writers) > 0 {
		w := writers[0]
		writers = writers[1:]
		if err := w.end(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// listImages returns the sources that are not left out.
func listImages(sources []Source, digests []Digest) (all []*labelledImage) {
	names := baseNames(sources)
	for i, s := range sources {
		if digests[i] != (Digest{}) {
			all = append(all, &labelledImage{Source: s, digest: digests[i], id: len(all) + 1, baseName: names[i]})
		}
	}
	return all
}

// count sets the classes, first those of the prompts and then those of the answers in their order,
// and counts the objects.
func (e *Export) count(all []*labelledImage) (*Summary, error) {
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
	s := &Summary{Images: len(all), Files: []string{}}
	for _, img := range all {
		r, err := e.Journal.Record(img.digest)
		if err != nil {
			return nil, err
		}
		for _, a := range e.read(r) {
			for _, o := range a.objects {
				add(o.Label)
			}
			s.Objects += len(a.objects)
			s.Dropped += a.dropped
			s.Unparsed += len(a.unparsed)
		}
	}
	s.Classes = append([]string{}, e.classes...)
	return s, nil
}

// open begins all formats and adds their paths to s.
func (e *Export) open(s *Summary) (writers []writer, err error) {
	for _, f := range e.wanted() {
		path := filepath.Join(e.Out, f.path)
		w, err := f.open(e, path)
		if err != nil {
			for _, w := range writers {
				w.abort()
			}
			return nil, err
		}
		writers, s.Files = append(writers, w), append(s.Files, path)
	}
	return writers, nil
}

// removeStale removes files that an earlier run wrote of images that are now left out.
func (e *Export) removeStale(sources []Source, digests []Digest) error {
	names := baseNames(sources)
	for _, f := range e.wanted() {
		for i, s := range sources {
			if f.each == nil || digests[i] != (Digest{}) {
				continue
			}
			for _, name := range f.each(&labelledImage{baseName: names[i]}, s) {
				if err := e.remove(filepath.Join(e.Out, f.path, filepath.FromSlash(name))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// each reads the images' records and draws their masks, several images in parallel, and gives the
// images to writers in order.
func (e *Export) each(ctx context.Context, all []*labelledImage, writers []writer) error {
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
		return drawn{&img, e.fill(&img)}
	}) {
		d := <-waiting
		if d.err != nil {
			return d.err
		}
		for _, w := range writers {
			if err := w.add(d.img); err != nil {
				return err
			}
		}
		done++
		e.Progress(int64(done), int64(len(all)))
	}
	return ctx.Err()
}

// fill reads the record of img and draws its masks.
func (e *Export) fill(img *labelledImage) error {
	r, err := e.Journal.Record(img.digest)
	if err != nil {
		return err
	}
	img.width, img.height, img.answers = r.Width, r.Height, e.read(r)
	for _, a := range img.answers {
		for i := range a.objects {
			a.objects[i].class = e.class[a.objects[i].Label]
		}
	}
	return e.drawMasks(img)
}
