// Package npz reads NumPy's archives of arrays (.npz) as streams, and writes them.
//
//	x.npz  =  zip file of members  params/img/embedding/kernel.npy ...   stored, or deflated
//	member =  "\x93NUMPY", version, header length,
//	          {'descr': '<f4', 'fortran_order': False, 'shape': (14, 14, 3, 1152), }, elements
//
// Before it: a checkpoint as big_vision saves it (np.savez), in one file or in pieces. After it:
// code that reads the arrays, each a tensor.Tensor.
//
// Element types are <f4 (F32), <f2 (F16) and <i4 (I32), or the same with > for <, and |V2 or <V2,
// which is how NumPy, having no such type, saves bfloat16 (big_vision utils.py, recover_dtype).
// Members are never written to disk, and every size is checked against the length of the file
// before anything is allocated for it. Folders, and what macOS adds to an archive, are passed over.
package npz

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/tensor"
)

// Limits of the archives that are read. The largest published checkpoint, the 28B model in 32-bit
// floats, has 34 members and 110.6e9 bytes.
const (
	maxMembers   = 4096
	maxName      = 512        // bytes of a member's name
	maxDirectory = 8 << 20    // bytes of the zip directory
	maxTotal     = 120 << 30  // bytes of all members together, unpacked
	maxRatio     = 200        // unpacked to packed, for a member that unpacks to more than freeSize
	freeSize     = 64 << 20   // bytes
	maxFortran   = 1 << 30    // bytes of an array in Fortran order, which is transposed in memory
	maxHeader    = 64<<10 - 1 // bytes of an array's header
	maxDims      = 8          // axes of an array
	maxElements  = maxTotal   // of an array
)

// Archive is an open .npz file. It is safe for concurrent use.
type Archive struct {
	tensors []tensor.Tensor
	byName  map[string]int
	files   []*part // none for NewArchive
}

// Open opens a .npz file, or the pieces of one in the order of paths (x.npz.part0 x.npz.part1 ...).
// It reads the directory and every array's header, and checks that they agree; the elements are
// read by the tensors.
func Open(paths ...string) (*Archive, error) {
	whole, err := openParts(paths)
	if err != nil {
		if other := (filekind.Error{}); errors.As(err, &other) {
			return nil, other
		}
		return nil, fmt.Errorf("npz: %w", err)
	}
	a, err := newArchive(whole, whole.size)
	if err != nil {
		whole.close()
		if other := filekind.At(paths[0], filekind.Checkpoint); other != nil {
			return nil, other
		}
		what := paths[0]
		if len(paths) > 1 {
			what = fmt.Sprintf("%s and %d more, joined in the given order", what, len(paths)-1)
		}
		return nil, fmt.Errorf("npz: %s: %w", what, err)
	}
	a.files = whole.parts
	return a, nil
}

// NewArchive reads an archive of size bytes from r, which must stay readable as long as the tensors
// are used.
func NewArchive(r io.ReaderAt, size int64) (*Archive, error) {
	a, err := newArchive(r, size)
	if err != nil {
		return nil, fmt.Errorf("npz: %w", err)
	}
	return a, nil
}

func newArchive(r io.ReaderAt, size int64) (*Archive, error) {
	members, err := readDirectory(r, size)
	if err != nil {
		return nil, err
	}
	a := &Archive{byName: make(map[string]int, len(members))}
	var h headerReader
	for i, m := range members {
		t, err := h.tensor(r, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", quote(m.name), err)
		}
		a.tensors = append(a.tensors, t)
		a.byName[t.Name] = i
	}
	return a, nil
}

// Tensors returns the arrays in the order of their bytes in the file. A name is the member's
// without ".npy".
func (a *Archive) Tensors() []tensor.Tensor { return slices.Clone(a.tensors) }

// Tensor returns the array called name.
func (a *Archive) Tensor(name string) (tensor.Tensor, bool) {
	i, ok := a.byName[name]
	if !ok {
		return tensor.Tensor{}, false
	}
	return a.tensors[i], true
}

// Unchanged fails if the size or the modification time of a file changed since Open: what was read
// may then be a mixture. It fails on a closed archive, and does nothing for one that NewArchive
// opened.
func (a *Archive) Unchanged() error {
	for _, p := range a.files {
		if err := p.unchanged(); err != nil {
			return fmt.Errorf("npz: %w", err)
		}
	}
	return nil
}

// Close closes the files that Open opened. Calls after the first do nothing.
func (a *Archive) Close() error {
	var first error
	for _, p := range a.files {
		if err := p.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) && first == nil {
			first = fmt.Errorf("npz: %w", err)
		}
	}
	return first
}

// quote returns s, a string from a file, printable and short, for an error.
func quote(s string) string {
	const limit = 120 // bytes: the longest name of an array in a checkpoint has 89
	quoted := fmt.Sprintf("%q", strings.ToValidUTF8(s[:min(len(s), limit)], "?"))
	if len(quoted) > limit+2 { // escapes
		return strings.ToValidUTF8(quoted[:limit], "") + `"...`
	}
	if len(s) > limit {
		return quoted + "..."
	}
	return quoted
}
