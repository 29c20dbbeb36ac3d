package main

// This file: --show, the image with its objects in the terminal.

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/internal/terminal"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/draw"
)

// showFlag is how to show the image: "", "auto", or one of terminal.Forms.
type showFlag struct{ how string }

func (s *showFlag) addShow(fs *pflag.FlagSet) {
	fs.StringVar(&s.how, "show", "",
		"show the objects on the image in this terminal; --show=kitty, =iterm2 or =sixel names the protocol, and writes it anywhere")
	fs.Lookup("show").NoOptDefVal = "auto"
}

func (s *showFlag) checkShow(asJSON bool) error {
	switch {
	case s.how == "" || s.how == "auto" && !asJSON:
		return nil
	case s.how != "auto" && !slices.Contains(terminal.Forms, terminal.Form(s.how)):
		return usagef("--show=%s: want kitty, iterm2 or sixel, or --show alone", s.how)
	case asJSON:
		return usagef("--show and --json: the image would stand in the JSON")
	}
	return nil
}

// showObjects shows the image if that was asked for, and says why if it cannot.
func (s *showFlag) showObjects(cmd *cobra.Command, p *imageproc.Image, objects []tasks.Detection) error {
	if s.how == "" {
		return nil
	}
	out, form := cmd.OutOrStdout(), terminal.Form(s.how)
	if s.how == "auto" {
		if !terminal.IsTerminal(out) {
			fmt.Fprintln(cmd.ErrOrStderr(), "pali: --show: standard output is not a terminal: no image shown")
			return nil
		}
		var ok bool
		if form, ok = terminal.FromEnvironment(os.Getenv); !ok {
			form, ok = terminal.Ask()
		}
		if !ok {
			fmt.Fprintln(cmd.ErrOrStderr(),
				"pali: --show: this terminal does not say that it can show images (kitty's, iTerm2's or sixels): -o writes a file, --show=sixel tries nevertheless")
			return nil
		}
	}
	return terminal.Show(out, form, draw.Objects(p.Pix, p.Width, p.Height, objects))
}
