package dataset

// This file: asking the prompts about one image.

import (
	"context"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// Asker asks a model the same prompts about each image.
type Asker struct {
	Encoded int // images that the vision model encoded

	runner    *runner.Runner
	prompts   []tasks.Prompt
	grammars  []*tasks.Grammar // one for each prompt; nil: the answer is not constrained
	maxTokens int
}

// NewAsker returns an Asker that asks prompts of r. maxTokens bounds each answer. With strict the
// answers to prompts that ask for boxes are constrained to boxes with the requested labels; it
// fails if they cannot be.
func NewAsker(r *runner.Runner, prompts []tasks.Prompt, maxTokens int, strict bool) (*Asker, error) {
	a := &Asker{runner: r, prompts: prompts, grammars: make([]*tasks.Grammar, len(prompts)), maxTokens: maxTokens}
	for i, p := range prompts {
		if !strict || !p.Boxes() {
			continue
		}
		var err error
		if a.grammars[i], err = tasks.NewGrammar(r.Vocabulary, p.Labels, p.Masks(), maxTokens); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Answer asks all prompts about the image p, which is encoded once. It returns an answer to each,
// in their order.
func (a *Asker) Answer(ctx context.Context, p Prepared) (all []Answer, err error) {
	embeddings, _, err := a.runner.Encode(ctx, p.Pixels)
	if err != nil {
		return nil, err
	}
	a.Encoded++
	for i, prompt := range a.prompts {
		q := runner.Request{Embeddings: embeddings, Prompt: prompt.Text, MaxTokens: a.maxTokens}
		if a.grammars[i] != nil {
			q.Constraint = a.grammars[i].Clone()
		}
		r, err := a.runner.Generate(ctx, q, nil)
		if err != nil {
			return nil, err
		}
		answer := NewAnswer(prompt.Text, r)
		answer.CutOff = tasks.CutOff(tasks.Want{Prompt: prompt, MaxTokens: a.maxTokens, Strict: a.grammars[i] != nil},
			r)
		all = append(all, answer)
	}
	return all, nil
}

// NewAnswer returns the answer to prompt that r holds, with the scores of its objects.
func NewAnswer(prompt string, r *runner.Result) Answer {
	a := Answer{Prompt: prompt, Text: r.Text, Tokens: len(r.Steps)}
	found, _ := tasks.ParseDetections(r.Text)
	for _, d := range found {
		a.Scores = append(a.Scores, tasks.ScoreObject(r.Steps, d.From, d.To))
	}
	return a
}
