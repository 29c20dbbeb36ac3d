// Command pali converts PaliGemma checkpoints to GGUF and runs them offline.
//
// This package is the only place where the others are wired together: main.go, and one file for
// each subcommand. Results go to standard output, everything else to standard error. The program
// exits with 0 when it is done, 1 when it failed, 2 when it was called wrongly and 130 when it was
// interrupted.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/internal/flags"
	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/tasks"
)

func main() { os.Exit(Main()) }

// Main runs the program with the process's arguments and returns its exit code.
func Main() int {
	ggml.ExplainLostPages("pali: a model's file was cut or replaced while it was in use, or its disk cannot be read: " +
		"nothing more can be answered from it; start again when the file is whole")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		var free context.CancelFunc
		ctx, free = signal.NotifyContext(ctx, syscall.SIGHUP) // a terminal that closes sends several
		defer free()
	}
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	root := newRoot()
	err := root.ExecuteContext(ctx)
	return exitCode(ctx, root.ErrOrStderr(), err)
}

// exitCode says what went wrong, in one sentence, and which code the program exits with.
func exitCode(ctx context.Context, stderr io.Writer, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintln(stderr, "pali: interrupted")
		return 130
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "pali: %s\n", message(err))
		return 2
	}
	fmt.Fprintf(stderr, "pali: %s\n", message(err))
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "pali",
		Short: "Converts PaliGemma checkpoints to GGUF and runs them offline",
		Long: `Pali turns Google's PaliGemma checkpoints (Kaggle's .npz) into GGUF files and runs them on this machine.

Results go to standard output, everything else to standard error. Every flag can also be set by an environment
variable: PALI_ and the flag's name in capitals, with _ for -, as in PALI_MAX_TOKENS=64.
Exit codes: 0 done, 1 failed, 2 called wrongly, 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			cmd.SetOut(cmd.ErrOrStderr())
			return errors.Join(cmd.Help(), usagef("no command"))
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return cmp.Or(asUsage(flags.RefuseEmpty(cmd.Flags())), fromEnvironment(cmd.Flags()))
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v: see %s --help", flags.Explain(err), cmd.CommandPath())
	})
	root.SuggestionsMinimumDistance = 2
	root.SetHelpCommand(newHelp())
	root.AddCommand(commands()...)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		strict(c)
	}
	return root
}

// commands lists all commands; nothing else in this package names them.
func commands() []*cobra.Command {
	all := []*cobra.Command{
		newConvert(), newQuantize(), newImatrix(), newRun(), newInspect(), newCompare(), newEval(), newLabel(),
		newDoctor(), newDemo(), newBench(), newEstimate(), newServe(), newWorker(), newPull(), newList(), newRm(),
		newVersion(),
	}
	for i := range tasks.All {
		all = append(all, newTask(&tasks.All[i]))
	}
	return all
}

// strict makes the wrong arguments of a command, and of those below it, a usage error, and what its
// flags want easier to write.
func strict(c *cobra.Command) {
	flags.TakeNumbers(c.Flags())
	flags.Tidy(c.Flags(), flags.Words, "format", "task", "lang", "kv", "resize", "mask-form")
	flags.Tidy(c.Flags(), input.Named, "model", "mmproj", "masks", "classes", "tokenizer", "questions", "images",
		"image", "against", "against-mmproj", "imatrix", "merge")
	if args := c.Args; args != nil {
		files := slices.Contains([]string{"convert", "quantize", "inspect", "compare", "label"}, c.Name())
		c.Args = func(cmd *cobra.Command, given []string) error {
			for i := 0; files && i < len(given); i++ {
				given[i] = input.Named(given[i]) // RunE gets the same slice
			}
			if err := cmp.Or(flags.RefuseLongDashes(given), args(cmd, given)); err != nil {
				return usagef("%v: see %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, below := range c.Commands() {
		strict(below)
	}
	if !c.Runnable() {
		c.RunE = func(cmd *cobra.Command, _ []string) error {
			return usagef("%s does nothing by itself: see %[1]s --help", cmd.CommandPath())
		}
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usagef("unknown command %q, do you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("unknown command %q: see pali --help", name)
}

// newHelp replaces cobra's help command, which succeeds on an unknown name.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explains a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
