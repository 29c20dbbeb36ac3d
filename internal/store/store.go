// Package store finds the files that make a model, by path or by name, and reads what they say
// about it. No weights are read.
//
//	path, folder or name ──▶ NAME-TYPE.gguf ──▶ mmproj-NAME-*.gguf, masks-NAME.gguf ──▶ sizes
//
// Before it: what a person calls a model. After it: runner/llamacpp and tasks/masks, which load the
// files. This file: the files of one model; folder.go: the user's folder of models; model.go: what
// the files say.
package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/paligemma"
)

// Files are the paths of the files that make a model.
type Files struct {
	Text, Vision string
	Masks        string // "": there is none
	MasksErr     error  // several files could be the mask file: an error for those who need one
}

// Find returns the files of a model: model is its text file, the folder that holds it, or a name as
// Named takes it. mmproj and masks are paths of the other files; "" means those beside the text
// file.
func Find(model, mmproj, masks string) (Files, error) {
	model, err := locate(model)
	if err != nil {
		return Files{}, err
	}
	info, err := os.Stat(model)
	if err != nil {
		return Files{}, err
	}
	f := Files{Text: model, Vision: mmproj, Masks: masks}
	if info.IsDir() {
		if f.Text, err = only(model, paligemma.TextFile, isText); err != nil {
			return Files{}, err
		}
	}
	if f.Vision == "" {
		if !info.IsDir() && !info.Mode().IsRegular() {
			return Files{},
				errors.New(model + ": neither a file nor a folder, want a text GGUF or the folder that holds it")
		}
		if f.Vision, err = besideText(f.Text); err != nil && !info.IsDir() {
			return Files{}, cmp.Or(filekind.At(model, filekind.GGUF), err)
		} else if err != nil {
			return Files{}, err
		}
	}
	if f.Masks == "" {
		f.Masks, f.MasksErr = besideMasks(f.Text)
	}
	return f, nil
}

// The beginnings of the names of the files beside a text file.
const (
	visionPrefix = "mmproj-"
	maskPrefix   = "masks-"
)

func isGGUF(name, prefix string) bool {
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".gguf")
}

func isText(name string) bool {
	return isGGUF(name, "") && !strings.HasPrefix(name, visionPrefix) && !strings.HasPrefix(name, maskPrefix)
}

// besideText finds the vision file of a text file: of those in its folder the one whose name agrees
// longest with the text file's. NAME-Q4_0.gguf takes mmproj-NAME-Q4_0.gguf before
// mmproj-NAME-F16.gguf, and none of another NAME if there is one of its own.
func besideText(text string) (string, error) {
	folder, base := filepath.Dir(text), filepath.Base(text)
	exact := filepath.Join(folder, visionPrefix+base)
	if _, err := os.Stat(exact); err == nil {
		return exact, nil
	}
	if at := strings.LastIndexByte(base, '-'); at > 0 { // NAME-TYPE.gguf
		prefix := visionPrefix + base[:at+1]
		found, err := only(folder, paligemma.VisionFile, func(name string) bool {
			return isGGUF(name, prefix) && !strings.Contains(name[len(prefix):], "-")
		})
		if err == nil || errors.As(err, new(AmbiguousError)) {
			return found, err
		}
	}
	return only(folder, paligemma.VisionFile, func(name string) bool { return isGGUF(name, visionPrefix) })
}

// besideMasks finds the mask file of a text file: masks-NAME.gguf of NAME-TYPE.gguf, else the only
// one of its folder. "" if there is none.
func besideMasks(text string) (string, error) {
	folder, base := filepath.Dir(text), filepath.Base(text)
	if at := strings.LastIndexByte(base, '-'); at > 0 {
		exact := filepath.Join(folder, maskPrefix+base[:at]+".gguf")
		if _, err := os.Stat(exact); err == nil {
			return exact, nil
		}
	}
	found, err := only(folder, paligemma.MaskFile, func(name string) bool { return isGGUF(name, maskPrefix) })
	if err != nil && !errors.As(err, new(AmbiguousError)) {
		return "", nil // none
	}
	return found, err
}

// only returns the one file of a folder whose name is wanted.
func only(folder string, kind paligemma.FileKind, wanted func(name string) bool) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && wanted(e.Name()) {
			names = append(names, e.Name())
		}
	}
	switch len(names) {
	case 0:
		e := NotFoundError{Folder: folder, Want: kind}
		if other := (filekind.Error{}); kind == paligemma.TextFile &&
			errors.As(filekind.At(folder, filekind.GGUF), &other) && other.Is != filekind.Folder {
			e.Is = other.Is + ": " + other.Do
		}
		return "", e
	case 1:
		return filepath.Join(folder, names[0]), nil
	}
	return "", AmbiguousError{folder, kind, names}
}

// NotFoundError is a folder without a file of the wanted kind.
type NotFoundError struct {
	Folder string
	Want   paligemma.FileKind
	Is     string // what the folder is instead, and what to do about it; "": not known
}

func (e NotFoundError) Error() string {
	if e.Is != "" {
		return fmt.Sprintf("%s is %s", e.Folder, e.Is)
	}
	return fmt.Sprintf("%s: no %s GGUF in this folder", e.Folder, e.Want)
}

// AmbiguousError is a folder with several files that could be the wanted one, or a name that
// several models have.
type AmbiguousError struct {
	Where string             // folder, or name
	Want  paligemma.FileKind // "": a model of this name
	Found []string
}

// printFirst is how many of the files found an error names.
const printFirst = 5

func (e AmbiguousError) Error() string {
	first := strings.Join(e.Found[:min(len(e.Found), printFirst)], ", ")
	if e.Want == "" {
		return fmt.Sprintf("%s: %d models have this name (%s)", e.Where, len(e.Found), first)
	}
	return fmt.Sprintf("%s: %d files could be the %s GGUF (%s)", e.Where, len(e.Found), e.Want, first)
}
