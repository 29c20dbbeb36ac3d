// Package dataset labels many images and writes the labels in the formats that other programs read:
// COCO, YOLO, Pascal VOC, LabelMe, CSV, JSONL, mask PNGs.
//
// Before it: folders and lists of images, and a model to ask (package runner). After it: a folder
// of files.
//
//	FindSources ──▶ Source ──Labeller──▶ pixels ──Asker──▶ Record ──▶ Journal ──Export──▶ files
//	                  (n ahead, in parallel)     (one at a time)  (in parallel)
//
// The journal keeps the model's answers by the digest of each image's file, and the exported files
// are made from it alone: a stopped run can be resumed, and a complete one can be exported again,
// in other formats or with another minimum score, without the model.
//
// This file: the journal.
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

// Digest is the SHA-256 of an image's file. The zero Digest stands for no file.
type Digest [sha256.Size]byte

// MarshalText writes the digest in hexadecimal.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != 2*len(d) {
		return fmt.Errorf("a SHA-256 of %d characters, want %d", len(b), 2*len(d))
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// Record is an image with the model's answers: a line of the journal.
type Record struct {
	Run     string   `json:"run"`    // differs for runs with options that give other answers
	Digest  Digest   `json:"sha256"` // of the image's file
	Image   string   `json:"image"`  // Source.Name
	Width   int      `json:"width"`  // of the upright image, in pixels
	Height  int      `json:"height"`
	Answers []Answer `json:"answers"` // one for each prompt
}

// Answer is the model's answer to one prompt.
type Answer struct {
	Prompt string `json:"prompt"`
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`            // with the end token if there is one
	CutOff bool   `json:"cut_off,omitempty"` // the limit of tokens ended it
	// of the objects that tasks.ParseDetections finds in Text, in that order
	Scores []tasks.Score `json:"scores,omitempty"`
}

// maxPixels bounds the image of a record: the program that wrote the record had it in memory.
const maxPixels = 1 << 28

// ErrOtherRun reports a record of another run.
var ErrOtherRun = errors.New("made with another model, other prompts or other options")

// check refuses a record that is not of this run, or that a Labeller cannot have written.
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

// Journal holds the records of a run. It is safe for concurrent use.
type Journal struct {
	run string
	mu  sync.Mutex
	f   *journal.File
	at  map[Digest]int64 // position of each image's record in the file
}

// journalBegins is how each record of a journal begins.
const journalBegins = `{"run":"`

// OpenJournal opens or creates the journal at path. It fails with ErrOtherRun if a record is not of
// this run. It sets o.Begins itself.
func OpenJournal(path, run string, o journal.Options) (*Journal, error) {
	j := &Journal{run: run, at: map[Digest]int64{}}
	o.Begins = journalBegins
	f, err := journal.Open(path, o, func(at int64, line []byte) error {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("not a record of labels: %w", err)
		}
		j.at[r.Digest] = at
		return r.check(run)
	})
	j.f = f
	return j, err
}

// Len returns the number of images that have a record.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.at)
}

// Has reports whether there is a record of the image with the digest d.
func (j *Journal) Has(d Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.at[d]
	return ok
}

// Record reads the record of the image with the digest d.
func (j *Journal) Record(d Digest) (r Record, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, ok := j.at[d]
	if !ok {
		return r, fmt.Errorf("no record of the image %x", d)
	}
	if err := j.f.Read(at, &r); err != nil {
		return r, err
	}
	return r, r.check(j.run)
}

// Add sets Run of the records to the journal's, appends them and syncs the file.
func (j *Journal) Add(records ...Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []any
	for i := range records {
		records[i].Run = j.run
		lines = append(lines, records[i])
	}
	at, err := j.f.Add(lines...)
	for i := range at {
		j.at[records[i].Digest] = at[i]
	}
	return err
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
