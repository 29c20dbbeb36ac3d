package main

// This file: pali pull.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/internal/kaggle"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/safedial"
	"github.com/pali-gguf/pali/internal/store"
)

// newKaggle makes the client; tests put one there that reaches their own server.
var newKaggle = func(who *kaggle.Credentials) *kaggle.Client {
	return kaggle.New(who, safedial.NewDialer(), nil, kaggle.FindProxy(os.Getenv))
}

type pullFlags struct {
	convertFlags
	file            string
	keep, withMasks bool

	folder  string   // for what is fetched
	fetched []string // what this run fetched, and removes when the model is made
}

func newPull() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull MODEL",
		Short: "Fetches a checkpoint from Kaggle and converts it",
		Long: `Fetches a checkpoint from Kaggle and its tokenizer, and converts them to a model in the folder that
PALI_MODELS names (by default pali/models where this system keeps a user's data). "pali list" shows it, and every
command takes its name with -m.

MODEL is the name of a published variation, as paligemma-3b-mix-224, paligemma-3b-ft-docvqa-448 or
paligemma2-3b-mix-448, or a handle OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION], or the address of its page. Of its files
that in 16 bits is taken, unless -t f32.

Kaggle needs an account: KAGGLE_USERNAME and KAGGLE_KEY, or KAGGLE_API_TOKEN, or kaggle.json in ~/.kaggle or
KAGGLE_CONFIG_DIR. The licence is accepted once, in a browser. Files that were fetched by hand into the folder
"downloads" of the folder of models are used without a network.

A run that was stopped continues when it is started again. Sizes and checksums are checked. The proxy that HTTPS_PROXY
or ALL_PROXY names (http, https or socks5) is used, but for the names in NO_PROXY. It has been tested against a local
imitation of Kaggle's protocol, not yet against Kaggle.`,
		Example: `  pali pull paligemma-3b-mix-224 -t q8_0
  pali pull google/paligemma-2/jax/paligemma2-3b-mix-448/1 -t int4 --mmproj-type int8 --with-masks`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("want the name of one model, as paligemma-3b-mix-224")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fs := cmd.Flags()
	f.addMaking(fs)
	fs.StringVar(&f.tokenizer, "tokenizer", "", "SentencePiece model (default: that of every PaliGemma, fetched)")
	fs.StringVar(&f.file, "file", "", "file of the variation to take (default: the best that is there)")
	fs.BoolVar(&f.withMasks, "with-masks", false, "fetch and convert the mask decoder too, which \"segment\" needs")
	fs.BoolVar(&f.keep, "keep", false, "keep what was fetched")
	return cmd
}

func (f *pullFlags) run(cmd *cobra.Command, name string) error {
	h, err := kaggle.ParseHandle(name)
	if err != nil {
		return usageError{err}
	}
	if f.file != "" && !kaggle.IsName(f.file) {
		return usagef("--file %.100q: want the name of a file", f.file)
	}
	if err := refuseIdle(cmd.Flags(), !f.withMasks, "without --with-masks", "masks-type"); err != nil {
		return err
	}
	if _, _, err := f.plans(); err != nil {
		return err
	}
	if f.output, err = store.Folder(); err != nil {
		return err
	}
	f.folder = filepath.Join(f.output, "downloads")
	if err := os.MkdirAll(f.folder, 0o777); err != nil {
		return err
	}
	c := kaggle.Checkpoint{Handle: h, Folder: f.folder, File: f.file, Floats: f.text == "f32"}
	paths, err := f.checkpoint(cmd, &c)
	if err != nil {
		return err
	}
	if f.tokenizer == "" {
		f.tokenizer, err = f.public(cmd, kaggle.TokenizerIn(f.folder))
	}
	if err == nil && f.withMasks {
		f.masks, err = f.public(cmd, kaggle.MaskDecoderIn(f.folder))
	}
	if err != nil {
		return err
	}
	paths, remove, err := c.Unpacked(cmd.Context(), paths)
	if err == nil {
		err = f.convertFlags.run(cmd, paths)
	}
	if err = errors.Join(err, remove()); err != nil {
		return err
	}
	return f.removeFetched()
}

// removeFetched removes what this run fetched, unless it is to be kept.
func (f *pullFlags) removeFetched() error {
	if f.keep {
		return nil
	}
	var failed error
	for _, path := range f.fetched {
		failed = errors.Join(failed, os.Remove(path))
	}
	return failed
}

// checkpoint returns the files of the checkpoint, those that lie there or those that Kaggle has.
func (f *pullFlags) checkpoint(cmd *cobra.Command, c *kaggle.Checkpoint) ([]string, error) {
	local, err := c.Local()
	if err != nil {
		return nil, err
	}
	if len(local) == 1 {
		fmt.Fprintf(cmd.ErrOrStderr(), "pali: %s is there and is taken\n", local[0])
		return local, f.checkFree(local[0])
	}
	paths, err := f.fromKaggle(cmd, c)
	if err != nil && kaggle.ByHand(err) {
		if len(local) > 1 {
			fmt.Fprintf(cmd.ErrOrStderr(), "pali: %v; the %d pieces that are there are taken\n", err, len(local))
			return local, f.checkFree(local[0])
		}
		return nil, fmt.Errorf(`%w
To fetch it by hand: sign in to Kaggle in a browser, accept the licence, and save the checkpoint (.npz) from %s
and the tokenizer from %s in the folder
%s
The same command then converts them, without a network`, err, c.Handle.Page(), kaggle.Tokenizer, f.folder)
	}
	return paths, err
}

// checkFree fails if the model is there already, before anything is fetched for it.
func (f *pullFlags) checkFree(checkpoint string) error {
	name := f.name
	if name == "" {
		name = convert.DefaultName(checkpoint)
	}
	text, vision, err := f.plans()
	if err != nil {
		return err
	}
	textName, _ := convert.FileNames(name, text.Name(), vision.Name())
	path := filepath.Join(f.output, textName)
	if _, err := os.Stat(path); err == nil && !f.force {
		return fmt.Errorf("%s is there already; use --force to make it again", path)
	}
	return nil
}

// fromKaggle fetches the checkpoint's files that are not there.
func (f *pullFlags) fromKaggle(cmd *cobra.Command, c *kaggle.Checkpoint) ([]string, error) {
	home, _ := os.UserHomeDir() // "" finds nothing
	who, warning, err := kaggle.Find(os.Getenv, home)
	if errors.Is(err, kaggle.ErrNoCredentials) {
		err = fmt.Errorf(
			"%w: set KAGGLE_USERNAME and KAGGLE_KEY, or put the kaggle.json that https://%s/settings gives into %s",
			err, kaggle.Host, filepath.Join(home, ".kaggle"))
	}
	if err != nil {
		return nil, err
	}
	if warning != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "pali: "+warning)
	}
	client := newKaggle(who)
	requests, err := c.Remote(cmd.Context(), client)
	if err != nil {
		return nil, err
	}
	if kaggle.IsCheckpoint(requests[0].Path) {
		if err := f.checkFree(requests[0].Path); err != nil {
			return nil, err
		}
	}
	var paths []string
	for _, r := range requests {
		if err := f.fetch(cmd, client, r); err != nil {
			return nil, c.Handle.Explain(err)
		}
		paths = append(paths, r.Path)
	}
	return paths, nil
}

// public fetches a file that everyone may have, if it is not there, and returns its path.
func (f *pullFlags) public(cmd *cobra.Command, r kaggle.Request) (string, error) {
	err := f.fetch(cmd, newKaggle(nil), r)
	if err != nil && kaggle.ByHand(err) {
		err = fmt.Errorf("%w\nTo fetch it by hand: save %s in the folder\n%s\nThe same command then continues", err,
			r.Address, f.folder)
	}
	return r.Path, err
}

// fetch fetches one file, if it is not there.
func (f *pullFlags) fetch(cmd *cobra.Command, c *kaggle.Client, r kaggle.Request) error {
	if r.Exists() {
		return nil
	}
	bar := progress.Bytes(cmd.ErrOrStderr(), "fetch")
	r.Progress = bar.Set
	err := c.Fetch(cmd.Context(), r)
	bar.Close()
	if failed := new(kaggle.FetchError); errors.As(err, failed) && failed.Kept {
		fmt.Fprintf(cmd.ErrOrStderr(),
			"pali: the part of %s that was fetched is kept: the same command continues from there\n", failed.Name)
	}
	if err != nil {
		return err
	}
	f.fetched = append(f.fetched, r.Path)
	return nil
}
