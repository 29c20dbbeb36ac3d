package gguf

// This file: rules for what a kind of file must hold, and the check of a file against them. An
// error names the first key or tensor that breaks a rule.

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Rule says what the value of one key must be.
type Rule struct {
	Key      string
	Optional bool
	Check    func(value any) error // nil for a value of any type
}

// Limits of what CheckKeys accepts. llama.cpp compares every key with every other, and writes out
// every value that is in no rule as text.
const (
	maxCheckedKeys  = 1024
	maxFreeElements = 4096
	maxFreeString   = 1 << 20 // bytes, also of all strings of an array together
)

// CheckKeys checks that f has every key of rules that is not optional, and no other keys except
// those that begin with one of the prefixes free; that every value passes its rule, and that those
// of free keys are short.
func CheckKeys(f *File, rules []Rule, free ...string) error {
	if len(f.KVs) > maxCheckedKeys {
		return fmt.Errorf("%d keys, want at most %d", len(f.KVs), maxCheckedKeys)
	}
	known := map[string]bool{}
	for _, r := range rules {
		known[r.Key] = true
		v, ok := f.Lookup(r.Key)
		if !ok && !r.Optional {
			return fmt.Errorf("missing key %s", r.Key)
		}
		if ok && r.Check != nil {
			if err := r.Check(v); err != nil {
				return fmt.Errorf("%s: %w", r.Key, err)
			}
		}
	}
	for _, kv := range f.KVs {
		if known[kv.Key] {
			continue
		}
		if !slices.ContainsFunc(free, func(p string) bool { return strings.HasPrefix(kv.Key, p) }) {
			return fmt.Errorf("key %s does not belong into this kind of file", clip(kv.Key))
		}
		if err := checkFree(kv.Value); err != nil {
			return fmt.Errorf("key %s: %w", clip(kv.Key), err)
		}
	}
	return nil
}

// checkFree checks that a value is short.
func checkFree(value any) error {
	if _, n, err := typeOf(value); err != nil || n > maxFreeElements {
		return fmt.Errorf("%d elements, want at most %d", n, maxFreeElements)
	}
	bytes := 0
	switch v := value.(type) {
	case string:
		bytes = len(v)
	case []string:
		for _, s := range v {
			bytes += len(s)
		}
	}
	if bytes > maxFreeString {
		return fmt.Errorf("%d bytes of text, want at most %d", bytes, maxFreeString)
	}
	return nil
}

// Is accepts every value of type T.
func Is[T any](value any) error {
	if _, ok := value.(T); !ok {
		return fmt.Errorf("have %T, want %v", value, reflect.TypeFor[T]())
	}
	return nil
}

// Between accepts values of type T from low to high, both included, but not NaN.
func Between[T cmp.Ordered](low, high T) func(any) error {
	return func(value any) error {
		if err := Is[T](value); err != nil {
			return err
		}
		if v := value.(T); !(v >= low && v <= high) {
			return fmt.Errorf("have %v, want %v to %v", show(value), low, high)
		}
		return nil
	}
}

// Equal accepts the value want of type T.
func Equal[T any](want T) func(any) error {
	return func(value any) error {
		if err := Is[T](value); err != nil {
			return err
		}
		if !reflect.DeepEqual(value, any(want)) {
			return fmt.Errorf("have %v, want %v", show(value), show(want))
		}
		return nil
	}
}

// show returns value as a short text for an error.
func show(value any) string {
	switch v := value.(type) {
	case string:
		return clip(v)
	case []float32:
		if len(v) > 8 {
			return fmt.Sprintf("%d elements", len(v))
		}
	}
	return fmt.Sprint(value)
}

// Vectors and Matrices are the types that ggml's CPU and GPU backends compute with: it adds and
// scales vectors in F32 only, and multiplies matrices of the float and block types, not of
// integers.
var (
	Vectors  = []Type{F32}
	Matrices = []Type{F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS}
)

// CheckTensors checks that f has the tensors want with their shapes and no others, in any order;
// types returns the types that each may have.
func CheckTensors(f *File, want []Tensor, types func(Tensor) []Type) error {
	for _, w := range want {
		t, ok := f.Tensor(w.Name)
		if !ok {
			return fmt.Errorf("missing tensor %s", w.Name)
		}
		if !slices.Equal(t.Shape, w.Shape) {
			return fmt.Errorf("%s: shape %v, want %v", t.Name, t.Shape, w.Shape)
		}
		if allowed := types(w); !slices.Contains(allowed, t.Type) {
			return fmt.Errorf("%s: type %v, want one of %v", t.Name, t.Type, allowed)
		}
	}
	if len(f.Tensors) == len(want) { // names are unique on both sides
		return nil
	}
	known := make(map[string]bool, len(want))
	for _, w := range want {
		known[w.Name] = true
	}
	for _, t := range f.Tensors {
		if !known[t.Name] {
			return fmt.Errorf("tensor %s does not belong into this kind of file", t.Name)
		}
	}
	return nil
}
