package inspect

// This file: names, shapes and values of a file as text. Nothing in it can break a line or steer a
// terminal.

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// MaxElements is how many elements of an array Contents and Diffable give; of a longer one only
// the number or the sum.
const MaxElements = 16

// How much of a value is written.
const (
	maxShortElements = 6   // of an array, by ShortText
	maxShortRunes    = 72  // of a string, by ShortText
	maxExactBytes    = 256 // of a string that exactText writes whole
)

// ValueType names the type of the value v: "uint32", "[2048]string".
func ValueType(v any) string {
	if elements, ok := array(v); ok {
		return fmt.Sprintf("[%d]%s", elements.Len(), elements.Type().Elem())
	}
	return fmt.Sprintf("%T", v)
}

// ShortText formats the value v for people, and only the beginning of a long one.
func ShortText(v any) string {
	if elements, ok := array(v); ok {
		return elementsText(elements, maxShortElements, ShortText)
	}
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	if runes := []rune(s[:min(len(s), 4*maxShortRunes)]); len(runes) > maxShortRunes {
		return strconv.Quote(string(runes[:maxShortRunes])) + fmt.Sprintf("... %d bytes", len(s))
	}
	return strconv.Quote(s)
}

// ShapeText writes a shape without blanks: "[256,1152]".
func ShapeText(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }

// Plain returns a name from a file as it is, or quoted where it could break a line, split a column
// or steer a terminal.
func Plain(name string) string {
	if name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || r == ' ' || r == '"' || r == unicode.ReplacementChar
	}) {
		return name
	}
	return strconv.Quote(name)
}

// array returns a value's elements if it is an array.
func array(v any) (reflect.Value, bool) {
	r := reflect.ValueOf(v)
	return r, r.Kind() == reflect.Slice
}

// elementsText writes the first n elements of an array by write, and dots where there are more.
func elementsText(elements reflect.Value, n int, write func(any) string) string {
	var parts []string
	for i := range min(elements.Len(), n) {
		parts = append(parts, write(elements.Index(i).Interface()))
	}
	if elements.Len() > n {
		parts = append(parts, "...")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// exactText writes a value whole, or the sha256 of a long one's bytes as the file stores them.
func exactText(v any) string {
	sum := sha256.New()
	switch v := v.(type) {
	case string:
		if len(v) <= maxExactBytes {
			return strconv.Quote(v)
		}
		io.WriteString(sum, v)
		return fmt.Sprintf("%d bytes sha256:%x", len(v), sum.Sum(nil))
	case []string:
		for _, text := range v {
			binary.Write(sum, binary.LittleEndian, uint64(len(text)))
			io.WriteString(sum, text)
		}
	default:
		if _, ok := array(v); !ok {
			return fmt.Sprint(v)
		}
		binary.Write(sum, binary.LittleEndian, v)
	}
	if elements, _ := array(v); elements.Len() <= MaxElements {
		return elementsText(elements, MaxElements, exactText)
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil))
}

// forJSON replaces numbers that JSON cannot write by their names.
func forJSON(v any) any {
	switch f := v.(type) {
	case float32:
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return fmt.Sprint(f)
		}
	case float64:
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprint(f)
		}
	}
	return v
}
