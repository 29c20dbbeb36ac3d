package main

// This file: --show, the picture with its objects in the terminal. Before it: task.go. After it: internal/terminal.

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/answer"
	"github.com/pali-gguf/pali/internal/terminal"
	"github.com/pali-gguf/pali/mmproj"
)

// showFlag is how to show the picture: "", "auto", or one of terminal.Forms.
type showFlag struct{ how string }

func (s *showFlag) addShow(fs *pflag.FlagSet) {
	fs.StringVar(&s.how, "show", "", "show the objects on the picture in this terminal; --show=kitty, =iterm2 or =sixel says how, and does it elsewhere too")
	fs.Lookup("show").NoOptDefVal = "auto"
}

func (s *showFlag) checkShow(asJSON bool) error {
	switch {
	case s.how == "" || s.how == "auto" && !asJSON:
		return nil
	case s.how != "auto" && !slices.Contains(terminal.Forms, terminal.Form(s.how)):
		return usagef("--show=%s: want kitty, iterm2 or sixel, or --show alone", s.how)
	case asJSON:
		return usagef("--show and --json: the picture would stand in the JSON")
	}
	return nil
}

// showObjects shows the picture if that was asked for, and says why if it cannot.
func (s *showFlag) showObjects(cmd *cobra.Command, p *mmproj.Picture, objects []answer.Object) error {
	if s.how == "" {
		return nil
	}
	out, form := cmd.OutOrStdout(), terminal.Form(s.how)
	if s.how == "auto" {
		if !isTerminal(out) {
			fmt.Fprintln(cmd.ErrOrStderr(), "pali: --show: standard output is no terminal: no picture shown")
			return nil
		}
		var ok bool
		if form, ok = terminal.FromEnvironment(os.Getenv); !ok {
			form, ok = terminal.Ask()
		}
		if !ok {
			fmt.Fprintln(cmd.ErrOrStderr(), "pali: --show: this terminal does not say that it can show pictures (kitty's, iTerm2's or sixels): -o writes a file, --show=sixel tries nevertheless")
			return nil
		}
	}
	return terminal.Show(out, form, answer.Draw(p, objects))
}
