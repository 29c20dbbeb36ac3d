package server

// This file: why a body cannot be read, in a client's words: which field, what was found there, and
// what is wanted.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxEcho bounds what an error repeats of a request, in bytes.
const maxEcho = 40

// echo returns the beginning of what a client sent, in quotes.
func echo(text string) string {
	return quote(text, maxEcho)
}

// quote returns text in quotes, or its first limit bytes and an ellipsis.
func quote(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return strconv.Quote(text)
	}
	return strconv.Quote(strings.ToValidUTF8(text[:limit], "")) + "..."
}

// shorten returns text, or its first limit bytes and an ellipsis.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

// jsonProblem returns the failure for err, with which body could not be decoded.
func jsonProblem(body []byte, err error) *failure {
	var typed *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &typed):
		return invalid("%s", typeProblem(body, typed))
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		name := strings.Trim(strings.TrimPrefix(err.Error(), "json: unknown field "), `"`)
		return invalid("unknown field %s: GET /openapi.json lists those of this route", echo(name))
	case len(bytes.TrimSpace(body)) == 0:
		return invalid("the body is not JSON: it is empty: want an object, as {\"model\": \"NAME\"}")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("the body is not JSON: it ends after %d bytes, before its JSON does", len(body))
	case errors.As(err, &syntax):
		return invalid("%s", syntaxProblem(body, int(syntax.Offset)-1))
	}
	return invalid("the body is not JSON")
}

// typeProblem says which field has a value of another kind than it wants.
func typeProblem(body []byte, e *json.UnmarshalTypeError) string {
	field := strings.ReplaceAll(e.Field, ".[", "[")
	if e.Offset > 0 {
		field = fieldAt(body, e.Offset)
	}
	if field == "" {
		field = "the body"
	}
	wanted, found := kindWanted(e.Type), kindFound(e.Value)
	text := fmt.Sprintf("%s: want %s, found %s", field, wanted, found)
	if found == "a text" && (wanted == "true or false" || strings.HasSuffix(wanted, "number")) {
		text += ": write it without quotes"
	}
	return text
}

// kindFound names what json.UnmarshalTypeError.Value describes.
func kindFound(value string) string {
	kind, rest, _ := strings.Cut(value, " ")
	switch kind {
	case "string":
		return "a text"
	case "bool":
		return "a truth value"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "number":
		if len(rest) > maxEcho {
			rest = rest[:maxEcho] + "..."
		}
		if rest == "" {
			return "a number"
		}
		return "the number " + rest
	}
	return kind
}

// kindOf names what raw, one JSON value, is.
func kindOf(raw json.RawMessage) string { return kindFound(jsonKind(raw)) }

// jsonKind is what json.UnmarshalTypeError.Value would say of raw, one JSON value.
func jsonKind(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return "null"
	case raw[0] == '"':
		return "string"
	case raw[0] == '[':
		return "array"
	case raw[0] == '{':
		return "object"
	case raw[0] == 't' || raw[0] == 'f':
		return "bool"
	}
	return "number " + string(raw)
}

// wrongKind is the failure of a field whose value is of another kind than want says.
func wrongKind(field, want string, raw json.RawMessage) *failure {
	return invalid("%s: want %s, found %s", field, want, kindOf(raw))
}

// kindWanted names the JSON that a field of type t takes.
func kindWanted(t reflect.Type) string {
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindWanted(t.Elem())
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number"
}

// fieldAt returns the path of the value that ends or begins at offset in body, which is JSON up to
// there: "messages[1].content".
func fieldAt(body []byte, offset int64) string {
	type level struct {
		list  bool
		index int
		key   string
		named bool // the key was read, its value was not
	}
	var stack []level
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for d.InputOffset() < offset {
		token, err := d.Token()
		if err != nil {
			break
		}
		top := len(stack) - 1
		if top >= 0 && !stack[top].list && !stack[top].named && token != json.Delim('}') {
			stack[top].key, stack[top].named = fmt.Sprint(token), true
			continue
		}
		if d.InputOffset() >= offset && token != json.Delim(']') && token != json.Delim('}') {
			break
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			stack = append(stack, level{list: token == json.Delim('[')})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
			top--
		}
		if d.InputOffset() >= offset {
			break
		}
		if top >= 0 {
			stack[top].index, stack[top].named = stack[top].index+1, false
		}
	}
	path := ""
	for _, l := range stack {
		switch {
		case l.list:
			path += fmt.Sprintf("[%d]", l.index)
		case path == "":
			path = shorten(l.key, maxEcho)
		default:
			path += "." + shorten(l.key, maxEcho)
		}
	}
	return path
}

// syntaxProblem says what is not JSON at byte at of body, and where that is.
func syntaxProblem(body []byte, at int) string {
	at = max(0, min(at, len(body)-1))
	before := body[:at]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	where := fmt.Sprintf("the body is not JSON: in line %d, column %d", line, column)
	r, _ := utf8.DecodeRune(body[at:])
	word := body[at:]
	last := byte(0)
	if trimmed := bytes.TrimRight(before, " \t\r\n"); len(trimmed) > 0 {
		last = trimmed[len(trimmed)-1]
	}
	switch {
	case r == '\'':
		return where + " it has ' and wants \": in cmd.exe write \"{\\\"model\\\": ...}\", or send a file"
	case r == '\u201c' || r == '\u201d' || r == '\u201e' || r == '\u2018' || r == '\u2019':
		return where + fmt.Sprintf(" it has the quote %c and wants \"", r)
	case bytes.HasPrefix(word, []byte("True")), bytes.HasPrefix(word, []byte("False")),
		bytes.HasPrefix(word, []byte("None")):
		return where + " it has a word of Python: JSON writes true, false and null"
	case bytes.HasPrefix(word, []byte("NaN")), bytes.HasPrefix(word, []byte("Infinity")),
		bytes.HasPrefix(word, []byte("undefined")):
		return where + " it has a word that JSON does not know: leave the field out"
	case (r == '}' || r == ']') && last == ',':
		return where + fmt.Sprintf(" it has %c after a comma: leave the comma out", r)
	case r == '\\' && (last == '{' || last == ',' || last == ':' || at == 0):
		return where + " it has \\ before a quote: the shell did not take it away"
	case (last == '{' || last == ',') && (r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'):
		return where + " it has a name without quotes: the shell may have taken them away; send a file, as -d @FILE"
	case r < ' ':
		return where + fmt.Sprintf(" a text has the control character 0x%02x: write \\n for a line break", r)
	case at == 0 || last == 0:
		return where + fmt.Sprintf(" it begins with %s and wants {", echo(string(body)))
	case r == '"' && (last == '"' || last == '}' || last == ']' || last >= '0' && last <= '9'):
		return where + " a comma is missing"
	case r == utf8.RuneError:
		return where + " it has bytes that are not UTF-8"
	}
	return where + fmt.Sprintf(" it has %q where JSON has none", r)
}
