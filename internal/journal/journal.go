// Package journal is a file of JSON lines that only grows, so that a stopped run can continue where
// it was.
//
// Before it: a result that took long. After it: the next start of the same run, which reads all
// lines. Lines are appended in one write and synced. An incomplete line, left by a stopped program
// or a full disk, is cut off when the file is opened again; any other line that the caller does not
// know is refused, and the file stays as it is. The file is locked while it is open.
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
	// how every line begins: other text without a newline at the end of the file is not an
	// incomplete line
	Begins string
	Fresh  bool          // discard what the file holds
	FS     atomicfile.FS // nil: the real one
}

// File is an open journal. It is not safe for concurrent use.
type File struct {
	path string
	f    atomicfile.File
	end  int64 // of the last whole line
}

// Open opens or creates the file at path, locks it, and calls each with every line and its position
// in bytes. If each fails, so does Open.
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

// read calls each with every line, and sets j.end to the end of the last whole one.
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

// begun reports whether line, which has no newline, is one that was being written, or empty. Some
// disks leave zeros of what was being written when the power failed.
func begun(line []byte, begins string) bool {
	line = bytes.TrimRight(line, "\x00")
	n := min(len(line), len(begins))
	return string(line[:n]) == begins[:n]
}

// Add appends values, a line each, in one write, and syncs the file. It returns the position of
// each. After an error none of them is in the journal.
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

// Read decodes into v the line at at, a position that Open or Add gave.
func (j *File) Read(at int64, v any) error {
	err := json.NewDecoder(io.NewSectionReader(j.f, at, min(j.end-at, MaxLine))).Decode(v)
	if err != nil {
		return fmt.Errorf("%s: at byte %d: %w", j.path, at, err)
	}
	return nil
}

// Close closes the file and unlocks it.
func (j *File) Close() error { return j.f.Close() }
