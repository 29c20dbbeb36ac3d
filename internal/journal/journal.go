// Package journal is a file of JSON lines that only grows, so that a stopped run goes on where it was.
//
// Before it: an answer that took long. After it: the next start of the same run, which reads what is there. Lines are appended in one write and synced.
// What a stopped program, or a full disk, left of a line is cut off when the file is opened again; any other line that its owner does not know is
// refused, and nothing is changed. The file is locked while it is open.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pali-gguf/pali/internal/atomicfile"
)

// MaxLine bounds a line in bytes.
const MaxLine = 8 << 20

// Options says how to open a journal.
type Options struct {
	Begins string        // how every line begins: what has no end and does not begin so is no line that was being written
	Fresh  bool          // forget what the file holds
	FS     atomicfile.FS // nil: the real one
}

// File is an open journal. It is not safe for concurrent use.
type File struct {
	path string
	f    atomicfile.File
	end  int64 // of the last whole line
}

// Open opens or makes the file at path, locks it, and calls each with every line and its place. An error from it refuses the file.
func Open(path string, o Options, each func(at int64, line []byte) error) (*File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if o.FS == nil {
		o.FS = atomicfile.Real
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := o.FS.OpenLocked(path)
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%s: another run is writing it", path)
	}
	if err != nil {
		return nil, err
	}
	j := &File{path: path, f: f}
	if !o.Fresh {
		err = j.read(o.Begins, each)
	}
	if err == nil {
		err = f.Truncate(j.end)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// read reads the lines and finds where the last whole one ends.
func (j *File) read(begins string, each func(at int64, line []byte) error) error {
	lines := bufio.NewReaderSize(io.NewSectionReader(j.f, 0, 1<<62), MaxLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && begun(line, begins) {
			return nil
		}
		if err == nil {
			err = each(j.end, line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		j.end += int64(len(line))
	}
}

// begun reports whether a line without an end is one that was being written, or nothing. Some disks leave zeros of what was written when the power went.
func begun(line []byte, begins string) bool {
	line = bytes.TrimRight(line, "\x00")
	n := min(len(line), len(begins))
	return string(line[:n]) == begins[:n]
}

// Add appends values, a line each, in one write, and syncs the file. It returns where each begins. After an error nothing of them counts.
func (j *File) Add(values ...any) (at []int64, err error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, v := range values {
		from := b.Len()
		at = append(at, j.end+int64(from))
		if err := e.Encode(v); err != nil {
			return nil, err
		}
		if n := b.Len() - from; n > MaxLine {
			return nil, fmt.Errorf("%s: a line of %d bytes, want at most %d", j.path, n, MaxLine)
		}
	}
	if _, err := j.f.WriteAt(b.Bytes(), j.end); err != nil {
		return nil, err
	}
	if err := j.f.Sync(); err != nil {
		return nil, err
	}
	j.end += int64(b.Len())
	return at, nil
}

// Read decodes the line that begins at a place that Open or Add gave.
func (j *File) Read(at int64, v any) error {
	err := json.NewDecoder(io.NewSectionReader(j.f, at, min(j.end-at, MaxLine))).Decode(v)
	if err != nil {
		return fmt.Errorf("%s: at byte %d: %w", j.path, at, err)
	}
	return nil
}

// Close closes the file and unlocks it.
func (j *File) Close() error { return j.f.Close() }
