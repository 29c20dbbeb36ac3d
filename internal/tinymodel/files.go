package tinymodel

// This file: the bytes of the two files.

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// Pack returns the .npz file of arrays. It fails only if they cannot be written.
func Pack(arrays []Array, deflated bool) ([]byte, error) {
	var b bytes.Buffer
	w := npz.NewWriter(&b)
	for _, a := range arrays {
		raw := make([]byte, len(a.Values)*a.DType.Size())
		if a.DType == tensor.I32 {
			for i, v := range a.Values {
				binary.LittleEndian.PutUint32(raw[4*i:], uint32(int32(v)))
			}
		} else {
			tensor.FromFloat32(raw, a.Values, a.DType)
		}
		if err := w.Add(a.Name, a.DType, a.Shape, bytes.NewReader(raw)); err != nil {
			return nil, fmt.Errorf("tinymodel: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("tinymodel: %w", err)
	}
	if deflated {
		return deflate(b.Bytes())
	}
	return b.Bytes(), nil
}

// deflate compresses the members of the archive stored, as numpy.savez_compressed does.
func deflate(stored []byte) ([]byte, error) {
	r, err := zip.NewReader(bytes.NewReader(stored), int64(len(stored)))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		out, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(out, in); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// piece is one piece of the tokenizer.
type piece struct {
	text  string
	score float32
	kind  int32 // paligemma.PieceNormal and so on
}

// pieces returns the tokenizer's pieces: a few of each kind in Gemma's order (control pieces,
// user-defined ones, bytes, text), without locations and segment codes.
func pieces() []piece {
	out := []piece{
		{"<pad>", 0, paligemma.PieceControl}, {"<eos>", 0, paligemma.PieceControl},
		{"<bos>", 0, paligemma.PieceControl},
		{"<unk>", 0, paligemma.PieceUnknown}, {"\n", 0, paligemma.PieceUserDefined},
		{"\n\n", 0, paligemma.PieceUserDefined}, {"▁▁", 0, paligemma.PieceUserDefined},
	}
	for b := range 256 {
		out = append(out, piece{fmt.Sprintf("<0x%02X>", b), 0, paligemma.PieceByte})
	}
	rank := 0
	text := func(s string) {
		out = append(out, piece{s, -float32(rank), paligemma.PieceNormal})
		rank++
	}
	for _, s := range []string{"▁c", "at", "▁cat", "in", "er", "▁d", "og", "▁dog", "en", "▁en"} { // merges, best first
		text(s)
	}
	text("▁")
	for c := 'a'; c <= 'z'; c++ {
		text(string(c))
	}
	for _, s := range []string{".", ",", ";", "?", "0", "1"} {
		text(s)
	}
	return out
}

// Tokenizer returns the SentencePiece model file, a protocol buffer: repeated field 1 the pieces, 2
// the trainer's settings, 3 the normalizer's (sentencepiece_model.proto).
func Tokenizer() []byte {
	var b []byte
	for _, p := range pieces() {
		var m []byte
		m = bytesField(m, 1, []byte(p.text))
		m = append(m, 2<<3|5)
		m = binary.LittleEndian.AppendUint32(m, math.Float32bits(p.score))
		m = numberField(m, 3, uint64(p.kind))
		b = bytesField(b, 1, m)
	}
	const modelType, bpe, vocabSize, byteFallback = 3, 2, 4, 35
	trainer := numberField(nil, modelType, bpe)
	trainer = numberField(trainer, vocabSize, uint64(len(pieces())))
	trainer = numberField(trainer, byteFallback, 1)
	for i, id := range []uint64{3, 2, 1, 0} { // fields 40 to 43: unk, bos, eos, pad
		trainer = numberField(trainer, 40+uint64(i), id)
	}
	for i, text := range []string{"<unk>", "<bos>", "<eos>", "<pad>"} {
		trainer = bytesField(trainer, 45+uint64(i), []byte(text))
	}
	b = bytesField(b, 2, trainer)
	const name, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces = 1, 3, 4, 5
	normalizer := bytesField(nil, name, []byte("identity"))
	normalizer = numberField(normalizer, addDummyPrefix, 0)
	normalizer = numberField(normalizer, removeExtraWhitespaces, 0)
	return bytesField(b, 3, numberField(normalizer, escapeWhitespaces, 1))
}

func numberField(b []byte, field, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, field<<3), v)
}

func bytesField(b []byte, field uint64, v []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, field<<3|2), uint64(len(v)))
	return append(b, v...)
}
