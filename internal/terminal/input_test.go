package terminal

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestReadLine(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"first line", "yes\nno\n", "yes\n"},
		{"no end", "yes", "yes"},
		{"nothing", "", ""},
		{"too long", strings.Repeat("y", maxInput+1) + "\n", strings.Repeat("y", maxInput)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if line, err := ReadLine(context.Background(), strings.NewReader(c.in)); err != nil || line != c.want {
				t.Errorf("%q: %v", line, err)
			}
		})
	}
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ReadLine(ctx, r); err != context.Canceled {
		t.Errorf("interrupted: %v", err)
	}
}
