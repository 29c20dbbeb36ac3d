package server

// This file: what package encoding/json takes without a word although a client cannot mean it: a
// field that is there twice, and half a character.

import (
	"bytes"
	"encoding/json"
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
// a surrogate pair. Names of the outermost object are the same if they differ in case only, as
// decoding has it.
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
	stack  []map[string]bool // for each open object the names of its fields, for each list nil
	outer  string            // the last name in the outermost object
	sent   []sentField
}

func (c *checker) walk() error {
	for c.at < len(c.body) {
		switch c.body[c.at] {
		case '{':
			c.stack = append(c.stack, map[string]bool{})
		case '[':
			c.stack = append(c.stack, nil)
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
				return invalid("byte %d of the body is half a character: %s is one of a pair", c.at, c.body[c.at-1:c.at+5])
			}
			c.at += 6
		}
		c.at += 4
	}
	c.at++
	rest := bytes.TrimLeft(c.body[c.at:], " \t\r\n")
	if len(c.stack) == 0 || c.stack[len(c.stack)-1] == nil || len(rest) == 0 || rest[0] != ':' {
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
	key := name
	switch {
	case len(c.stack) == 1:
		key = strings.ToLower(name)
		c.outer = key
		c.sent = append(c.sent, sentField{"", key, value})
	case len(c.stack) == 2 && c.stack[0] != nil:
		c.sent = append(c.sent, sentField{c.outer, name, value})
	}
	names := c.stack[len(c.stack)-1]
	if names[key] {
		return invalid("the field %s is there twice: send it once", quote(name))
	}
	if c.fields++; c.fields > maxFields {
		return invalid("the body has more than %d fields", maxFields)
	}
	names[key] = true
	return nil
}
