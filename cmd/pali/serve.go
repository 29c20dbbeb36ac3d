package main

// This file: pali serve.

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server"
)

type serveFlags struct {
	modelFlags
	options server.Options
	models  []string
	listen  string
	masks   string
	load    time.Duration
	stall   time.Duration
	memory  float64
	noKey   bool
	quiet   bool
	verbose bool
	asJSON  bool
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve -m MODEL",
		Short: "Answers over HTTP: its own routes, OpenAI's and Ollama's",
		Long: `Answers questions about images over HTTP, on this machine only unless --listen says otherwise. The model
runs in a process of its own: if that is lost, one request is, and the next finds another within seconds.

Its own routes take JSON or a form and answer as the commands do with --json: POST /v1/caption, describe, ask, ocr,
detect, segment, run. Programs that speak OpenAI's protocol take http://127.0.0.1:11435/v1 as their base, those that
speak Ollama's http://127.0.0.1:11435. GET /openapi.json describes all routes, GET /health and GET /metrics tell how the
server does. The prompt reaches the model exactly as a client sends it.

Ctrl-C ends it when the running requests are answered, as does the end of its terminal; a second one ends it at once.`,
		Example: `  pali serve -m models
  pali serve -m models/a-Q4_0.gguf -m models/b-Q8_0.gguf --memory 8e9 --keep-alive 10m
  PALI_API_KEY=secret pali serve -m models --listen 0.0.0.0:11435
  curl -F image=@photo.jpg -F things=cat http://127.0.0.1:11435/v1/detect`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.addServing(cmd)
	return cmd
}

func (f *serveFlags) addServing(cmd *cobra.Command) {
	fs, o := cmd.Flags(), &f.options
	fs.SortFlags = false
	fs.StringArrayVarP(&f.models, "model", "m", nil,
		modelHelp+"; several -m are several models, the first is loaded at once")
	fs.StringVar(&f.mmproj, "mmproj", "", "vision GGUF (default: the mmproj-*.gguf beside the text file)")
	fs.StringVar(&f.masks, "masks", "", "mask GGUF (default: the masks-*.gguf beside the text file)")
	f.addRunning(fs)
	fs.StringVar(&f.listen, "listen", "127.0.0.1:11435", "address and port; port 0: any")
	fs.StringVar(&o.Key, "api-key", "",
		"what clients must show as \"Authorization: Bearer KEY\"; PALI_API_KEY keeps it out of the list of processes")
	fs.BoolVar(&f.noKey, "no-key", false, "let other machines ask without a key")
	fs.StringArrayVar(&o.Hosts, "allow-host", nil,
		"name under which clients may reach this server, as box.example, beside localhost")
	fs.StringArrayVar(&o.Origins, "allow-origin", nil, "web origin, as https://example.org, whose pages may ask")
	fs.BoolVar(&o.URLs, "allow-urls", false, "fetch images that are given by an address, from public servers only")
	fs.IntVar(&o.Parallel, "parallel", 1,
		"requests answered at a time, each by a process of its own with its own copy of the weights")
	fs.IntVar(&o.Queue, "queue", 32, "requests that may wait; more are refused")
	fs.DurationVar(&o.KeepAlive, "keep-alive", 5*time.Minute,
		"how long an idle model stays loaded (-1s: for ever)")
	fs.Float64Var(&f.memory, "memory", 0,
		"bytes that all loaded models may take together (0: no bound); those not in use make room for others")
	fs.Int64Var(&o.ImageCache, "image-cache", 256<<20,
		"bytes of image embeddings to keep: a second question about an image begins at the prompt")
	fs.Int64Var(&o.DecodeMemory, "decode-memory", 512<<20,
		"bytes that decoding images may take together; others wait, and a larger image is decoded alone")
	fs.Int64Var(&o.MaxBody, "max-body", 32<<20, "largest request in bytes")
	addLimits(fs, &o.Limits)
	fs.IntVar(&o.MaxTokens, "max-tokens", 1024, "longest answer in tokens that may be asked for")
	fs.DurationVar(&o.Timeout, "timeout", 10*time.Minute, "longest time of a request, waiting included")
	fs.DurationVar(&f.stall, "stall", 30*time.Second,
		"how long a model's process may show no progress before it is given up")
	fs.DurationVar(&f.load, "load-timeout", 5*time.Minute, "how long loading a model may take")
	fs.BoolVar(&f.quiet, "quiet", false, "write no line for each request")
	fs.BoolVar(&f.verbose, "verbose", false, "write what the model's process says")
	fs.BoolVar(&f.asJSON, "json", false, "print where the server listens as one JSON object")
}

// check checks the flags. keyGiven says whether a key was, which may be empty by mistake.
func (f *serveFlags) check(keyGiven bool) error {
	o := &f.options
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{len(f.models) == 0, "no model: give a text GGUF or its folder with -m"},
		{len(f.models) > 1 && (f.mmproj != "" || f.masks != ""),
			"--mmproj and --masks belong to one model: put the files beside each"},
		{keyGiven && o.Key == "", "--api-key is empty: give a key, or leave it out"},
		{f.noKey && o.Key != "", "--no-key and an API key (--api-key, PALI_API_KEY): want one of the two"},
		{o.Parallel < 1 || o.Parallel > 64, fmt.Sprintf("--parallel %d: want 1 to 64", o.Parallel)},
		{o.Queue < 0 || o.Queue > 10000, fmt.Sprintf("--queue %d: want 0 to 10000", o.Queue)},
		{o.MaxTokens < 1 || o.MaxTokens > runner.MaxAnswerTokens,
			fmt.Sprintf("--max-tokens %d: want 1 to %d", o.MaxTokens, runner.MaxAnswerTokens)},
		{o.MaxBody < 1<<10 || o.MaxBody > 1<<30, fmt.Sprintf("--max-body %d: want 1024 to %d", o.MaxBody, 1<<30)},
		{o.DecodeMemory < 1<<20, fmt.Sprintf("--decode-memory %d: want %d or more", o.DecodeMemory, 1<<20)},
		{o.ImageCache < 0, fmt.Sprintf("--image-cache %d: want 0 or more", o.ImageCache)},
		{!(f.memory >= 0 && f.memory < 1e18), fmt.Sprintf("--memory %v: want 0 or more", f.memory)},
		{o.Timeout <= 0 || f.stall <= 0 || f.load <= 0, "--timeout, --stall and --load-timeout: want more than 0"},
	} {
		if c.bad {
			return usageError{errors.New(c.text)}
		}
	}
	var err error
	var wrong server.AccessError
	if f.listen, err = o.Normalize(f.listen); errors.As(err, &wrong) {
		return usagef("%s %s", accessFlags[wrong.Field], wrong.Text)
	}
	if o.Public && o.Key == "" && !f.noKey {
		return usagef("--listen %s: other machines could ask: set a key with PALI_API_KEY, or say --no-key", f.listen)
	}
	return nil
}

// accessFlags are the flags of what a server.AccessError can be about.
var accessFlags = map[server.AccessField]string{
	server.FieldKey: "--api-key", server.FieldHosts: "--allow-host", server.FieldOrigins: "--allow-origin",
	server.FieldListen: "--listen",
}

func (f *serveFlags) run(cmd *cobra.Command) error {
	if err := f.check(cmd.Flags().Changed("api-key")); err != nil {
		return err
	}
	o := &f.options
	o.Version, o.Memory = readVersions().Version, int64(f.memory)
	for _, path := range f.models {
		m, err := f.served(cmd.ErrOrStderr(), path)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(o.Models, func(x *server.Model) bool { return x.Name == m.Name }) {
			return usagef("two models are named %s", m.Name)
		}
		if one := m.ImageBytes(); o.ImageCache > 0 && o.ImageCache < one {
			return usagef("--image-cache %d: an image of %s takes %d bytes; 0: keep none", o.ImageCache, m.Name, one)
		}
		if o.Memory > 0 && m.Memory > o.Memory {
			fmt.Fprintf(cmd.ErrOrStderr(), "pali: %s takes %d bytes, more than --memory: it is loaded alone\n", m.Name,
				m.Memory)
		}
		o.Models = append(o.Models, m)
	}
	if !f.quiet {
		o.Log = cmd.ErrOrStderr()
	}
	warnSlow(cmd.ErrOrStderr())
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", f.listen, errors.Unwrap(err))
	}
	if err := f.printAddress(cmd.OutOrStdout(), l.Addr()); err != nil {
		return err
	}
	return server.New(*o).Serve(cmd.Context(), l)
}

// printAddress says where the server listens.
func (f *serveFlags) printAddress(w io.Writer, at net.Addr) error {
	var names []string
	for _, m := range f.options.Models {
		names = append(names, m.Name)
	}
	if f.asJSON {
		return printJSON(w, map[string]any{"address": "http://" + at.String(), "models": names})
	}
	_, err := fmt.Fprintf(w, "http://%s serves %s\n", at, strings.Join(names, ", "))
	return err
}
