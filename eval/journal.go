package eval

// This file: the records on disk, a line of JSON each, so that a stopped run can be resumed.

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pali-gguf/pali/internal/journal"
)

// Journal is an open file of records. The zero value has no file and only keeps the records in
// memory. It is not safe for concurrent use.
type Journal struct {
	Records []Record // of the file, in its order

	f *journal.File
}

// recordPrefix is how every line of the file begins.
const recordPrefix = `{"run":"`

// OpenJournal opens or creates the file at path and reads its records, which must be of this run
// and answer the first of questions, in order. With fresh it discards what the file holds.
func OpenJournal(path, run string, questions []Question, fresh bool) (*Journal, error) {
	j := &Journal{}
	options := journal.Options{Begins: recordPrefix, Fresh: fresh}
	f, err := journal.Open(path, options, func(_ int64, line []byte) error { return j.read(line, run, questions) })
	if err != nil {
		return nil, err
	}
	j.f = f
	return j, nil
}

// read adds the record of a line.
func (j *Journal) read(line []byte, run string, questions []Question) error {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("not a record of answers: %w", err)
	}
	n := len(j.Records)
	switch {
	case r.Run != run:
		return errors.New("of a run with other questions, another model or other options")
	case n >= len(questions) || r.Line != questions[n].Line || r.Image != questions[n].Image ||
		r.Prefix != questions[n].Prefix:
		return fmt.Errorf("not the answer to question %d", n+1)
	}
	j.Records = append(j.Records, r)
	return nil
}

// Add appends the record r and syncs the file.
func (j *Journal) Add(r Record) error {
	j.Records = append(j.Records, r)
	if j.f == nil {
		return nil
	}
	_, err := j.f.Add(r)
	return err
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
