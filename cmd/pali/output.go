package main

// This file: how results and progress are written.

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// printJSON writes one value as indented JSON, without escaping < and >.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// forTerminal returns text that cannot steer a terminal: control characters but newline and tab are
// left out.
func forTerminal(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

// bytesText writes a number of bytes for people: "1.4 GB".
func bytesText(n int64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if float64(n) >= unit.of {
			return fmt.Sprintf("%.1f %s", float64(n)/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// linePrinter writes lines until one fails.
type linePrinter struct {
	w   io.Writer
	err error
}

func (p *linePrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
