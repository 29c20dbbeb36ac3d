package inspect

// This file: what a file holds, as JSON and as text of which equal files have equal ones.

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// Contents is what a file holds. Its JSON is what pali inspect --json prints.
type Contents struct {
	Kind     string         `json:"kind"` // "gguf" or "npz"
	Files    []string       `json:"files"`
	Bytes    int64          `json:"bytes"`
	Keys     []KeyContent   `json:"keys,omitempty"`
	Tensors  []TensorLayout `json:"tensors"`
	Elements int64          `json:"elements"`
	Types    []TypeTotal    `json:"types"`
}

// KeyContent is one key with its value.
type KeyContent struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Count *int   `json:"count,omitempty"` // of an array's elements
	Value any    `json:"value,omitempty"` // none for an array of more than MaxElements
}

// TensorLayout is a tensor without its values.
type TensorLayout struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

// Contents returns what the file holds, but for the tensors' values.
func (l *Listing) Contents() Contents {
	out := Contents{Kind: l.Kind, Files: l.Paths, Bytes: l.Bytes, Tensors: []TensorLayout{}, Types: l.Totals()}
	for _, kv := range l.Keys {
		k := KeyContent{Key: kv.Key, Type: ValueType(kv.Value)}
		if elements, ok := array(kv.Value); !ok {
			k.Value = forJSON(kv.Value)
		} else {
			n := elements.Len()
			k.Count = &n
			if n <= MaxElements {
				values := make([]any, n)
				for i := range values {
					values[i] = forJSON(elements.Index(i).Interface())
				}
				k.Value = values
			}
		}
		out.Keys = append(out.Keys, k)
	}
	for _, t := range l.Tensors {
		out.Tensors = append(out.Tensors, TensorLayout{t.Name, t.Type, append([]int{}, t.Shape...), t.Bytes})
		out.Elements += t.Elements
	}
	return out
}

// Diffable reads the tensors and writes keys and tensors, with the sha256 of each tensor's bytes,
// to out: two files that hold the same give the same text, whatever their names and wherever things
// lie in them. progress is as for Read.
func (l *Listing) Diffable(ctx context.Context, out io.Writer, progress func(done, total int64)) error {
	sums := make([]hash.Hash, len(l.Tensors))
	err := l.Read(ctx, func(i int) io.Writer {
		sums[i] = sha256.New()
		return sums[i]
	}, progress)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for _, kv := range l.Keys {
		fmt.Fprintf(w, "%s %s %s\n", Plain(kv.Key), ValueType(kv.Value), exactText(kv.Value))
	}
	for i, t := range l.Tensors {
		fmt.Fprintf(w, "%s %s %s %x\n", Plain(t.Name), t.Type, ShapeText(t.Shape), sums[i].Sum(nil))
	}
	return w.Flush()
}
