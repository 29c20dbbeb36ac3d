package quant

// This file: the importance matrix, what calibration saw of each matrix's input: the sums that
// ggml.Collector takes from running graphs become the weights of a matrix's columns, for the
// encoders of block types.
//
// # The file
//
// A GGUF file as llama.cpp's tools read and write it (tools/imatrix/imatrix.cpp,
// common/imatrix-loader.cpp), tensors in the order of the names:
//
//	general.type          "imatrix"
//	imatrix.datasets      names of what was asked, strings
//	imatrix.chunk_count   u32: questions here, runs of text there
//	imatrix.chunk_size    u32: positions in one of them; here, since questions differ, the mean,
//	                      rounded up
//	NAME.in_sum2  [cols]  F32: for each column of the matrix NAME, the sum of the squares of what
//	                      it was multiplied with
//	NAME.counts   [1]     F32: the number of rows summed
//
// One file holds both halves of a PaliGemma: no name is in both. llama.cpp's NAME.in_sum is not
// written, and ignored where it is read.

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/mmproj"
)

// The keys and the endings of tensors' names.
const (
	keyType       = "general.type"
	keyDatasets   = "imatrix.datasets"
	keyChunkCount = "imatrix.chunk_count"
	keyChunkSize  = "imatrix.chunk_size"
	typeImatrix   = "imatrix"
	sumsSuffix    = ".in_sum2"
	countsSuffix  = ".counts"
)

// Imatrix is what calibration saw of a model. Its zero value has seen nothing. Weights is safe for
// concurrent use, the rest is not.
type Imatrix struct {
	Name     string // of the file it was read from
	Datasets []string
	Chunks   int               // questions
	Squares  []ggml.SumSquares // ordered by name
}

// Add adds the sums all of some matrices. It fails where a matrix has another width than before.
func (m *Imatrix) Add(all []ggml.SumSquares) error {
	for _, s := range all {
		at, known := m.find(s.Name)
		if !known {
			m.Squares = slices.Insert(m.Squares, at, ggml.SumSquares{Name: s.Name, Sums: make([]float64, len(s.Sums))})
		}
		have := &m.Squares[at]
		if len(have.Sums) != len(s.Sums) {
			return fmt.Errorf("imatrix: %s: %d columns, and %d before: not of one model", s.Name, len(s.Sums),
				len(have.Sums))
		}
		have.Rows += s.Rows
		for i, v := range s.Sums {
			have.Sums[i] += v
		}
	}
	return nil
}

// Merge adds o, what another calibration of the same model saw.
func (m *Imatrix) Merge(o *Imatrix) error {
	m.Datasets, m.Chunks = append(m.Datasets, o.Datasets...), m.Chunks+o.Chunks
	return m.Add(o.Squares)
}

// find returns where a matrix is, or where it would be.
func (m *Imatrix) find(name string) (at int, known bool) {
	return slices.BinarySearchFunc(m.Squares, name,
		func(s ggml.SumSquares, name string) int { return cmp.Compare(s.Name, name) })
}

// chunkSize returns the mean number of positions of a question, rounded up: of the matrix with the
// largest number of rows.
func (m *Imatrix) chunkSize() int64 {
	maxRows := int64(1)
	for _, s := range m.Squares {
		maxRows = max(maxRows, s.Rows)
	}
	chunks := int64(max(m.Chunks, 1))
	return (maxRows + chunks - 1) / chunks
}

// floor is the least weight of a column, as a share of the mean of its matrix. A column that saw
// nothing but zeros has no weight, and a block without weights would have no best scale.
const floor = 1e-6

// Weights returns the weights of the columns of the matrix name, which has cols of them: the mean
// squares of what they were multiplied with, each at least a small share of their mean. It fails
// where the matrix was not seen, or had another width. The vision MLP's second matrix may be padded
// with columns (mmproj.PaddedWidth), which meet zeros only.
func (m *Imatrix) Weights(name string, cols int) ([]float32, error) {
	at, known := m.find(name)
	if !known || m.Squares[at].Rows == 0 {
		return nil, fmt.Errorf("imatrix: nothing about %s: it was made for another model", name)
	}
	s := m.Squares[at]
	if have := len(s.Sums); have != cols && !mmproj.IsPadded(name, []int{1, have}, []int{1, cols}) {
		return nil, fmt.Errorf("imatrix: %s: %d columns, the model's has %d: it was made for another model", name, have,
			cols)
	}
	return columnWeights(s.Sums, s.Rows, cols), nil
}

// columnWeights divides the sums by the rows. What comes out has a mean near 1, by a power of two,
// which changes no bit of a block and keeps ggml's sums within their floats.
func columnWeights(sums []float64, rows int64, cols int) []float32 {
	mean := 0.0
	for _, v := range sums {
		mean += v / float64(rows) / float64(len(sums))
	}
	out := make([]float32, cols)
	if mean == 0 { // nothing but zeros came in: no column is better than another
		for i := range out {
			out[i] = 1
		}
		return out
	}
	_, exponent := math.Frexp(mean)
	for i := range out {
		w := 0.0
		if i < len(sums) {
			w = sums[i] / float64(rows)
		}
		out[i] = float32(math.Ldexp(max(w, floor*mean), -exponent))
	}
	return out
}

// Bytes returns the file with sums of the element type t: F32, or F64, which llama.cpp does not
// read, to keep the sums exactly. The keys in more follow the others.
func (m *Imatrix) Bytes(t gguf.Type, more ...gguf.KV) ([]byte, error) {
	if len(m.Squares) == 0 {
		return nil, errors.New("imatrix: no matrix was seen")
	}
	kvs := append([]gguf.KV{
		{Key: keyType, Value: typeImatrix},
		{Key: keyDatasets, Value: append([]string{}, m.Datasets...)},
		{Key: keyChunkCount, Value: uint32(min(int64(m.Chunks), math.MaxUint32))},
		{Key: keyChunkSize, Value: uint32(min(m.chunkSize(), math.MaxUint32))},
	}, more...)
	var tensors []gguf.Tensor
	var values [][]float64
	for _, s := range m.Squares {
		tensors = append(tensors, gguf.Tensor{Name: s.Name + sumsSuffix, Type: t, Shape: []int{len(s.Sums)}},
			gguf.Tensor{Name: s.Name + countsSuffix, Type: t, Shape: []int{1}})
		values = append(values, s.Sums, []float64{float64(s.Rows)})
	}
	l, err := gguf.NewLayout(kvs, tensors)
	if err != nil {
		return nil, err
	}
	b := make([]byte, l.Size)
	copy(b, l.Header)
	for i, x := range l.Tensors {
		for j, v := range values[i] {
			if at := b[x.Offset:]; t == gguf.F64 {
				binary.LittleEndian.PutUint64(at[8*j:], math.Float64bits(v))
			} else if math.IsInf(float64(float32(v)), 0) {
				return nil, fmt.Errorf("imatrix: %s: %v is too large", x.Name, v)
			} else {
				binary.LittleEndian.PutUint32(at[4*j:], math.Float32bits(float32(v)))
			}
		}
	}
	return b, nil
}

// OpenImatrix reads the importance matrix in the file at path.
func OpenImatrix(path string) (*Imatrix, error) {
	if err := filekind.At(path, filekind.Imatrix); err != nil {
		return nil, err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := ReadImatrix(f)
	if err != nil {
		return nil, fmt.Errorf("imatrix: %s: %w", path, err)
	}
	m.Name = filepath.Base(path)
	return m, nil
}

// ReadImatrix reads the importance matrix in the opened file f. It fails unless every sum is a
// number that is not negative and has its count.
func ReadImatrix(f *gguf.File) (*Imatrix, error) {
	if kind, _ := f.Lookup(keyType); kind != typeImatrix {
		return nil, errors.New("this is not an importance matrix: its " + keyType + ` is not "` + typeImatrix + `"`)
	}
	m := &Imatrix{}
	if v, ok := f.Lookup(keyDatasets); ok {
		if m.Datasets, ok = v.([]string); !ok {
			return nil, fmt.Errorf("%s: have %T, want strings", keyDatasets, v)
		}
	}
	if v, ok := f.Lookup(keyChunkCount); ok {
		n, ok := v.(uint32)
		if !ok {
			return nil, fmt.Errorf("%s: have %T, want uint32", keyChunkCount, v)
		}
		m.Chunks = int(n)
	}
	for _, t := range f.Tensors {
		name, ok := strings.CutSuffix(t.Name, sumsSuffix)
		if !ok {
			if name, ok := strings.CutSuffix(t.Name, countsSuffix); ok {
				if _, ok := f.Tensor(name + sumsSuffix); !ok {
					return nil, fmt.Errorf("%s without %s", t.Name, name+sumsSuffix)
				}
			}
			continue
		}
		counts, ok := f.Tensor(name + countsSuffix)
		if !ok {
			return nil, fmt.Errorf("%s without %s", t.Name, name+countsSuffix)
		}
		s := ggml.SumSquares{Name: name}
		rows, err := readSums(f, counts)
		if err == nil {
			s.Sums, err = readSums(f, t)
		}
		if err == nil && len(rows) != 1 {
			err = fmt.Errorf("%s: %d counts, want 1: PaliGemma's matrices are not divided among experts", counts.Name,
				len(rows))
		}
		if err == nil && (rows[0] != math.Trunc(rows[0]) || rows[0] > 1<<53) {
			err = fmt.Errorf("%s: %v is not a count", counts.Name, rows[0])
		}
		if err != nil {
			return nil, err
		}
		s.Rows = int64(rows[0])
		m.Squares = append(m.Squares, s)
	}
	if len(m.Squares) == 0 {
		return nil, errors.New("no sums in it")
	}
	slices.SortFunc(m.Squares, func(a, b ggml.SumSquares) int { return cmp.Compare(a.Name, b.Name) })
	return m, nil
}

// readSums reads a tensor of numbers that are not negative. Its size has been compared with the
// file's.
func readSums(f *gguf.File, t gguf.Tensor) ([]float64, error) {
	if t.Type != gguf.F32 && t.Type != gguf.F64 {
		return nil, fmt.Errorf("%s: type %v, want F32", t.Name, t.Type)
	}
	raw := make([]byte, t.Bytes())
	if _, err := io.ReadFull(f.Data(t), raw); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	out := make([]float64, t.Len())
	for i := range out {
		if t.Type == gguf.F64 {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		} else {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
		if !(out[i] >= 0) || math.IsInf(out[i], 0) {
			return nil, fmt.Errorf("%s: element %d is %v", t.Name, i, out[i])
		}
	}
	return out, nil
}
