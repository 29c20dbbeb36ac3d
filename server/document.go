package server

// This file: what package encoding/json takes without a word although a client cannot mean it: a
// field that is there twice, and half a character.

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxFields bounds the fields of a body, all its objects together.
const maxFields = 100_000

// sentField is a field of the outermost object, or of an object that is the value of one.
type sentField struct {
	outer, name string // outer is "" for a field of the outermost object, whose names are in lower case
	value       []byte // and what follows it in the body
}

// checkDocument checks body, which is one JSON value: no object has a field twice, and no text half
// a surrogate pair. Names are the same if they differ in case only, as decoding has it, except where
// clients choose them (freeNames).
func checkDocument(body []byte) (sent []sentField, err error) {
	c := checker{body: body}
	err = c.walk()
	return c.sent, err
}

// checker walks through a JSON value.
type checker struct {
	body   []byte
	at     int
	fields int
	stack  []level // the objects and lists that are open
	sent   []sentField
}

// level is an object or a list.
type level struct {
	names map[string]bool // of an object's fields so far; nil: a list
	last  string          // the last of them
	free  bool            // names that differ in case only are two
}

// freeNames are the fields below which clients choose names: a schema's properties, and what is not
// read.
var freeNames = []string{"properties", "$defs", "definitions", "patternproperties", "dependentschemas", "enum", "const",
	"default", "examples", "metadata"}

// open opens an object or, if names is nil, a list.
func (c *checker) open(names map[string]bool) {
	l := level{names: names}
	if n := len(c.stack); n > 0 {
		l.free = c.stack[n-1].free || slices.Contains(freeNames, c.stack[n-1].last)
		if names == nil {
			l.last = c.stack[n-1].last
		}
	}
	c.stack = append(c.stack, l)
}

func (c *checker) walk() error {
	for c.at < len(c.body) {
		switch c.body[c.at] {
		case '{':
			c.open(map[string]bool{})
		case '[':
			c.open(nil)
		case '}', ']':
			c.stack = c.stack[:len(c.stack)-1]
		case '"':
			if err := c.text(); err != nil {
				return err
			}
			continue
		}
		c.at++
	}
	return nil
}

// text checks the string that begins here, and steps over it.
func (c *checker) text() error {
	start := c.at
	escaped := false
	for c.at++; c.body[c.at] != '"'; c.at++ {
		if c.body[c.at] != '\\' {
			continue
		}
		escaped = true
		if c.at++; c.body[c.at] != 'u' {
			continue
		}
		if r := c.unit(c.at + 1); utf16.IsSurrogate(r) {
			if !bytes.HasPrefix(c.body[c.at+5:], []byte(`\u`)) || utf16.DecodeRune(r, c.unit(c.at+7)) == '\uFFFD' {
				return invalid("byte %d of the body is half a character: %s is one of a pair", c.at,
					c.body[c.at-1:c.at+5])
			}
			c.at += 6
		}
		c.at += 4
	}
	c.at++
	rest := bytes.TrimLeft(c.body[c.at:], " \t\r\n")
	if len(c.stack) == 0 || c.stack[len(c.stack)-1].names == nil || len(rest) == 0 || rest[0] != ':' {
		return nil
	}
	return c.field(string(c.body[start+1:c.at-1]), escaped, rest[1:])
}

// unit returns the UTF-16 unit whose four hexadecimal digits are at byte at.
func (c *checker) unit(at int) rune {
	v, _ := strconv.ParseUint(string(c.body[at:at+4]), 16, 16)
	return rune(v)
}

// field counts a field of the innermost object. value is its value and what follows.
func (c *checker) field(name string, escaped bool, value []byte) error {
	if escaped {
		var plain string
		if json.Unmarshal([]byte(`"`+name+`"`), &plain) == nil {
			name = plain
		}
	}
	in := &c.stack[len(c.stack)-1]
	key := name
	if !in.free {
		key = strings.ToLower(name)
	}
	switch {
	case len(c.stack) == 1:
		c.sent = append(c.sent, sentField{"", key, value})
	case len(c.stack) == 2 && c.stack[0].names != nil:
		c.sent = append(c.sent, sentField{c.stack[0].last, key, value})
	}
	if in.last = key; in.names[key] {
		return invalid("the field %s is there twice: send it once", quote(name, maxQuoted))
	}
	if c.fields++; c.fields > maxFields {
		return invalid("the body has more than %d fields", maxFields)
	}
	in.names[key] = true
	return nil
}
