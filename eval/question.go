package eval

// This file: a question about an image, and its true answers; questions.go: a file of them.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// UnmarshalJSON reads a text, a list of texts, or null. A number is the text that it is written as.
func (r *References) UnmarshalJSON(b []byte) error {
	var several []json.RawMessage
	if r.List = bytes.HasPrefix(b, []byte("[")); !r.List {
		several = []json.RawMessage{b}
	} else if err := json.Unmarshal(b, &several); err != nil {
		return err
	}
	for _, one := range several {
		if string(one) == "null" && !r.List {
			return nil
		}
		text := string(one)
		if text[0] != '-' && (text[0] < '0' || text[0] > '9') {
			if text[0] != '"' {
				return errSuffix
			}
			if err := json.Unmarshal(one, &text); err != nil {
				return err
			}
		}
		r.Texts = append(r.Texts, text)
	}
	return nil
}

// errSuffix refuses any other value.
var errSuffix = errors.New(`"suffix": want a text, or a list of texts`)

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
