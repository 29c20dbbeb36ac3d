package main

// This file: pali list and pali rm.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/internal/terminal"
)

func newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the models of your folder of models",
		Long: `Lists the models in the folder that PALI_MODELS names (by default pali/models where this system keeps a
user's data), and in folders below it. Every command takes their names with -m, also shortened at a "-", capitals or
not. Sizes are of the text, mmproj and mask file together.`,
		Example: `  pali list
  PALI_MODELS=models pali list --json
  pali caption -m paligemma-3b-mix-224 -i photo.jpg`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := store.Folder()
			if err != nil {
				return err
			}
			paths, err := store.List(folder)
			if err != nil {
				return err
			}
			models := []modelJSON{}
			for _, path := range paths {
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				models = append(models, describeModel(path))
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"folder": folder, "models": models})
			}
			if len(models) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "pali: no models in %s: \"pali pull\" gets one\n", folder)
			}
			return writeModels(cmd.OutOrStdout(), models)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// modelJSON is one model of pali list --json.
type modelJSON struct {
	store.Model
	Error      string `json:"error,omitempty"`       // why it cannot be run
	MasksError string `json:"masks_error,omitempty"` // why it runs without masks, though there is a mask file
}

func describeModel(text string) modelJSON {
	m := modelJSON{Model: store.Describe(text)}
	if m.Err != nil {
		m.Error = withFlag(m.Err).Error()
	}
	if m.MasksErr != nil {
		m.MasksError = m.MasksErr.Error()
	}
	return m
}

func writeModels(out io.Writer, models []modelJSON) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range models {
		if m.Error != "" {
			fmt.Fprintf(table, "%s\t%s\tcannot be run: %s\n", inspect.Plain(m.Name), bytesText(m.Bytes),
				forTerminal(m.Error))
			continue
		}
		masks := ""
		if m.MasksError != "" {
			masks = "no masks: " + forTerminal(m.MasksError)
		} else if m.Masks != "" {
			masks = "masks"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\tmmproj %s\t%d px\t%s\n", inspect.Plain(m.Name), bytesText(m.Bytes), m.Type,
			m.MmprojType, m.Side, masks)
	}
	return table.Flush()
}

func newRm() *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Removes a model of your folder of models",
		Long: `Removes a model that "pali list" shows: its text file, and the mmproj and mask file unless another model
beside it uses them. Files that are not a complete pair are kept. It asks first; without a terminal, --yes is required.`,
		Example: `  pali rm PaliGemma-3B-mix-224-v1.0-Q8_0
  pali rm paligemma-3b-mix-224 --yes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("want the name of one model")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := store.Folder()
			if err != nil {
				return err
			}
			paths, err := store.Removable(folder, args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := confirm(cmd, "remove "+strings.Join(paths, ", ")); err != nil {
					return err
				}
			}
			for _, path := range paths { // the text file first: without it the others are not a model
				if err := os.Remove(path); err != nil {
					return err
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"removed": paths})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(paths, "\n"))
			return err
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// confirm asks on the terminal, and fails where there is none, or where the answer is no.
func confirm(cmd *cobra.Command, what string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !terminal.IsTerminal(in) {
		return usagef("no terminal to ask on: give --yes to %s", what)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s? [y/N] ", what)
	answer, err := terminal.ReadLine(cmd.Context(), in)
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing is removed")
	}
	return nil
}
