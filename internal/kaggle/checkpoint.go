package kaggle

// This file: the files of a checkpoint: which to take, which lie there already, and those that
// every PaliGemma shares.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Checkpoint is the checkpoint of a variation.
type Checkpoint struct {
	Handle Handle
	Folder string // where its files lie, or come to lie
	File   string // of the variation; "": the best, as Choose takes it
	Floats bool   // 32 bits rather than 16
}

// Local returns the paths of the checkpoint in the folder, as one file or in parts; none if it is
// not there, or not all of it.
func (c Checkpoint) Local() ([]string, error) {
	entries, err := os.ReadDir(c.Folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if c.File == name || c.File == "" && strings.HasPrefix(name, c.Handle.Variation+".") &&
			strings.Contains(name, ".npz") {
			names = append(names, name)
		}
	}
	chosen, err := Choose(names, c.Floats)
	if err != nil {
		return nil, nil // none, or one with a hole
	}
	return inFolder(c.Folder, chosen), nil
}

// Remote returns the requests for the checkpoint's files, as Kaggle lists them now, asking through
// client. A handle without a version gets the newest.
func (c *Checkpoint) Remote(ctx context.Context, client *Client) ([]Request, error) {
	var err error
	if c.Handle, err = client.Newest(ctx, c.Handle); err != nil {
		return nil, err
	}
	names := []string{c.File}
	if c.File == "" {
		if names, err = client.Files(ctx, c.Handle); err != nil {
			return nil, err
		}
	}
	if names, err = Choose(names, c.Floats); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Handle, err)
	}
	requests := make([]Request, len(names))
	for i, path := range inFolder(c.Folder, names) {
		requests[i] = Request{Address: c.Handle.Address(names[i]), Path: path}
	}
	return requests, nil
}

// Unpacked returns the files of the checkpoint within an archive, and a function that removes what
// it unpacked; paths that are not an archive are returned as they are.
func (c Checkpoint) Unpacked(ctx context.Context, paths []string) (files []string, remove func() error, err error) {
	remove = func() error { return nil }
	if is, err := IsArchive(paths[0]); err != nil || !is || len(paths) > 1 {
		return paths, remove, err
	}
	folder, err := os.MkdirTemp(c.Folder, "unpacked-")
	if err != nil {
		return nil, remove, err
	}
	remove = func() error { return os.RemoveAll(folder) }
	found, err := Unpack(ctx, paths[0], folder)
	for i, path := range found {
		found[i] = filepath.Base(path)
	}
	if err == nil {
		found, err = Choose(found, c.Floats)
	}
	return inFolder(folder, found), remove, err
}

func inFolder(folder string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(folder, name)
	}
	return paths
}

// IsCheckpoint reports whether path has the name of a checkpoint or of a part of one, not of an
// archive.
func IsCheckpoint(path string) bool { return strings.Contains(filepath.Base(path), ".npz") }

// The mask decoder of every PaliGemma: its public address, and the number of bytes that it may
// have.
const (
	maskDecoder  = "https://storage.googleapis.com/big_vision/paligemma/vae-oid.npz"
	maxMaskBytes = 64 << 20
)

// TokenizerIn returns the request for the tokenizer of every PaliGemma, to be fetched to folder.
func TokenizerIn(folder string) Request {
	return Request{Address: Tokenizer, Path: filepath.Join(folder, path.Base(Tokenizer)), MaxBytes: TokenizerBytes,
		SHA256: TokenizerSHA256}
}

// MaskDecoderIn returns the request for the mask decoder of every PaliGemma, to be fetched to
// folder.
func MaskDecoderIn(folder string) Request {
	return Request{Address: maskDecoder, Path: filepath.Join(folder, path.Base(maskDecoder)), MaxBytes: maxMaskBytes}
}

// ByHand reports whether err is one that a person with a browser may not meet: of credentials, of
// the network, or a server's refusal.
func ByHand(err error) bool {
	var network NetworkError
	var status StatusError
	return errors.Is(err, ErrNoCredentials) || errors.As(err, &network) || errors.As(err, &status)
}
