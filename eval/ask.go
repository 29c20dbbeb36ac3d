package eval

// This file: the questions, asked one after another.

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// Asker asks a model questions, and compares it with a reference if there is one.
//
//	question ──▶ model ──▶ answer, its objects with scores ──────────────────────┐
//	        └──▶ reference ──tokens──▶ model, given them ──▶ divergences ────────┴▶ record
type Asker struct {
	Run       string             // of the records
	Model     *runner.ImageCache // its keys are paths
	Reference *runner.ImageCache // nil: no divergences are measured
	Mask      Mask               // nil: the IoU of masks is not measured
	MaxTokens int                // longest answer
}

// Ask asks the questions in order, scores the answers and adds a record for each to j. After each
// question it calls progress with the numbers of those done and of all. An error names the
// question, unless it is from ctx or j.
func (a *Asker) Ask(ctx context.Context, questions []Question, j *Journal, progress func(done, total int64)) error {
	for i, q := range questions {
		r, err := a.answer(ctx, q)
		if err == nil {
			err = r.Score(a.Mask)
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			return q.Wrap(err)
		}
		if err := j.Add(r); err != nil {
			return err
		}
		progress(int64(i+1), int64(len(questions)))
	}
	return nil
}

// answer asks the question q and returns its record, not yet scored.
func (a *Asker) answer(ctx context.Context, q Question) (Record, error) {
	r := Record{Run: a.Run, Line: q.Line, Image: q.Image, Prefix: q.Prefix, Suffix: q.Suffix}
	embeddings, took, err := a.Model.Encode(ctx, q.Path)
	if err != nil {
		return r, err
	}
	request := runner.Request{Embeddings: embeddings, Prompt: q.Prefix, MaxTokens: a.MaxTokens}
	out, err := a.Model.Runner.Generate(ctx, request, nil)
	if err != nil {
		return r, err
	}
	r.SetAnswer(out)
	out.Timings.Vision = took
	t := tasks.NewTimings(out.Timings, 0, 0)
	r.Timings = Timings{Vision: t.Vision, Prefill: t.Prefill, Decode: t.Decode, PrefillTokens: t.PrefillTokens}
	if took > 0 {
		r.Timings.Images = 1
	}
	if a.Reference != nil {
		r.Against, err = a.compare(ctx, q, request, out.Text)
	}
	return r, err
}

// compare asks the reference the question q, gives the model the reference's tokens and returns how
// their distributions differ. request is what the model was asked, answer the model's own answer.
func (a *Asker) compare(ctx context.Context, q Question, request runner.Request, answer string) (*Divergences, error) {
	embeddings, _, err := a.Reference.Encode(ctx, q.Path)
	if err != nil {
		return nil, err
	}
	leader := *a.Reference.Runner
	forced := &teacherForced{Decoder: leader.Decoder, other: a.Model.Runner.Decoder, embeddings: request.Embeddings}
	leader.Decoder, request.Embeddings = forced, embeddings
	out, err := leader.Generate(ctx, request, nil)
	if err != nil {
		return nil, err
	}
	d := forced.seen
	d.Answer, d.Equal = out.Text, out.Text == answer
	return &d, nil
}

// WriteIdentity writes to w what identifies the questions: their texts, and the sizes of their
// image files in bytes.
func WriteIdentity(w io.Writer, questions []Question) error {
	for _, q := range questions {
		info, err := os.Stat(q.Path)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%q %q %q %d\n", q.Image, q.Prefix, q.Suffix.Texts, info.Size()); err != nil {
			return err
		}
	}
	return nil
}
