package dataset

// This file: what a run did, for people and programs.

import (
	"fmt"
	"strings"
	"time"
)

// Report says what a run did.
type Report struct {
	*Summary
	Prompts  int         `json:"prompts"`
	Answered int         `json:"answered"` // images that the model was asked about
	Known    int         `json:"known"`    // images that the journal had, or that are the same as another
	Bad      []BadReport `json:"bad"`      // images and folders that could not be read
	Skipped  []string    `json:"skipped,omitempty"`
	Encoded  int         `json:"pictures_encoded"` // runs of the vision model
	Rate     float64     `json:"pictures_per_second"`
	Busy     float64     `json:"model_busy"` // share of the time until the last record in which the model ran
	Ms       float64     `json:"total_ms"`
	failure  string      // what was given and not labelled
}

// BadReport is an image that is left out, or a folder.
type BadReport struct {
	Image string `json:"image"` // its name, or path
	Error string `json:"error"`
}

// NewReport reports a run over what was found. took is its time; mend adds to an error what mends it.
func NewReport(found *Found, out *Outcome, s *Summary, took time.Duration,
	mend func(error) error) *Report {
	r := &Report{
		Summary: s, Answered: out.Answered, Known: out.Known, Bad: []BadReport{},
		Ms: float64(took.Microseconds()) / 1000,
	}
	bad := append(append(append([]BadImage{}, found.Bad...), out.Bad...), s.Bad...)
	for _, b := range append(bad, found.BadFolders...) {
		r.Bad = append(r.Bad, BadReport{b.Name, mend(b.Err).Error()})
	}
	r.Skipped = found.Skipped.Sentences("")
	r.failure = strings.TrimPrefix(strings.Join(append([]string{found.Failure(len(out.Bad) + len(s.Bad))},
		s.Unwritten...), "; "), "; ")
	if out.Took > 0 {
		r.Rate, r.Busy = float64(out.Answered)/out.Took.Seconds(), out.Busy.Seconds()/out.Took.Seconds()
	}
	if n := len(out.Animated); n > 0 {
		var names []string
		for _, a := range out.Animated[:min(n, maxShown)] {
			names = append(names, ShownPath(a.Path))
		}
		text := fmt.Sprintf("of %s only the first frame is labelled: %s",
			count(n, "animation", "animations"), strings.Join(names, ", "))
		if n > maxShown {
			text += fmt.Sprintf(" and %d more", n-maxShown)
		}
		s.Notes = append(s.Notes, text)
	}
	return r
}

// LeftOut says why each of bad is left out, a line each. mend adds to an error what mends it.
func LeftOut(bad []BadImage, mend func(error) error) (lines []string) {
	for _, b := range bad {
		shown, text := ShownPath(b.Path), mend(b.Err).Error()
		text = strings.ReplaceAll(text, b.Path, shown)
		lines = append(lines, shown+": left out: "+strings.Join(strings.Fields(text), " "))
	}
	return lines
}

// Sentences says what of the arguments' folders is not labelled, a line each: what cannot be read,
// and what is skipped. recursive is the caller's name of FindOptions.Recursive; mend adds to an
// error what mends it.
func (f *Found) Sentences(recursive string, mend func(error) error) []string {
	return append(LeftOut(append(f.Bad[:len(f.Bad):len(f.Bad)], f.BadFolders...), mend),
		f.Skipped.Sentences(recursive)...)
}

// Failure returns what was given and cannot be labelled, if bad of the sources could not be read; ""
// if nothing.
func (f *Found) Failure(bad int) string {
	return failure(bad+len(f.Bad), len(f.Sources)+len(f.Bad), len(f.BadFolders))
}

// maxShown is how many images a sentence names.
const maxShown = 5

// String says how many images and objects there are, and how fast the model was, on a line each.
func (r *Report) String() string {
	text := count(r.Images, "image", "images") + ", " + count(r.Objects, "object", "objects") + "\n"
	if r.Answered > 0 {
		text += fmt.Sprintf("%s asked about, %.2f a second; the model was busy %.1f %% of the time\n",
			count(r.Answered, "image", "images"), r.Rate, 100*r.Busy)
	}
	return text
}

// Failure returns what could not be labelled though it was given; "" if nothing.
func (r *Report) Failure() string { return r.failure }

// failure says how many images, of all, and folders could not be read.
func failure(bad, all, folders int) string {
	var parts []string
	switch {
	case bad > 0 && bad == all:
		parts = append(parts, fmt.Sprintf("none of the %d images could be read", all))
	case bad == 1:
		parts = append(parts, fmt.Sprintf("1 of %d images could not be read and is left out", all))
	case bad > 1:
		parts = append(parts, fmt.Sprintf("%d of %d images could not be read and are left out", bad, all))
	}
	if folders > 0 {
		parts = append(parts, count(folders, "folder", "folders")+" could not be read")
	}
	return strings.Join(parts, "; ")
}

// count returns a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
