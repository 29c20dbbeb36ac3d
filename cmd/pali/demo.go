package main

// This file: pali demo: the whole path on the checkpoint that is inside the program.

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/internal/demo"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/tasks"
)

// demoQuestions are asked in this order.
var demoQuestions = []struct{ image, prompt string }{
	{"000.png", "caption en"},
	{"000.png", "caption de"},
	{"000.png", "detect circle ; purple triangle"},
	{"008.png", "answer en how many hearts are there?"},
	{"008.png", "detect heart"},
	{"013.jpg", "answer en what color is the star?"},
	{"013.jpg", "caption es"},
}

type demoFlags struct {
	modelFlags
	asJSON bool
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows the whole path on a small model that is inside the program",
		Long: `Shows the whole path, without a download: converts a small PaliGemma that was trained for this project
(it knows drawn shapes and colours) to GGUF in a temporary folder, asks it about three images, and shows its answers,
boxes in pixels, and the time.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.addRunning(cmd.Flags())
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

// demoAnswer is one question with its answer.
type demoAnswer struct {
	Image  string     `json:"image"`
	Prompt string     `json:"prompt"`
	Text   string     `json:"text"`
	Boxes  []boxLabel `json:"boxes,omitempty"`
	Ms     float64    `json:"ms"`
}

type boxLabel struct {
	Label string     `json:"label"`
	XYXY  [4]float64 `json:"xyxy"` // pixels
}

func (f *demoFlags) run(cmd *cobra.Command) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "pali-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	warnSlow(cmd.ErrOrStderr())

	say := func(format string, args ...any) {
		if !f.asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), format, args...)
		}
	}
	start := time.Now()
	pair, err := demo.Convert(cmd.Context(), folder)
	if err != nil {
		return err
	}
	say("converted %.1f million parameters to GGUF (%s) in %.0f ms\n", float64(pair.Parameters)/1e6,
		bytesText(pair.TextBytes+pair.VisionBytes), progress.Milliseconds(time.Since(start)))
	start = time.Now()
	model, err := pali.Open(pair.TextPath, options)
	if err != nil {
		return err
	}
	defer model.Close()
	say("loaded it in %.0f ms\n", progress.Milliseconds(time.Since(start)))

	var answers []demoAnswer
	for _, q := range demoQuestions {
		a, err := demoAsk(cmd.Context(), model, q.image, q.prompt)
		if err != nil {
			return err
		}
		answers = append(answers, a)
		if !f.asJSON {
			printDemo(cmd.OutOrStdout(), a)
		}
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]any{"answers": answers})
	}
	return nil
}

// demoAsk asks one question about an embedded image.
func demoAsk(ctx context.Context, model *pali.Model, name, prompt string) (demoAnswer, error) {
	data, err := demo.Image(name)
	if err != nil {
		return demoAnswer{}, err
	}
	img, err := pali.DecodeImage(data)
	if err != nil {
		return demoAnswer{}, err
	}
	start := time.Now()
	r, err := model.Run(ctx, pali.Request{Images: []*pali.Image{img}, Prompt: prompt, MaxTokens: 64}, nil)
	if err != nil {
		return demoAnswer{}, err
	}
	a := demoAnswer{Image: name, Prompt: prompt, Text: r.Text, Ms: progress.Milliseconds(time.Since(start))}
	found, _, err := tasks.Detections(r, tasks.Canvas{Width: img.Width, Height: img.Height, Divisor: tasks.LocDivisor},
		nil)
	for _, d := range found {
		a.Boxes = append(a.Boxes, boxLabel{d.Label, d.XYXY})
	}
	return a, err
}

// printDemo shows a question with its answer: the boxes of a detection in pixels, else the text.
func printDemo(w io.Writer, a demoAnswer) {
	answer := forTerminal(a.Text)
	if len(a.Boxes) > 0 {
		var lines []string
		for _, b := range a.Boxes {
			lines = append(lines, fmt.Sprintf("%s: x %.0f to %.0f, y %.0f to %.0f", b.Label, b.XYXY[0], b.XYXY[2],
				b.XYXY[1], b.XYXY[3]))
		}
		answer = strings.Join(lines, "\n    ")
	}
	fmt.Fprintf(w, "\n%s  %s  (%.0f ms)\n    %s\n", a.Image, a.Prompt, a.Ms, answer)
}
