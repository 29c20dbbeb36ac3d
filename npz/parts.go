package npz

// This file: several files read as one: the zip directory and the members see one io.ReaderAt.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/pali-gguf/pali/internal/filekind"
)

// part is one open file, and its position in the whole.
type part struct {
	f           *os.File
	start, size int64 // bytes
	modified    time.Time
}

// joined is files end to end.
type joined struct {
	parts []*part
	size  int64
}

func openParts(paths []string) (*joined, error) {
	if len(paths) == 0 {
		return nil, errors.New("no file given")
	}
	j := &joined{}
	for _, path := range paths {
		p, err := openPart(path)
		if err != nil {
			j.close()
			return nil, err
		}
		p.start = j.size
		j.size += p.size
		j.parts = append(j.parts, p)
	}
	return j, nil
}

func openPart(path string) (*part, error) {
	f, info, err := filekind.Open(path, filekind.Checkpoint)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		f.Close()
		return nil, filekind.Of(path, nil, 0, filekind.Checkpoint)
	}
	return &part{f: f, size: info.Size(), modified: info.ModTime()}, nil
}

// ReadAt fills b from offset off, across the borders of files.
func (j *joined) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	i := sort.Search(len(j.parts), func(i int) bool { return off < j.parts[i].start+j.parts[i].size })
	done := 0
	for ; i < len(j.parts) && done < len(b); i++ {
		p := j.parts[i]
		at := off + int64(done) - p.start
		n, err := p.f.ReadAt(b[done:min(int64(len(b)), int64(done)+p.size-at)], at)
		done += n
		if at+int64(n) < p.size && done < len(b) {
			if err == io.EOF {
				err = fmt.Errorf("%s: %w", p.f.Name(), io.ErrUnexpectedEOF) // the file shrank
			}
			return done, err
		}
	}
	if done < len(b) {
		return done, io.EOF
	}
	return done, nil
}

func (j *joined) close() {
	for _, p := range j.parts {
		p.f.Close()
	}
}

// unchanged fails if the file has changed since it was opened.
func (p *part) unchanged() error {
	info, err := p.f.Stat()
	if err == nil && (info.Size() != p.size || !info.ModTime().Equal(p.modified)) {
		err = fmt.Errorf("%s changed while it was read", p.f.Name())
	}
	return err
}
