package server

// This file: fields that clients write in several ways.

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// list is a list of texts; a text alone is a list of one.
type list []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *list) UnmarshalJSON(b []byte) error {
	var all []json.RawMessage
	switch b[0] {
	case 'n':
		return nil
	case '"':
		all = []json.RawMessage{b}
	default:
		if json.Unmarshal(b, &all) != nil {
			return &json.UnmarshalTypeError{Value: jsonKind(b), Type: reflect.TypeFor[list]()}
		}
	}
	*l = make(list, len(all))
	for i, raw := range all {
		if jsonKind(raw) != "string" {
			return &json.UnmarshalTypeError{Value: jsonKind(raw), Type: reflect.TypeFor[string](),
				Field: fmt.Sprintf("[%d]", i)}
		}
		if err := json.Unmarshal(raw, &(*l)[i]); err != nil {
			return err
		}
	}
	return nil
}

// whole is a whole number. 40.0 is one too.
type whole int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *whole) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*int64)(n)) == nil {
		return nil
	}
	var f float64
	if json.Unmarshal(b, &f) == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		*n = whole(f)
		return nil
	}
	return &json.UnmarshalTypeError{Value: jsonKind(b), Type: reflect.TypeFor[int64]()}
}

// keepAlive is a duration as Ollama's clients write it: "5m", or a number of seconds; negative: for
// ever.
type keepAlive time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (k *keepAlive) UnmarshalJSON(b []byte) error {
	var seconds float64
	var text string
	isText := json.Unmarshal(b, &text) == nil && b[0] == '"'
	if isText {
		text = strings.TrimSpace(text)
		if d, err := time.ParseDuration(text); err == nil {
			*k = keepAlive(d)
			return nil
		}
		b = []byte(text)
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(seconds) {
		found := kindOf(b)
		if isText {
			found = echo(text)
		}
		return invalid("keep_alive: want a duration, as \"5m\", or a number of seconds, found %s", found)
	}
	*k = keepAlive(max(min(seconds, 1e9), -1) * float64(time.Second))
	return nil
}
