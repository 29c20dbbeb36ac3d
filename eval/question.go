package eval

// This file: questions about images, as lines of a JSONL file.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/internal/textfile"
	"github.com/pali-gguf/pali/runner"
)

// Bounds of a file of questions.
const (
	maxQuestions = 1_000_000
	maxLine      = 1 << 20 // bytes
	maxFile      = 1 << 30 // bytes
)

// Question is a line {"image": "000.png", "prefix": "caption en", "suffix": "a red circle"}, as
// maestro and big_vision write them. Other members are ignored.
type Question struct {
	Image  string     `json:"image"`  // path as the file has it
	Prefix string     `json:"prefix"` // the prompt
	Suffix References `json:"suffix"`

	File string `json:"-"` // path of the file that holds it
	Line int    `json:"-"` // in the file, from 1
	Path string `json:"-"` // of the image
}

// Wrap returns err with the file and line of the question.
func (q *Question) Wrap(err error) error { return fmt.Errorf("%s: line %d: %w", q.File, q.Line, err) }

// References are the true answers to a question.
type References struct {
	Texts []string // none: no answer is given
	List  bool     // they are given as a list, even if of one
}

// UnmarshalJSON reads a text, a list of texts, or null.
func (r *References) UnmarshalJSON(b []byte) error {
	if r.List = bytes.HasPrefix(b, []byte("[")); r.List {
		return json.Unmarshal(b, &r.Texts)
	}
	var one *string
	if err := json.Unmarshal(b, &one); err != nil || one == nil {
		return err
	}
	r.Texts = []string{*one}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (r References) MarshalJSON() ([]byte, error) {
	var v any // null
	switch {
	case r.List:
		v = r.Texts
	case len(r.Texts) == 1:
		v = r.Texts[0]
	}
	return marshal(v)
}

// marshal writes a value as JSON without escaping < and >.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// ReadQuestions reads the questions of the file at path and checks that their images exist. The
// images' paths are relative to folder, or to the file's folder if that is "".
func ReadQuestions(path, folder string) ([]Question, error) {
	f, info, err := input.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > maxFile {
		return nil, input.SizeError{Path: path, Have: info.Size(), Max: maxFile}
	}
	if folder == "" {
		folder = filepath.Dir(path)
	}
	var all []Question
	lines := bufio.NewScanner(textfile.NewReader(f))
	lines.Buffer(nil, maxLine)
	lines.Split(textfile.ScanLines)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		q := Question{File: path, Line: n}
		err := textfile.CheckUTF8(lines.Text())
		if err == nil {
			err = json.Unmarshal(line, &q)
		}
		if err == nil {
			err = q.check(folder)
		}
		if err == nil && len(all) == maxQuestions {
			err = fmt.Errorf("more than %d questions", maxQuestions)
		}
		if err != nil {
			return nil, q.Wrap(err)
		}
		all = append(all, q)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no questions: want lines {\"image\": ..., \"prefix\": ..., \"suffix\": ...}", path)
	}
	return all, nil
}

// check bounds the question's texts, in bytes, and finds its image.
func (q *Question) check(folder string) error {
	switch {
	case q.Image == "":
		return errors.New(`no "image"`)
	case len(q.Prefix) > runner.MaxPromptBytes:
		return fmt.Errorf("a prefix of %d bytes, want at most %d", len(q.Prefix), runner.MaxPromptBytes)
	}
	for _, s := range q.Suffix.Texts {
		if len(s) > runner.MaxPromptBytes {
			return fmt.Errorf("a suffix of %d bytes, want at most %d", len(s), runner.MaxPromptBytes)
		}
	}
	if q.Path = q.Image; !filepath.IsAbs(q.Path) {
		q.Path = filepath.Join(folder, q.Image)
	}
	_, err := os.Stat(q.Path)
	return err
}
