// Package dataset labels many images and writes the files that other programs read: COCO, YOLO,
// Pascal VOC, LabelMe, CSV, JSONL, mask PNGs.
//
// Before it: folders and lists of images, and a model to ask (package runner). After it: a folder
// of files.
//
//	FindSources ──▶ Source ──Labeller──▶ pixels ──Asker──▶ Record ──▶ Journal ──Export──▶ files
//	                  (the next ones meanwhile)  (one at a time)  (synced meanwhile)
//
// The journal keeps what the model said, by the contents of each image's file; whatever else the
// files need is made of that, each time again: a stopped run goes on, and a complete one is
// exported again, in other formats or with another least score, without the model. This file: the
// journal.
package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/pali-gguf/pali/internal/journal"
	"github.com/pali-gguf/pali/tasks"
)

// Digest is the SHA-256 of an image's file. The zero Digest is of none.
type Digest [sha256.Size]byte

// MarshalText writes the sum in hexadecimal.
func (s Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Digest) UnmarshalText(b []byte) error {
	if len(b) != 2*len(s) {
		return fmt.Errorf("a SHA-256 of %d characters", len(b))
	}
	_, err := hex.Decode(s[:], b)
	return err
}

// Record is an image with the model's answers: a line of the journal.
type Record struct {
	Run     string   `json:"run"`    // Options that give other answers give another run
	Sum     Digest   `json:"sha256"` // of the image's file
	Image   string   `json:"image"`  // the name it had
	Width   int      `json:"width"`  // of the image as it is seen, in pixels
	Height  int      `json:"height"`
	Answers []Answer `json:"answers"` // one for each prompt
}

// Answer is what the model said to one prompt.
type Answer struct {
	Prompt string `json:"prompt"`
	Text   string `json:"text"`
	Tokens int    `json:"tokens"` // with the end token where it came
	// of the objects that tasks.ParseDetections finds in the text, in that order
	Scores []tasks.Score `json:"scores,omitempty"`
}

// maxPixels bounds an image of a journal's row: whoever wrote the row had it in memory.
const maxPixels = 1 << 28

// ErrOtherRun is a row of a journal that another run wrote.
var ErrOtherRun = errors.New("made with another model, other prompts or other flags")

// check refuses a row that no labeller wrote.
func (r *Record) check(run string) error {
	switch {
	case r.Run != run:
		return ErrOtherRun
	case r.Width < 1 || r.Height < 1 || r.Width > maxPixels/r.Height:
		return fmt.Errorf("an image of %d x %d", r.Width, r.Height)
	}
	for _, a := range r.Answers {
		if found, _ := tasks.ParseDetections(a.Text); len(found) != len(a.Scores) {
			return fmt.Errorf("%d objects with %d scores", len(found), len(a.Scores))
		}
	}
	return nil
}

// Journal holds the rows of a run. It is safe for concurrent use.
type Journal struct {
	run string
	mu  sync.Mutex
	f   *journal.File
	at  map[Digest]int64
}

// OpenJournal opens or makes the journal at path, whose rows must all be of this run. Of o Begins
// is set here.
func OpenJournal(path, run string, o journal.Options) (*Journal, error) {
	j := &Journal{run: run, at: map[Digest]int64{}}
	o.Begins = `{"run":"`
	f, err := journal.Open(path, o, func(at int64, line []byte) error {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("not a row of labels: %w", err)
		}
		j.at[r.Sum] = at
		return r.check(run)
	})
	j.f = f
	return j, err
}

// Len returns the number of images.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.at)
}

// Has reports whether there is a row for the image.
func (j *Journal) Has(s Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.at[s]
	return ok
}

// Row reads the row of an image.
func (j *Journal) Row(s Digest) (r Record, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, ok := j.at[s]
	if !ok {
		return r, fmt.Errorf("no row for the image %x", s)
	}
	if err := j.f.Read(at, &r); err != nil {
		return r, err
	}
	return r, r.check(j.run)
}

// Add appends rows and syncs the file.
func (j *Journal) Add(rows ...Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []any
	for i := range rows {
		rows[i].Run = j.run
		lines = append(lines, rows[i])
	}
	at, err := j.f.Add(lines...)
	for i := range at {
		j.at[rows[i].Sum] = at[i]
	}
	return err
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
