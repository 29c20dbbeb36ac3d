package convert

// This file: vae-oid.npz, the mask VQ-VAE, to a mask file. Names and shapes are those of package
// tasks/masks.

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/tasks/masks"
	"github.com/pali-gguf/pali/tensor"
)

// maskBook is the code book's name in the checkpoint; the layers have theirs in both.
const maskBook = "_vq_vae._embedding"

// MaskOptions says what to make of a mask checkpoint.
type MaskOptions struct {
	Name   string    // the file is masks-NAME.gguf
	Type   gguf.Type // of the weights: F32 or F16
	OutDir string    // made if it is not there; "": the current folder
	Force  bool      // replace the file if it is there

	fs atomicfile.FS // nil: the real one; tests make it fail
}

// Masks converts the decoder of the mask checkpoint in src to a mask file as o says, and returns
// its path; the arrays of its encoder are not needed. The file appears under its name when it is
// complete, unless src changed meanwhile. The same input gives the same bytes. Masks does not close
// src.
func Masks(src Source, o MaskOptions) (path string, err error) {
	if err := checkName(o.Name); err != nil {
		return "", err
	}
	m, err := readMasks(src, o.Name, o.Type)
	if err != nil {
		return "", err
	}
	if err := makeFolder(o.OutDir); err != nil {
		return "", err
	}
	path = maskPath(o.OutDir, o.Name)
	set, err := atomicfile.Begin([]atomicfile.Target{{Path: path, Size: m.Size}}, atomicfile.Options{Force: o.Force,
		FS: o.fs})
	if err != nil {
		return "", err
	}
	defer set.Abort()
	if err := m.write(set.WriterAt(0)); err != nil {
		return "", err
	}
	if err := src.Unchanged(); err != nil {
		return "", err
	}
	return path, set.Commit()
}

func maskPath(folder, name string) string { return filepath.Join(folder, "masks-"+name+".gguf") }

// maskFile is a mask file that is ready to be written.
type maskFile struct {
	*gguf.Layout
	data [][]byte // of each tensor
}

// readMasks lays a mask file out, checks that its reader will accept it, and reads its few
// megabytes.
func readMasks(src Source, name string, weights gguf.Type) (*maskFile, error) {
	if weights != gguf.F32 && weights != gguf.F16 {
		return nil, fmt.Errorf("convert: a mask file of type %v: want F32 or F16", weights)
	}
	book, ok := src.Tensor(maskBook)
	if !ok || len(book.Shape) != 2 {
		return nil, fmt.Errorf("convert: not a mask checkpoint (vae-oid.npz): no array %s [%d,width]", maskBook,
			masks.Codes)
	}
	wanted := masks.Tensors(book.Shape[1])
	for i := range wanted {
		wanted[i].Type = gguf.F32
		if strings.HasSuffix(wanted[i].Name, ".weight") {
			wanted[i].Type = weights
		}
	}
	m := &maskFile{}
	var err error
	if m.Layout, err = gguf.NewLayout([]gguf.KV{
		kv("general.architecture", masks.Architecture),
		kv("general.type", "masks"),
		kv("general.name", name),
		kv("general.file_type", uint32(weights)), // llama.cpp numbers files of F32 and F16 as their types
	}, wanted); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if err := verifyMasks(m.Layout); err != nil {
		return nil, err
	}
	for _, t := range m.Tensors {
		b, err := maskArray(src, t)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		m.data = append(m.data, b)
	}
	return m, nil
}

func (m *maskFile) write(to io.WriterAt) error {
	if _, err := to.WriteAt(m.Header, 0); err != nil {
		return fmt.Errorf("convert: header: %w", err)
	}
	for i, t := range m.Tensors {
		if _, err := to.WriteAt(m.data[i], t.Offset); err != nil {
			return fmt.Errorf("convert: %s: %w", t.Name, err)
		}
	}
	return nil
}

// maskArray reads the array of a tensor in the tensor's type.
func maskArray(src Source, want gguf.Tensor) ([]byte, error) {
	name := want.Name
	if name == masks.CodeBook {
		name = maskBook
	}
	a, ok := src.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("array %s is missing, want %v", name, want.Shape)
	}
	if fmt.Sprint(a.Shape) != fmt.Sprint(want.Shape) {
		return nil, fmt.Errorf("array %s: shape %v, want %v", name, a.Shape, want.Shape)
	}
	v, err := a.Float32s()
	if err != nil {
		return nil, err
	}
	narrow := tensor.F32
	if want.Type == gguf.F16 {
		narrow = tensor.F16
	}
	if i := tensor.IndexOverflow(v, narrow.Limit()); i >= 0 {
		return nil, fmt.Errorf("array %s: element %d is %v, which %v cannot hold", name, i, v[i], want.Type)
	}
	b := make([]byte, want.Bytes())
	tensor.FromFloat32(b, v, narrow)
	return b, nil
}
