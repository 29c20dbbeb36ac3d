// Package progress shows on a terminal how far a long task is, with the time left.
package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/pali-gguf/pali/internal/terminal"
)

// Bar is a progress bar. It is silent where its writer is not a terminal. Safe for concurrent use.
type Bar struct {
	progress *mpb.Progress // nil: silent, as is bar
	bar      *mpb.Bar
}

// Bytes shows a bar called name over bytes on w.
func Bytes(w io.Writer, name string) *Bar {
	return newBar(w, name, decor.CountersKiloByte("% .1f / % .1f"), decor.AverageSpeed(decor.SizeB1000(0), "% .1f "))
}

// Count shows a bar called name over items on w.
func Count(w io.Writer, name string) *Bar {
	return newBar(w, name, decor.CountersNoUnit("%d / %d"), decor.AverageSpeed(0, "%.1f/s "))
}

func newBar(w io.Writer, name string, counters, speed decor.Decorator) *Bar {
	if !terminal.IsTerminal(w) {
		return &Bar{}
	}
	p := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	return &Bar{p, p.AddBar(0,
		mpb.PrependDecorators(decor.Name(name+" "), counters),
		mpb.AppendDecorators(speed, decor.AverageETA(decor.ET_STYLE_GO)))}
}

// Set shows that done of total is done.
func (b *Bar) Set(done, total int64) {
	if b.bar != nil {
		b.bar.SetTotal(total, false)
		b.bar.SetCurrent(done)
	}
}

// Println writes a line to w, above the bar where there is one.
func (b *Bar) Println(w io.Writer, line string) {
	if b.bar != nil {
		w = b.progress
	}
	fmt.Fprintln(w, line)
}

// Close leaves the last state on the screen.
func (b *Bar) Close() {
	if b.bar != nil {
		b.bar.Abort(false)
		b.progress.Wait()
	}
}

// Milliseconds returns d in milliseconds, to the microsecond.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
