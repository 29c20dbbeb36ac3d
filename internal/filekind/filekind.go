// Package filekind names files by their first bytes, for a person who gave the wrong one: what the
// file is, and how to come from it to the one that is wanted.
//
//	path or first bytes, Want ──▶ Error: "x.safetensors is a safetensors file ...: ..."
//
// Before it: a path that a person gave, or the first bytes of what lies there. After it: the
// errors of the packages that read files. This file: the sentences; kinds.go: the table of first
// bytes; inside.go: what lies within an archive or a folder.
package filekind

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pali-gguf/pali/internal/input"
)

// Want is the file that was to be read.
type Want int

const (
	Checkpoint Want = iota // PaliGemma's, or the mask decoder's: .npz
	GGUF                   // any file of a model
	Tokenizer              // a SentencePiece model
	Image                  // of a format that imageproc reads: it says which, and names the other images
	Imatrix                // an importance matrix: GGUF
)

// advice says, for each Want, what it is and where it comes from.
var advice = [...]string{
	Checkpoint: `want the checkpoint that Kaggle has (.npz), from https://www.kaggle.com/models/google/paligemma ` +
		`("pali pull" fetches and converts it)`,
	GGUF:      `want a GGUF file ("pali convert" makes it of a checkpoint, .npz)`,
	Tokenizer: `want the SentencePiece model, from https://storage.googleapis.com/big_vision/paligemma_tokenizer.model`,
	Image:     "",
	Imatrix:   `want an importance matrix ("pali imatrix" makes it)`,
}

// HeadBytes is how much of a file's beginning Of looks at.
const HeadBytes = 4096

// Error says that a file is not the one wanted.
type Error struct {
	Path string // "": not known
	Is   string // what it is, as "a safetensors file"
	Do   string // what to do about it; "": nothing is known
}

// Error is one sentence.
func (e Error) Error() string {
	text := cmp.Or(e.Path, "this") + " is " + e.Is
	if e.Do != "" {
		text += ": " + e.Do
	}
	return text
}

// Of returns an Error if the file at path, of size bytes, which begins with head, is known to be
// another than the one wanted, and nil otherwise. head has HeadBytes bytes, or all if there are
// fewer. path may be "".
func Of(path string, head []byte, size int64, want Want) error {
	if size == 0 {
		return Error{path, "an empty file", "make or download it again"}
	}
	for _, k := range kinds {
		if !k.begins(head) {
			continue
		}
		if k.is == want.kind() || k.is == isZip && want == Checkpoint || k.is == isText && want == Image {
			return nil
		}
		do := advice[want]
		if k.do != nil {
			do = k.do(path, head, want)
		}
		return Error{path, k.is, do}
	}
	return nil
}

// kind returns the name of the kind that is wanted, as the table has it.
func (w Want) kind() string {
	return [...]string{Checkpoint: isNPZ, GGUF: isGGUF, Tokenizer: isTokenizer, Imatrix: isGGUF, Image: isImage}[w]
}

// Open opens the regular file at path to read it, as input.Open does. It fails with an Error for a
// folder, and for what is not there because it is no path.
func Open(path string, want Want) (*os.File, os.FileInfo, error) {
	f, info, err := input.Open(path)
	if err == nil {
		return f, info, nil
	}
	kind := input.KindError{}
	switch {
	case !errors.As(err, &kind):
		err = cmp.Or(NoPath(path), err)
	case kind.Mode.IsDir():
		err = cmp.Or(ofFolder(path, want), err)
	}
	return nil, nil, err
}

// At is Of for the file at path. It returns the Errors of Open too, and nil for what it cannot read:
// the reader of the file says why.
func At(path string, want Want) error {
	f, info, err := Open(path, want)
	if err == nil {
		defer f.Close()
		return OfReader(path, f, info.Size(), want)
	}
	if other := (Error{}); errors.As(err, &other) {
		return other
	}
	return nil
}

// NoPath returns an Error if path leads to nothing and is an address, or begins with a ~ that a
// shell would have replaced, and nil otherwise.
func NoPath(path string) error {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return Error{path, "a path of which the shell did not replace the ~", "write $HOME/" + rest}
	}
	file, err := input.Resolve(path)
	switch {
	case err != nil:
		return Error{path, "an address", "download the file first, and give its path"}
	case strings.HasPrefix(strings.ToLower(path), "file:") && file != path:
		return Error{path, "an address", "give the file's path, " + file}
	}
	return nil
}

// OfReader is Of for the size bytes of r.
func OfReader(path string, r io.ReaderAt, size int64, want Want) error {
	head := make([]byte, min(max(size, 0), HeadBytes))
	n, err := r.ReadAt(head, 0)
	if n < len(head) && err != nil {
		return nil
	}
	return Of(path, head, size, want)
}

// name returns the file's name, for a command that a person types.
func name(path string) string {
	if path == "" {
		return "FILE"
	}
	if strings.ContainsAny(path, " '\"$&;()*?<>|\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// hasEnding reports whether path ends in one of endings, capitals or not.
func hasEnding(path string, endings ...string) bool {
	base := strings.ToLower(filepath.Base(path))
	for _, e := range endings {
		if strings.HasSuffix(base, e) {
			return true
		}
	}
	return false
}
