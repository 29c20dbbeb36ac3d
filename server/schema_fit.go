package server

// This file: values made to fit a schema, where no information is lost but fractions of a pixel.

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxSteps bounds the branches of a schema that one value is tried on.
const maxSteps = 1000

// fitTo returns v, a value of JSON, with its numbers rounded where s wants whole numbers, and a
// text in the spelling of s where s has it in other capitals. It is not certain to fit.
func fitTo(v any, s *jsonschema.Schema) any {
	steps := maxSteps
	return fit(v, s, &steps)
}

func fit(v any, s *jsonschema.Schema, steps *int) any {
	if *steps--; *steps < 0 || s == nil {
		return v
	}
	if s.Ref != nil {
		return fit(v, s.Ref, steps)
	}
	for _, all := range s.AllOf {
		v = fit(v, all, steps)
	}
	for _, branch := range slices.Concat(s.AnyOf, s.OneOf) {
		if fitted := fit(v, branch, steps); branch.Validate(fitted) == nil {
			v = fitted
			break
		}
	}
	switch v := v.(type) {
	case json.Number:
		return fitNumber(v, s)
	case string:
		return fitText(v, s)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fit(v[i], itemAt(s, i), steps)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			out[name] = fit(value, s.Properties[name], steps)
		}
		return out
	}
	return v
}

// fitNumber rounds n where s wants a whole number.
func fitNumber(n json.Number, s *jsonschema.Schema) any {
	whole := s.MultipleOf != nil && s.MultipleOf.Cmp(big.NewRat(1, 1)) == 0
	if s.Types != nil {
		types := s.Types.ToStrings()
		whole = whole || slices.Contains(types, "integer") && !slices.Contains(types, "number")
	}
	x, err := n.Float64()
	if !whole || err != nil {
		return n
	}
	return json.Number(strconv.FormatFloat(math.Round(x)+0, 'f', -1, 64)) // + 0: never "-0"
}

// fitText returns the one text that s allows and that differs from v in capitals alone, else v.
func fitText(v string, s *jsonschema.Schema) any {
	var values []any
	if s.Enum != nil {
		values = s.Enum.Values
	}
	if s.Const != nil {
		values = append(values, *s.Const)
	}
	var like []any
	for _, value := range values {
		if text, ok := value.(string); ok && text == v {
			return v
		} else if ok && strings.EqualFold(text, v) {
			like = append(like, value)
		}
	}
	if len(like) == 1 {
		return like[0]
	}
	return v
}

// itemAt returns the schema of a list's i-th item, nil if there is none.
func itemAt(s *jsonschema.Schema, i int) *jsonschema.Schema {
	prefix := s.PrefixItems
	if old, ok := s.Items.([]*jsonschema.Schema); ok {
		prefix = old
	}
	if i < len(prefix) {
		return prefix[i]
	}
	if old, ok := s.Items.(*jsonschema.Schema); ok {
		return old
	}
	return s.Items2020
}

// filler returns the value of a property of which nothing is known: null, or the only one that its
// schema allows.
func filler(s *jsonschema.Schema) (v any, ok bool) {
	switch {
	case s == nil:
		return nil, false
	case s.Validate(nil) == nil: // any value or null among others
		return nil, s.Validate("") != nil || s.Validate([]any{}) != nil || s.Validate(0) != nil
	}
	s = direct(s)
	if s.Const != nil {
		v = *s.Const
	} else if s.Enum != nil && len(s.Enum.Values) == 1 {
		v = s.Enum.Values[0]
	}
	return v, v != nil && s.Validate(v) == nil
}

// direct follows references, the one part of an allOf, and the first of a choice that is not null.
func direct(s *jsonschema.Schema) *jsonschema.Schema {
	for range 32 {
		switch {
		case s == nil:
			return nil
		case s.Ref != nil:
			s = s.Ref
		case len(s.Properties) > 0:
			return s
		case len(s.AllOf) == 1:
			s = s.AllOf[0]
		case len(s.AnyOf)+len(s.OneOf) > 0:
			choices := slices.Concat(s.AnyOf, s.OneOf)
			s = choices[max(0, slices.IndexFunc(choices,
				func(c *jsonschema.Schema) bool { return c.Validate(nil) != nil }))]
		default:
			return s
		}
	}
	return s
}

// itemsOf returns the schema of a list's items, nil if they are not objects.
func itemsOf(s *jsonschema.Schema) *jsonschema.Schema {
	items := s.Items2020
	if old, ok := s.Items.(*jsonschema.Schema); ok && items == nil {
		items = old
	}
	if items = direct(items); items == nil || len(items.Properties) == 0 {
		return nil
	}
	return items
}

// maxCost bounds the branches of a schema, each counted as often as it is reached without going
// into a value.
const maxCost = 100_000

// costs returns how many schemas s leads to, at most maxCost + 1. known holds those counted.
func costs(s *jsonschema.Schema, known map[*jsonschema.Schema]int) int {
	if s == nil {
		return 0
	}
	if n, ok := known[s]; ok {
		return n
	}
	known[s] = 1 // while it is counted: a schema may lead to itself
	n := 1
	for _, part := range parts(s) {
		if n += costs(part, known); n > maxCost {
			n = maxCost + 1
			break
		}
	}
	known[s] = n
	return n
}

// parts lists the schemas that s is made of.
func parts(s *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems)
	all = append(all, s.Ref, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties, s.Contains,
		s.Items2020, s.UnevaluatedItems, s.RecursiveRef)
	if s.DynamicRef != nil {
		all = append(all, s.DynamicRef.Ref)
	}
	for _, p := range s.Properties {
		all = append(all, p)
	}
	for _, p := range s.PatternProperties {
		all = append(all, p)
	}
	for _, p := range s.DependentSchemas {
		all = append(all, p)
	}
	for _, v := range []any{s.AdditionalProperties, s.Items, s.AdditionalItems} {
		switch v := v.(type) {
		case *jsonschema.Schema:
			all = append(all, v)
		case []*jsonschema.Schema:
			all = append(all, v...)
		}
	}
	for _, v := range s.Dependencies {
		if p, ok := v.(*jsonschema.Schema); ok {
			all = append(all, p)
		}
	}
	return all
}
