package main

// This file: pali convert.

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/checkpoint"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/quant"
)

type convertFlags struct {
	tokenizer, output, name string
	text, vision            string
	masks, maskType         string
	types                   typeFlags
	force, asJSON           bool
	threads                 int
}

func newConvert() *cobra.Command {
	var f convertFlags
	cmd := &cobra.Command{
		Use:   "convert CHECKPOINT.npz... --tokenizer TOKENIZER.model",
		Short: "Turns a checkpoint (.npz) into a text GGUF and an mmproj GGUF",
		Long: `Turns a PaliGemma checkpoint (Kaggle's .npz) and its SentencePiece model into two GGUF files: the
decoder, and the vision encoder with the projector ("mmproj"). Prints their two paths.

A split checkpoint (NAME.npz.part0 NAME.npz.part1 ...) is given as all of its parts, in order. The tokenizer is
https://storage.googleapis.com/big_vision/paligemma_tokenizer.model, the same for every PaliGemma.

The files appear when all are complete; until then their names end with .partial.

--masks F.npz, with a checkpoint or alone, makes masks-NAME.gguf of the decoder that turns the codes of "segment" into
masks: https://storage.googleapis.com/big_vision/paligemma/vae-oid.npz, the same for every PaliGemma. Put beside a pair,
it serves that pair.`,
		Example: `  pali convert paligemma-3b-mix-224.npz --tokenizer paligemma_tokenizer.model -t q8_0 -o models
  pali convert testdata/demo/demo.npz --tokenizer testdata/demo/tokenizer.model -t f32 -o demo
  pali convert --masks vae-oid.npz -o models --name PaliGemma-3B-mix-224-v1.0`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.masks != "" {
				return nil
			}
			return atLeastOne("no checkpoint: give its .npz")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := refuseIdle(cmd.Flags(), len(args) == 0, "without a checkpoint", "tokenizer", "type", "mmproj-type",
				"tensor-type", "token-embedding-type", "pure", "imatrix", "threads")
			if err = cmp.Or(err, refuseIdle(cmd.Flags(), f.masks == "", "without --masks", "masks-type")); err != nil {
				return err
			}
			return f.run(cmd, args)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.tokenizer, "tokenizer", "", "SentencePiece model of the checkpoint")
	fs.StringVarP(&f.output, "output", "o", ".", "folder to write to, made if it is not there")
	fs.StringVar(&f.masks, "masks", "", "mask checkpoint (vae-oid.npz), to masks-NAME.gguf")
	f.addMaking(fs)
	return cmd
}

// addMaking adds the flags that say what is made of a checkpoint.
func (f *convertFlags) addMaking(fs *pflag.FlagSet) {
	fs.StringVarP(&f.text, "type", "t", "f16", "type of the text file's matrices: "+typesText())
	fs.StringVar(&f.vision, "mmproj-type", "", "type of the mmproj file's matrices (default: as --type)")
	f.types.add(fs)
	fs.StringVar(&f.name, "name", "",
		"name of the model, with which the files' names begin (default: from the checkpoint's name)")
	fs.StringVar(&f.maskType, "masks-type", "f32", "type of the mask file's weights: f32 or f16")
	fs.BoolVar(&f.force, "force", false, "replace files that are there")
	fs.IntVar(&f.threads, "threads", 0, "threads (0: one for each processor)")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
}

func (f *convertFlags) run(cmd *cobra.Command, paths []string) error {
	if f.tokenizer == "" && len(paths) > 0 {
		return usagef("no tokenizer: give the checkpoint's SentencePiece model with --tokenizer")
	}
	if f.name == "" {
		f.name = convert.DefaultName(append(paths, f.masks)[0])
	}
	maskType, ok := map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16}[strings.ToLower(f.maskType)]
	if !ok {
		return usagef("--masks-type %s: want f32 or f16", f.maskType)
	}
	var masks checkpoint.File
	if f.masks != "" {
		var err error
		if masks, err = checkpoint.Open(f.masks); err != nil {
			return err
		}
		defer masks.Close()
	}
	if len(paths) == 0 {
		return f.convertMasks(cmd, masks, maskType)
	}
	return f.convertPair(cmd, paths, masks, maskType)
}

// convertMasks makes the mask file alone.
func (f *convertFlags) convertMasks(cmd *cobra.Command, masks convert.Source, typ gguf.Type) error {
	path, err := convert.Masks(masks, convert.MaskOptions{Name: f.name, Type: typ, OutDir: f.output, Force: f.force})
	if err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]string{"masks": path})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}

// plans are the types of the two files.
func (f *convertFlags) plans() (text, vision *quant.Plan, err error) {
	if f.vision == "" {
		f.vision = f.text
	}
	if text, err = f.types.plan(f.text, false); err != nil {
		return nil, nil, err
	}
	vision, err = f.types.plan(f.vision, true)
	return text, vision, err
}

// convertPair makes the text file and the mmproj file, and the mask file unless masks is nil.
func (f *convertFlags) convertPair(cmd *cobra.Command, paths []string, masks convert.Source, maskType gguf.Type) error {
	text, vision, err := f.plans()
	if err != nil {
		return err
	}
	vocabulary, err := sentencepiece.Open(f.tokenizer)
	if err != nil {
		return err
	}
	src, err := checkpoint.Open(paths...)
	if err != nil {
		return err
	}
	defer src.Close()
	bar := progress.Bytes(cmd.ErrOrStderr(), "convert")
	start := time.Now()
	r, err := convert.Run(cmd.Context(), src, vocabulary, convert.Options{
		Name: f.name, Text: text, Vision: vision, OutDir: f.output, Force: f.force, Threads: f.threads,
		Masks: masks, MaskType: maskType, Progress: bar.Set,
	})
	bar.Close()
	if err != nil {
		return err
	}
	made := converted(r, text, vision, time.Since(start))
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), made)
	}
	summary(cmd.ErrOrStderr(), made)
	lines := r.TextPath + "\n" + r.VisionPath + "\n"
	if r.MaskPath != "" {
		lines += r.MaskPath + "\n"
	}
	_, err = io.WriteString(cmd.OutOrStdout(), lines)
	return err
}

// convertedFile is one written file, for --json.
type convertedFile struct {
	Path      string         `json:"path"`
	Bytes     int64          `json:"bytes"`
	Types     map[string]int `json:"tensors"` // how many in each type
	Fallbacks []fallbackJSON `json:"instead"`
}

type convertedPair struct {
	Text           convertedFile `json:"text"`
	Vision         convertedFile `json:"mmproj"`
	Masks          string        `json:"masks,omitempty"` // path
	Parameters     int64         `json:"parameters"`
	FFNWidth       int           `json:"vision_feed_forward_length"`
	PaddedFFNWidth int           `json:"vision_feed_forward_length_padded"`
	Ms             float64       `json:"total_ms"`
}

func converted(r *convert.Result, text, vision *quant.Plan, took time.Duration) convertedPair {
	return convertedPair{
		Text:       convertedFile{r.TextPath, r.TextBytes, byName(r.TextTypes), fallbacks(text)},
		Vision:     convertedFile{r.VisionPath, r.VisionBytes, byName(r.VisionTypes), fallbacks(vision)},
		Masks:      r.MaskPath,
		Parameters: r.Parameters, FFNWidth: r.FFNWidth, PaddedFFNWidth: r.PaddedFFNWidth,
		Ms: progress.Milliseconds(took),
	}
}

// summary prints what was written.
func summary(w io.Writer, r convertedPair) {
	fmt.Fprintf(w, "%.1f million parameters in %.1f s: text %s, mmproj %s\n", float64(r.Parameters)/1e6, r.Ms/1000,
		bytesText(r.Text.Bytes), bytesText(r.Vision.Bytes))
	writeTypes(w, "text", r.Text.Types, r.Text.Fallbacks)
	writeTypes(w, "mmproj", r.Vision.Types, r.Vision.Fallbacks)
	writePadding(w, r.FFNWidth, r.PaddedFFNWidth)
}
