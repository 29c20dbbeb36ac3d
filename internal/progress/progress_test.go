package progress

import (
	"bytes"
	"testing"
	"time"
)

// Without a terminal a bar writes nothing, but lines go through.
func TestSilent(t *testing.T) {
	for _, c := range []struct {
		name string
		bar  func(w *bytes.Buffer) *Bar
	}{
		{"bytes", func(w *bytes.Buffer) *Bar { return Bytes(w, "x") }},
		{"count", func(w *bytes.Buffer) *Bar { return Count(w, "x") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w bytes.Buffer
			b := c.bar(&w)
			b.Set(1, 2)
			b.Println(&w, "a line")
			b.Close()
			if w.String() != "a line\n" {
				t.Errorf("%q", w.String())
			}
		})
	}
}

func TestMilliseconds(t *testing.T) {
	if ms := Milliseconds(1234567 * time.Nanosecond); ms != 1.234 {
		t.Error(ms)
	}
}
