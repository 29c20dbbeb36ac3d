package main

// This file: pali doctor: what this program and this machine can do, and whether files are whole.

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/internal/host"
	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [FILE|FOLDER...]",
		Short: "Reports what this program and this machine can do, and whether files are complete",
		Long: `Reports what this program was built for, which devices it finds, and, for each text, mmproj or mask GGUF,
.npz checkpoint or folder with a pair, whether it is complete: opened, checked as before a run, and read to the end.
Exits with 1 if one is not.`,
		Example: `  pali doctor
  pali doctor models checkpoint.npz --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d := examine()
			var failed []fileHealth
			for _, path := range args {
				h := health(cmd.Context(), cmd.ErrOrStderr(), path)
				if h.Error != "" {
					failed = append(failed, h)
				}
				d.Files = append(d.Files, h)
			}
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if err := d.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if len(failed) == 0 {
				return nil
			}
			return fmt.Errorf("%d of %d not whole, the first: %s", len(failed), len(args), failed[0].Error)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// diagnosis is what pali doctor prints.
type diagnosis struct {
	versions
	CompiledFor []string       `json:"compiled_for"` // instruction sets
	Slow        bool           `json:"slow"`         // the processor could do more than that
	Threads     int            `json:"threads"`
	Libraries   string         `json:"gpu_libraries"`                // the folder where they are looked for
	Faults      []string       `json:"gpu_library_faults,omitempty"` // what keeps one from serving
	Devices     []deviceHealth `json:"devices"`
	Files       []fileHealth   `json:"files,omitempty"`
}

type deviceHealth struct {
	Name        string   `json:"name"`
	Backend     string   `json:"backend"`
	Description string   `json:"description"`
	Features    []string `json:"features"`
	Free        uint64   `json:"free_bytes"`
	Total       uint64   `json:"total_bytes"`
}

type fileHealth struct {
	Path  string `json:"path"`
	Is    string `json:"is,omitempty"`
	Error string `json:"error,omitempty"` // empty: whole
}

func examine() diagnosis {
	d := diagnosis{
		versions: readVersions(), CompiledFor: ggml.CompiledFor(), Slow: ggml.CompiledSlow(),
		Threads: host.Threads(), Libraries: llamacpp.LibraryFolder(),
	}
	for _, device := range llamacpp.Devices() {
		free, total := device.Memory()
		if available := host.AvailableMemory(); device.Type() == ggml.CPU && available > 0 {
			free = available // ggml takes all of it for free
		}
		d.Devices = append(d.Devices, deviceHealth{device.Name(), device.Backend(), device.Description(),
			device.Features(), free, total})
	}
	faults := llamacpp.LibraryFaults()
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		d.Faults = append(d.Faults, faults[name].Error())
	}
	return d
}

func (d diagnosis) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, d)
	}
	fmt.Fprintf(w, "pali %s, %s, %s, %s\n", d.Version, d.System, d.Go, d.Compiler)
	fmt.Fprintf(w, "built for: %s\n", strings.Join(d.CompiledFor, " "))
	writeSlow(w)
	fmt.Fprintf(w, "threads: %d\n", d.Threads)
	for _, v := range d.Devices {
		fmt.Fprintf(w, "device %s (%s): %s, %s free of %s\n", v.Name, v.Backend, v.Description,
			bytesText(int64(v.Free)), bytesText(int64(v.Total)))
		if len(v.Features) > 0 {
			fmt.Fprintf(w, "    %s\n", strings.Join(v.Features, " "))
		}
	}
	fmt.Fprintf(w, "GPU libraries: %s\n", d.Libraries)
	for _, fault := range d.Faults {
		fmt.Fprintf(w, "    %s\n", fault)
	}
	for _, f := range d.Files {
		state := "whole"
		if f.Error != "" {
			state = f.Error
		}
		fmt.Fprintf(w, "%s: %s%s\n", inspect.Plain(f.Path), f.Is, state)
	}
	return nil
}

// health checks a file, or the pair in a folder.
func health(ctx context.Context, stderr io.Writer, path string) fileHealth {
	h := fileHealth{Path: path}
	bar := progress.Bytes(stderr, "doctor")
	defer bar.Close()
	is, err := inspect.Check(ctx, path, bar.Set)
	if is != "" {
		h.Is = is + ", "
	}
	if err != nil {
		h.Error = withFlag(err).Error()
	}
	return h
}
