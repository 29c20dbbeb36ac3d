package eval

// This file: the rows on disk, a JSON line each, so that a stopped run goes on.

import (
	"encoding/json"
	"fmt"

	"github.com/pali-gguf/pali/internal/journal"
)

// Journal is an open file of rows. Its zero value has no file and only keeps the rows. It is not
// safe for concurrent use.
type Journal struct {
	Rows []Record // in the file, in its order

	f *journal.File
}

// begins is how every row begins.
const begins = `{"run":"`

// OpenJournal opens or makes the file at path and reads its rows, which must be of this run and
// begin with the first question. With fresh, what the file holds is forgotten.
func OpenJournal(path, run string, questions []Question, fresh bool) (*Journal, error) {
	j := &Journal{}
	f, err := journal.Open(path, journal.Options{Begins: begins, Fresh: fresh}, func(_ int64, line []byte) error { return j.readRow(line, run, questions) })
	if err != nil {
		return nil, err
	}
	j.f = f
	return j, nil
}

func (j *Journal) readRow(line []byte, run string, questions []Question) error {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("not a row of answers: %w", err)
	}
	n := len(j.Rows)
	switch {
	case r.Run != run:
		return fmt.Errorf("of a run with other questions, another model or other flags")
	case n >= len(questions) || r.Line != questions[n].Line || r.Image != questions[n].Image || r.Prefix != questions[n].Prefix:
		return fmt.Errorf("not the answer to question %d", n+1)
	}
	j.Rows = append(j.Rows, r)
	return nil
}

// Add appends a row and syncs the file.
func (j *Journal) Add(r Record) error {
	j.Rows = append(j.Rows, r)
	if j.f == nil {
		return nil
	}
	_, err := j.f.Add(r)
	return err
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
