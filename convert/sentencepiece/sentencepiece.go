// Package sentencepiece reads a SentencePiece model (tokenizer.model): its pieces, their scores and their types.
//
// Before it: a file. After it: package convert, which appends PaliGemma's location and segment pieces and writes the tokenizer keys of the text GGUF.
//
// Only what llama.cpp's vocabulary computes alike is accepted: byte-pair encoding with byte fallback, without a normalizer that would change the text.
package sentencepiece

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unicode/utf8"

	proto "github.com/ollama/ollama/convert/sentencepiece"
	"google.golang.org/protobuf/encoding/protowire"
	wire "google.golang.org/protobuf/proto"
)

// Limits of a model, far above Gemma's 4.2 MB and 256,000 pieces.
const (
	maxBytes  = 64 << 20
	maxPieces = 1 << 20
	maxPiece  = 4096 // bytes of one piece
)

// Types of pieces, numbered alike by SentencePiece and llama.cpp.
const (
	Normal      int32 = 1
	Unknown     int32 = 2
	Control     int32 = 3
	UserDefined int32 = 4
	Unused      int32 = 5
	Byte        int32 = 6
)

// Piece is one entry of the vocabulary; its token is its position.
type Piece struct {
	Text  string // valid UTF-8, not empty; U+2581 stands for a space
	Score float32
	Type  int32
}

// Model is a vocabulary.
type Model struct{ Pieces []Piece }

// Open reads a model from a regular file.
func Open(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece: %s: no such file", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("sentencepiece: %s: not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("sentencepiece: %w", err)
	}
	m, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Parse reads a model. It fails on anything but a vocabulary as described in the package's comment, of which every text is there once.
func Parse(data []byte) (*Model, error) {
	m, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece: %w", err)
	}
	return m, nil
}

func parse(data []byte) (*Model, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("more than %d MiB", maxBytes>>20)
	}
	if err := countPieces(data); err != nil {
		return nil, err
	}
	var model proto.ModelProto
	if err := wire.Unmarshal(data, &model); err != nil {
		return nil, errors.New("not a SentencePiece model")
	}
	if err := checkRules(&model); err != nil {
		return nil, err
	}
	out := &Model{Pieces: make([]Piece, 0, len(model.GetPieces()))}
	seen := make(map[string]int, len(model.GetPieces()))
	for i, p := range model.GetPieces() {
		piece := Piece{p.GetPiece(), p.GetScore(), int32(p.GetType())}
		if err := piece.check(); err != nil {
			return nil, fmt.Errorf("piece %d: %w", i, err)
		}
		if first, twice := seen[piece.Text]; twice {
			return nil, fmt.Errorf("pieces %d and %d are both %.40q", first, i, piece.Text)
		}
		seen[piece.Text] = i
		out.Pieces = append(out.Pieces, piece)
	}
	return out, checkBytes(seen, out.Pieces)
}

// countPieces walks over the outermost fields, allocating nothing: a message of two bytes a piece would cost the protobuf library a hundred times its size.
func countPieces(data []byte) error {
	pieces := 0
	for len(data) > 0 {
		field, _, n := protowire.ConsumeField(data)
		if n < 0 {
			return errors.New("not a SentencePiece model")
		}
		if field == 1 {
			pieces++
		}
		data = data[n:]
	}
	if pieces == 0 {
		return errors.New("not a SentencePiece model: no pieces")
	}
	if pieces > maxPieces {
		return fmt.Errorf("%d pieces, at most %d", pieces, maxPieces)
	}
	return nil
}

// checkRules refuses a model that encodes text in a way that llama.cpp's vocabulary does not.
func checkRules(m *proto.ModelProto) error {
	if t := m.GetTrainerSpec().GetModelType(); t != proto.TrainerSpec_BPE {
		return fmt.Errorf("model type %v, want BPE", t)
	}
	if !m.GetTrainerSpec().GetByteFallback() {
		return errors.New("no byte fallback, want it")
	}
	n := m.GetNormalizerSpec()
	if n.GetAddDummyPrefix() || n.GetRemoveExtraWhitespaces() || !n.GetEscapeWhitespaces() || len(n.GetPrecompiledCharsmap()) > 0 {
		return errors.New("the normalizer changes the text: want no dummy prefix, no removed spaces, escaped spaces and no character map, as Gemma's")
	}
	return nil
}

func (p Piece) check() error {
	switch {
	case p.Text == "" || len(p.Text) > maxPiece:
		return fmt.Errorf("%d bytes of text, want 1 to %d", len(p.Text), maxPiece)
	case !utf8.ValidString(p.Text):
		return errors.New("text that is not UTF-8")
	case math.IsNaN(float64(p.Score)) || math.IsInf(float64(p.Score), 0):
		return fmt.Errorf("score %v", p.Score)
	case p.Type < Normal || p.Type > Byte:
		return fmt.Errorf("type %d, want %d to %d", p.Type, Normal, Byte)
	}
	return nil
}

// checkBytes sees that there is a byte piece for every byte and none besides: the fallback for what no other piece covers.
func checkBytes(at map[string]int, pieces []Piece) error {
	count := 0
	for _, p := range pieces {
		if p.Type == Byte {
			count++
		}
	}
	for b := range 256 {
		text := fmt.Sprintf("<0x%02X>", b)
		if i, ok := at[text]; !ok || pieces[i].Type != Byte {
			return fmt.Errorf("no byte piece %s", text)
		}
	}
	if count != 256 {
		return fmt.Errorf("%d byte pieces, want 256", count)
	}
	return nil
}
