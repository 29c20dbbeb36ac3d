package terminal

// This file: which form a terminal supports, by its environment, or by asking it; and what a person
// types.

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// IsTerminal reports whether w is an open terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// FromEnvironment returns the form that the terminal supports by the variables, read with get, that
// terminals set. It returns false inside tmux and screen: there they are those of the outer
// terminal, which does not get the sequences.
func FromEnvironment(get func(name string) string) (Form, bool) {
	kind := get("TERM")
	if get("TMUX") != "" || strings.HasPrefix(kind, "screen") || strings.HasPrefix(kind, "tmux") {
		return "", false
	}
	program := get("TERM_PROGRAM")
	switch {
	case kind == "xterm-kitty", kind == "xterm-ghostty", program == "ghostty", get("KITTY_WINDOW_ID") != "":
		return Kitty, true
	case program == "iTerm.app", program == "WezTerm", program == "mintty", get("LC_TERMINAL") == "iTerm2":
		return ITerm2, true
	case strings.Contains(kind, "sixel"), slices.Contains([]string{"foot", "foot-extra", "mlterm", "yaft-256color"},
		kind):
		return Sixel, true
	}
	return "", false
}

// question asks whether the terminal supports kitty's form (by an image of one pixel that is not
// shown), and then for its device attributes: every terminal answers that.
const question = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"

// FromAnswer returns the form that a terminal supports by its answer to the question. whole says
// that answer is complete: it ends with the device attributes, CSI ? numbers c, in which 4 stands
// for sixels.
func FromAnswer(answer []byte) (f Form, known, whole bool) {
	at := bytes.Index(answer, []byte("\x1b[?"))
	if at < 0 {
		return "", false, false
	}
	attributes, _, whole := bytes.Cut(answer[at+3:], []byte("c"))
	switch {
	case !whole:
		return "", false, false
	case bytes.Contains(answer[:at], []byte("\x1b_Gi=31;OK")):
		return Kitty, true, true
	case slices.Contains(strings.Split(string(attributes), ";")[1:], "4"):
		return Sixel, true, true
	}
	return "", false, true
}

// answerTimeout is how long a terminal may take for its answer, also one far away.
const answerTimeout = 500 * time.Millisecond

// Ask asks the terminal of this process for the form that it supports. It returns false if there is
// no terminal, or none that answers in time.
func Ask() (Form, bool) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", false
	}
	defer tty.Close()
	if err := tty.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return "", false // reading could wait for ever
	}
	raw, err := tty.SyscallConn() // Fd would make reading wait for ever again
	if err != nil {
		return "", false
	}
	var before *term.State
	if err := raw.Control(func(fd uintptr) { before, _ = term.MakeRaw(int(fd)) }); err != nil || before == nil {
		return "", false
	}
	defer raw.Control(func(fd uintptr) { term.Restore(int(fd), before) })
	return ask(tty)
}

func ask(tty interface {
	Read([]byte) (int, error)
	WriteString(string) (int, error)
}) (Form, bool) {
	if _, err := tty.WriteString(question); err != nil {
		return "", false
	}
	var answer []byte
	for len(answer) < 4096 {
		some := make([]byte, 256)
		n, err := tty.Read(some)
		answer = append(answer, some[:n]...)
		if f, known, whole := FromAnswer(answer); whole || err != nil {
			return f, known
		}
	}
	return "", false
}

// maxInput bounds a line that ReadLine reads, in bytes.
const maxInput = 1024

// ReadLine reads a line from in, with its end, cut short where it is longer than a kilobyte. It
// returns ctx's error when ctx ends first; what in holds then is lost.
func ReadLine(ctx context.Context, in io.Reader) (string, error) {
	read := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(in, maxInput)).ReadString('\n')
		read <- line
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case line := <-read:
		return line, nil
	}
}
