package main

// This file: pali version.

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// fallbackVersion is the program's version where the build says none: outside of a tagged module.
const fallbackVersion = "0.1.0"

// versions is what pali version prints.
type versions struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Compiler string `json:"compiler"`
	Llama    string `json:"llama"` // the Go module that carries llama.cpp, and its version
	System   string `json:"system"`
}

func readVersions() versions {
	v := versions{
		Version: fallbackVersion, Go: runtime.Version(), Compiler: ggml.Compiler(), System: runtime.GOOS + "/" +
			runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = versionOf(info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	v.Llama = strings.TrimSpace(ggml.Module + " " + ggml.Version())
	return v
}

// versionOf returns the version of a build whose main module has this one: "v1.2.3" or a later
// commit's is 1.2.3 and so on; without a tag before the commit, or without version control, it
// is the fallback.
func versionOf(module string) string {
	if number, ok := strings.CutPrefix(module, "v"); ok && !strings.HasPrefix(number, "0.0.0-") {
		return number
	}
	return fallbackVersion
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Prints the version, and what the program was built with",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersions()
			if asJSON {
				return printJSON(cmd.OutOrStdout(), v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "pali %s\n%s, %s, %s\nllama.cpp from %s\n", v.Version, v.System,
				v.Go, v.Compiler, v.Llama)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
