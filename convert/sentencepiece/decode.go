package sentencepiece

// This file: the protocol buffer (sentencepiece_model.proto): the message's outermost fields are
// decoded by hand, their contents by generated code.
//
// The whole message at once would cost far more memory than its bytes: each piece is a struct of
// pointers (Gemma's 4 MB become 40 MB), and a message of empty pieces or samples grows a
// hundredfold. So pieces are decoded one at a time, and unused fields are skipped.

import (
	"errors"
	"fmt"

	proto "github.com/ollama/ollama/convert/sentencepiece"
	"google.golang.org/protobuf/encoding/protowire"
	wire "google.golang.org/protobuf/proto"
)

// Fields of ModelProto.
const (
	fieldPiece      = 1
	fieldTrainer    = 2
	fieldNormalizer = 3
)

// decoded is a model as it is in the file, not checked.
type decoded struct {
	pieces     []Piece
	trainer    *proto.TrainerSpec
	normalizer *proto.NormalizerSpec
}

var errNoModel = errors.New("not a SentencePiece model")

// decode decodes the fields of data that are used.
func decode(data []byte) (*decoded, error) {
	count, err := measure(data)
	if err != nil {
		return nil, err
	}
	d := &decoded{make([]Piece, 0, count), new(proto.TrainerSpec), new(proto.NormalizerSpec)}
	var piece proto.ModelProto_SentencePiece
	err = fields(data, func(field protowire.Number, value []byte) error {
		switch field {
		case fieldPiece:
			if err := wire.Unmarshal(value, &piece); err != nil {
				return fmt.Errorf("piece %d: %w", len(d.pieces), errNoModel)
			}
			d.pieces = append(d.pieces, Piece{piece.GetPiece(), piece.GetScore(), int32(piece.GetType())})
		case fieldTrainer:
			return merge(value, d.trainer)
		case fieldNormalizer:
			return merge(value, d.normalizer)
		}
		return nil
	})
	return d, err
}

// merge decodes value, a part of the settings, into into. A part may come in pieces; later fields
// replace earlier ones.
func merge(value []byte, into wire.Message) error {
	if err := (wire.UnmarshalOptions{Merge: true}).Unmarshal(value, into); err != nil {
		return fmt.Errorf("settings: %w", errNoModel)
	}
	return nil
}

// measure counts the pieces in data and checks all sizes against the limits, without allocating.
func measure(data []byte) (pieces int, err error) {
	if len(data) > maxBytes {
		return 0, fmt.Errorf("have %d bytes, want at most %d", len(data), maxBytes)
	}
	specs := 0
	err = fields(data, func(field protowire.Number, value []byte) error {
		switch field {
		case fieldPiece:
			if len(value) > maxPieceCode {
				return fmt.Errorf("piece %d: have %d bytes, want at most %d", pieces, len(value), maxPieceCode)
			}
			if len(value) == 0 {
				return fmt.Errorf("piece %d: have no text, want some", pieces)
			}
			pieces++
		case fieldTrainer, fieldNormalizer:
			specs += len(value)
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case pieces == 0:
		return 0, fmt.Errorf("%w: have no pieces", errNoModel)
	case pieces > maxPieces:
		return 0, fmt.Errorf("have %d pieces, want at most %d", pieces, maxPieces)
	case specs > maxSpecs:
		return 0, fmt.Errorf("have %d bytes of settings, want at most %d: the normalizer should change nothing", specs,
			maxSpecs)
	}
	return pieces, nil
}

// fields calls use with each of the outermost fields of data that holds bytes.
func fields(data []byte, use func(field protowire.Number, value []byte) error) error {
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errNoModel
		}
		data = data[n:]
		if kind == protowire.BytesType {
			value, n := protowire.ConsumeBytes(data)
			if n < 0 {
				return fmt.Errorf("%w, or cut off", errNoModel)
			}
			if err := use(field, value); err != nil {
				return err
			}
			data = data[n:]
			continue
		}
		if field <= fieldNormalizer {
			return errNoModel
		}
		if n = protowire.ConsumeFieldValue(field, kind, data); n < 0 {
			return errNoModel
		}
		data = data[n:]
	}
	return nil
}
