package eval

// This file: reading questions, as lines of a JSONL file.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/internal/textfile"
	"github.com/pali-gguf/pali/runner"
)

// Bounds of a file of questions.
const (
	maxQuestions = 1_000_000
	maxLine      = 1 << 20   // bytes
	maxFile      = 256 << 20 // bytes
)

// wantQuestions is what a file of questions is.
const wantQuestions = `want lines {"image": ..., "prefix": ..., "suffix": ...}`

// ReadQuestions reads the questions of the file at path, "-" for the standard input, and checks that
// their images exist. The images' paths are relative to folder; if that is "", to the file's folder,
// or to the current one if path is no regular file. It waits for the writer of a FIFO until ctx is
// done.
func ReadQuestions(ctx context.Context, path, folder string) ([]Question, error) {
	b, err := input.ReadStream(ctx, path, maxFile)
	switch {
	case errors.As(err, new(input.KindError)), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", err, wantQuestions)
	case err != nil:
		return nil, err
	}
	name := input.Name(path)
	if folder == "" {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			folder = filepath.Dir(path)
		}
	} else if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: no such folder of images", folder)
	}
	var all []Question
	lines := bufio.NewScanner(textfile.NewReader(bytes.NewReader(b)))
	lines.Buffer(nil, maxLine)
	lines.Split(textfile.ScanLines)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		q := Question{File: name, Line: n}
		err := q.read(line, folder)
		if err == nil && len(all) == maxQuestions {
			err = fmt.Errorf("more than %d questions", maxQuestions)
		}
		if err != nil {
			return nil, q.Wrap(err)
		}
		all = append(all, q)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s: line %d: longer than %d bytes: %s", name, n+1, maxLine, wantQuestions)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(all) == 0:
		return nil, fmt.Errorf("%s: no questions: %s", name, wantQuestions)
	}
	return all, nil
}

// read sets the question to that of line, whose image's path is relative to folder.
func (q *Question) read(line []byte, folder string) error {
	if err := textfile.CheckUTF8(string(line)); err != nil {
		return err
	}
	x := struct {
		*Question
		Prefix *string `json:"prefix"`
	}{Question: q}
	if err := json.Unmarshal(line, &x); err != nil {
		return explainLine(line, err)
	}
	if x.Prefix != nil {
		q.Prefix = *x.Prefix
	}
	if err := q.check(folder); err != nil {
		return err
	}
	if x.Prefix == nil {
		return errors.New(`no "prefix", which is the prompt`)
	}
	return nil
}

// explainLine says what is wrong with a line that err says is no question.
func explainLine(line []byte, err error) error {
	var typed *json.UnmarshalTypeError
	switch {
	case errors.Is(err, errSuffix):
		return err
	case line[0] == '[':
		return errors.New("a list in JSON: want an object on each line, without brackets and commas around them")
	case line[0] != '{':
		return errors.New("not JSON: " + wantQuestions)
	case errors.As(err, &typed):
		return fmt.Errorf("%q: have %s, want a text", typed.Field, typed.Value)
	case !bytes.HasSuffix(line, []byte("}")):
		return errors.New("the object does not end here: want a whole one on each line, and nothing behind it")
	}
	return fmt.Errorf("not JSON: %w", err)
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
	var err error
	if q.Path, err = input.ResolveIn(folder, q.Image); err == nil && input.Missing(q.Path) {
		err = fmt.Errorf("%q: no such image", q.Path)
	}
	return err
}
