package llamacpp

// This file: the prefix as one embedding batch without a causal mask, then tokens one by one with
// it.

import (
	"fmt"
	"io"
	"math"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/bindings/llama"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/runner"
)

// shape is what a context has room for, in positions.
type shape struct{ prefix, total int }

// Prefill puts the image embeddings [n*T,E] and the tokens' rows of the token table into one
// embedding batch, decodes it with causal attention off, and returns the logits [V] of the last
// row. It makes room for maxNewTokens more positions, and keeps the context for the next call if
// that fits into it.
func (m *Model) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	return m.prefill(embeddings, tokens, maxNewTokens, false)
}

// prefill attends causally if causal is set, which is wrong for PaliGemma: a test shows the
// difference.
func (m *Model) prefill(embeddings []float32, tokens []int32, maxNewTokens int, causal bool) ([]float32, error) {
	d := m.config.EmbeddingLength
	prefix := len(embeddings)/d + len(tokens)
	if trained := m.config.ContextLength; prefix >= trained {
		limit := runner.LimitError{What: "positions of images and prompt", Have: int64(prefix), Max: int64(trained - 1)}
		return nil, runner.InvalidRequestf("%w, as this model was trained with %d, the answer included", limit, trained)
	}
	if err := m.ensureContext(shape{prefix, prefix + maxNewTokens}); err != nil {
		return nil, err
	}
	batch := llama.NewBatch(prefix, d)
	defer batch.Free()
	if err := m.embed(batch.Embeddings(), embeddings, tokens); err != nil {
		return nil, err
	}
	m.context.Clear()
	m.context.SetCausal(causal)
	m.beams = beams{positions: []int{prefix}, sequences: []int{0}}
	err := m.decode(batch, prefix, 0, 0)
	m.context.SetCausal(true)
	if err != nil {
		return nil, err
	}
	m.next = prefix
	return m.context.Logits(-1)
}

// Step decodes one token, causally, and returns the logits [V] that follow it.
func (m *Model) Step(token int32) ([]float32, error) {
	m.step.Tokens()[0] = token
	if err := m.decode(m.step, 1, m.next, 0); err != nil {
		return nil, err
	}
	m.next++
	return m.context.Logits(-1)
}

// decode runs the first n rows of a batch at positions first.. of a sequence, but not after
// Interrupt: a GPU would, and it reports success of what Interrupt has ended.
func (m *Model) decode(b *llama.Batch, n, first, sequence int) error {
	if m.stop.Raised() {
		return llama.ErrStopped
	}
	m.stop.RunInParts(n > 1)
	if err := m.context.Decode(b, n, first, sequence); err != nil {
		return withMemory(m.device, withLog(err))
	}
	if m.parts && m.stop.Raised() {
		return llama.ErrStopped
	}
	return nil
}

// ensureContext makes a context with at least the wanted positions, whose batch holds the whole
// prefix, unless there is one.
func (m *Model) ensureContext(want shape) error {
	if m.context != nil && want.prefix <= m.room.prefix && want.total <= m.context.Size() {
		return nil
	}
	if bound := m.options.MaxContext; bound > 0 && want.total > bound {
		limit := runner.LimitError{What: "positions", Have: int64(want.total), Max: int64(bound)}
		return runner.InvalidRequestf("images and prompt take %d positions, with the answer %w", want.prefix, limit)
	}
	if m.context != nil {
		m.context.Close()
		m.context = nil
	}
	o := llama.ContextOptions{
		Size: want.total, Batch: want.prefix, Sequences: m.sequences(), Threads: m.options.Threads,
		TypeK: uint32(m.options.KV), TypeV: uint32(m.options.KV),
		// Attention in one fused step is less exact, so it is used only where it must be: a
		// quantized cache has no other.
		FlashAttention: m.options.KV == gguf.Q8_0,
	}
	o.Abort, o.AbortArg = m.stop.Pointers()
	if c := m.options.Collect; c != nil {
		o.Eval, o.EvalArg = c.Pointers()
	} else if m.parts {
		o.Eval, o.EvalArg = m.stop.EvalPointers()
	}
	var err error
	m.context, err = m.model.NewContext(o)
	if err != nil {
		return withMemory(m.device, withLog(fmt.Errorf("no memory for a context of %d positions: %w", want.total, err)))
	}
	m.room = want
	return nil
}

// embed writes the prefix's rows [P,D] from the image embeddings [n*T,D] and the tokens.
//
// llama.cpp's gemma and gemma2 graphs multiply every row of an embedding batch by sqrt(D), as Gemma
// does with the rows of its token table (big_vision models/ppp/gemma.py, Embedder.encode). Image
// embeddings are not scaled in the reference (models/proj/paligemma/paligemma.py,
// embed_image_and_text): they are divided by sqrt(D) here. The table's rows go in as they are.
func (m *Model) embed(rows, embeddings []float32, tokens []int32) error {
	scale := float32(1 / math.Sqrt(float64(m.config.EmbeddingLength)))
	for i, v := range embeddings {
		rows[i] = v * scale
	}
	return m.tableRows(rows[len(embeddings):], tokens)
}

// tableRows reads the tokens' rows [len(tokens),D] of the token table from the file. gguf has seen
// that D is a multiple of the table's block.
func (m *Model) tableRows(rows []float32, tokens []int32) error {
	table, ok := m.text.Tensor(gemma.TokenEmbd)
	if !ok {
		return fmt.Errorf("%s is missing", gemma.TokenEmbd)
	}
	d := m.config.EmbeddingLength
	raw := make([]byte, table.Type.RowBytes(d))
	for i, token := range tokens {
		if token < 0 || int(token) >= m.config.VocabSize {
			return fmt.Errorf("token %d is not in the vocabulary of %d", token, m.config.VocabSize)
		}
		at := io.NewSectionReader(m.text.Data(table), int64(token)*int64(len(raw)), int64(len(raw)))
		if _, err := io.ReadFull(at, raw); err != nil {
			return fmt.Errorf("reading the token table: %w", err)
		}
		if err := ggml.Dequantize(ggml.Type(table.Type), rows[i*d:(i+1)*d], raw); err != nil {
			return err
		}
	}
	return nil
}
