package convert

// This file: the names of the two files.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a model's name in bytes, so that with prefix, type and the suffix of a file being
// written it stays a file name.
const maxName = 200

var (
	ending   = regexp.MustCompile(`(?i)\.npz(\.part.*)?$`)
	typeMark = regexp.MustCompile(`(?i)\.(f16|bf16|b16|f32)$`)
	// Kaggle's names: paligemma-3b-mix-224, paligemma2-10b-ft-docci-448.
	published = regexp.MustCompile(`^paligemma(2?)-([0-9]+)b-(.+)$`)
	// big_vision's local names: pt_224 (PaliGemma), pt_3b_224 (PaliGemma 2).
	vanity = regexp.MustCompile(`^(pt|mix)(?:_([0-9]+)b)?_([0-9]+)$`)
)

// DefaultName makes a model's name of its checkpoint's path. The ending and the mark of the type
// go; published names are spelled as GGUF's naming rule wants them (base name, size, fine-tune,
// version); any other keeps its spelling, with "-" for what a file name should not have.
//
//	paligemma-3b-mix-224.f16.npz      PaliGemma-3B-mix-224-v1.0
//	paligemma2-3b-pt-448.b16.npz      PaliGemma2-3B-pt-448-v1.0
//	pt_224.bf16.npz, pt_3b_224.npz    PaliGemma-3B-pt-224-v1.0, PaliGemma2-3B-pt-224-v1.0
//	demo.npz, my run.npz.part0        demo, my-run
func DefaultName(path string) string {
	stem := typeMark.ReplaceAllString(ending.ReplaceAllString(filepath.Base(path), ""), "")
	if m := published.FindStringSubmatch(stem); m != nil {
		stem = fmt.Sprintf("PaliGemma%s-%sB-%s-v1.0", m[1], m[2], m[3])
	} else if m := vanity.FindStringSubmatch(stem); m != nil && m[2] == "" {
		stem = fmt.Sprintf("PaliGemma-3B-%s-%s-v1.0", m[1], m[3])
	} else if m != nil {
		stem = fmt.Sprintf("PaliGemma2-%sB-%s-%s-v1.0", m[2], m[1], m[3])
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+", r) {
			return r
		}
		return '-'
	}, strings.ToValidUTF8(stem, "-"))
	for len(name) > maxName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	if name = strings.Trim(name, ".-"); name == "" {
		return "model"
	}
	return name
}

// checkName refuses a name that is not the beginning of a file's name.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.HasPrefix(name, ".") ||
		strings.ContainsFunc(name, func(r rune) bool {
			return r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r)
		}) {
		return fmt.Errorf(`convert: name %.80q: want 1 to %d bytes that a file name can have, without `+
			`/ \ : * ? " < > | and without a dot in front`, name, maxName)
	}
	return nil
}

// makeFolder makes the folder that files are to be written to, and those above it, unless it is
// there.
func makeFolder(path string) error {
	if path == "" {
		return nil
	}
	err := os.MkdirAll(path, 0o777)
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
		if info, failed := os.Stat(p.Path); failed == nil && !info.IsDir() {
			err = fmt.Errorf("%s is a file", p.Path)
		} else if to, failed := os.Readlink(p.Path); failed == nil {
			err = fmt.Errorf("%s is a link to %s, which is not there", p.Path, to)
		}
	}
	return fmt.Errorf("convert: no folder %s to write to: %w", path, err)
}

// FileNames returns the names of the decoder's file and of the vision encoder's file of the model
// name, stored in textType and visionType.
func FileNames(name, textType, visionType string) (text, vision string) {
	return fmt.Sprintf("%s-%s.gguf", name, textType), fmt.Sprintf("mmproj-%s-%s.gguf", name, visionType)
}
