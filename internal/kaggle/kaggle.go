// Package kaggle fetches files of models from Kaggle, as its own tool kagglehub asks for them.
//
//	GET /api/v1/models/OWNER/MODEL/FRAMEWORK/VARIATION/get
//	    {"versionNumber": 1}
//	GET /api/v1/models/.../VARIATION/VERSION/files?page_size=25
//	    {"files": [{"name": "x.npz"}], "nextPageToken": ""}
//	GET /api/v1/models/.../VARIATION/VERSION/download/FILE
//	    302 to a signed address of Google's storage
//
// Before it: a handle, and credentials. After it: whole files under their names, which npz.Open
// reads. This file: handles, and what a variation's files are for; credentials.go; client.go:
// requests, and what a refusal means; proxy.go; checkpoint.go: the files of a checkpoint; fetch.go: one file,
// resumed; unpack.go: the .npz files of an archive.
//
// The protocol is that of kagglehub (clients.py, http_resolver.py). It has not been tried against
// Kaggle itself, only against a stand-in.
package kaggle

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Host is the only server that gets credentials.
const Host = "www.kaggle.com"

// Tokenizer is the SentencePiece model of every PaliGemma: its public address, its SHA-256 and its
// size in bytes.
const (
	Tokenizer       = "https://storage.googleapis.com/big_vision/paligemma_tokenizer.model"
	TokenizerSHA256 = "8986bb4f423f07f8c7f70d0dbe3526fb2316056c17bae71b1ea975e77a168fc6"
	TokenizerBytes  = 4264023
)

// Handle names a variation of a model, and a version of it.
type Handle struct {
	Owner, Model, Framework, Variation string
	Version                            int // 0: the newest
}

// word is one part of a handle, or a file's name: nothing that a path or an address reads
// otherwise.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

var (
	modelPage = regexp.MustCompile(`^(https?://)?(www\.)?kaggle\.com/models/`)
	pageWords = regexp.MustCompile(`/(frameworks|variations|versions)/`) // that a page's address may have besides
)

// IsName reports whether s is a file's name as Kaggle has them: without a folder.
func IsName(s string) bool { return word.MatchString(s) }

// ParseHandle reads OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION], also as the address of its page, or
// a published variation's name alone, capitals or not:
//
//	paligemma-3b-mix-224             google/paligemma/jax/paligemma-3b-mix-224
//	paligemma-3b-ft-docvqa-448       google/paligemma-ft/jax/paligemma-3b-ft-docvqa-448
//	paligemma2-3b-mix-448            google/paligemma-2/jax/paligemma2-3b-mix-448
func ParseHandle(s string) (Handle, error) {
	text := strings.TrimSpace(s)
	if page := modelPage.FindString(text); page != "" {
		text, _, _ = strings.Cut(strings.TrimPrefix(text, page), "?")
		text = pageWords.ReplaceAllString(text, "/")
	}
	text = strings.TrimRight(text, "/")
	parts := strings.Split(text, "/")
	if len(parts) == 1 {
		text = strings.ToLower(text)
		switch {
		case strings.HasPrefix(text, "paligemma2-"):
			parts = []string{"google", "paligemma-2", "jax", text}
		case strings.HasPrefix(text, "paligemma-3b-ft-"):
			parts = []string{"google", "paligemma-ft", "jax", text}
		case strings.HasPrefix(text, "paligemma-"):
			parts = []string{"google", "paligemma", "jax", text}
		}
	}
	bad := fmt.Errorf("%.100q is not a model of Kaggle: want paligemma-3b-mix-224, paligemma2-3b-mix-448, or "+
		"OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]", s)
	if len(parts) != 4 && len(parts) != 5 || slices.ContainsFunc(parts,
		func(p string) bool { return !word.MatchString(p) }) {
		return Handle{}, bad
	}
	h := Handle{Owner: parts[0], Model: parts[1], Framework: parts[2], Variation: parts[3]}
	if len(parts) == 5 {
		n, err := strconv.Atoi(parts[4])
		if err != nil || n < 1 || n > 1e6 {
			return Handle{}, bad
		}
		h.Version = n
	}
	return h, nil
}

// String returns the handle as Kaggle writes it.
func (h Handle) String() string {
	s := strings.Join([]string{h.Owner, h.Model, h.Framework, h.Variation}, "/")
	if h.Version > 0 {
		s += fmt.Sprintf("/%d", h.Version)
	}
	return s
}

// Page returns the address where a person sees the variation and its files.
func (h Handle) Page() string { h.Version = 0; return "https://" + Host + "/models/" + h.String() }

// Licence returns the address where a person accepts the model's licence.
func (h Handle) Licence() string { return "https://" + Host + "/models/" + h.Owner + "/" + h.Model }

// Address returns where file, one of the variation's, is downloaded. The handle has a version.
func (h Handle) Address(file string) string { return h.api() + "/download/" + file }

func (h Handle) api() string { return "https://" + Host + "/api/v1/models/" + h.String() }

var (
	pieces  = regexp.MustCompile(`^(.+\.npz)\.part([0-9]{1,4})$`)
	halves  = regexp.MustCompile(`\.(f16|b16|bf16)\.npz$`)
	archive = regexp.MustCompile(`\.(tar|tar\.gz|tgz)$`)
)

// errNone is what Choose returns, within a sentence, where nothing serves.
var errNone = errors.New("no checkpoint (.npz)")

// Choose returns which of a variation's files to fetch, in the order in which they are read: a
// checkpoint, its pieces, or an archive that may hold one. Of several checkpoints it takes one of
// 16 bits, float16 before bfloat16, unless floats are wanted: that of 32 bits is twice as long, and
// rounding to a block type loses far more than either.
func Choose(files []string, floats bool) ([]string, error) {
	whole := map[string][]string{} // the parts of each checkpoint
	for _, f := range files {
		if m := pieces.FindStringSubmatch(f); m != nil {
			whole[m[1]] = append(whole[m[1]], f)
		} else if strings.HasSuffix(f, ".npz") {
			whole[f] = []string{f}
		}
	}
	if len(whole) == 0 {
		for _, f := range files {
			if archive.MatchString(f) {
				return []string{f}, nil
			}
		}
		return nil, fmt.Errorf("%w among the files: %.200q", errNone, strings.Join(files, " "))
	}
	var best string
	for name := range whole {
		if best == "" || rank(name, floats) < rank(best, floats) || rank(name, floats) == rank(best, floats) &&
			name < best {
			best = name
		}
	}
	parts := whole[best]
	slices.SortFunc(parts, func(a, b string) int { return pieceNumber(a) - pieceNumber(b) })
	for i, p := range parts {
		if len(parts) > 1 && pieceNumber(p) != pieceNumber(parts[0])+i {
			return nil, fmt.Errorf("a piece is missing before %s", p)
		}
	}
	return parts, nil
}

// rank orders checkpoints, the best first.
func rank(name string, floats bool) int {
	switch m := halves.FindStringSubmatch(name); {
	case m == nil && floats:
		return 0
	case m == nil:
		return 3
	case m[1] == "f16":
		return 1
	}
	return 2
}

// pieceNumber returns the number of the piece with this name; 0 for a file that is not a piece.
func pieceNumber(name string) int {
	m := pieces.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[2]) // digits
	return n
}
