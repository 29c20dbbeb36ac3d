package main

// This file: the models of the user's folder, by name. Before it: pali pull, which makes them, or files that were put there. After it: model.go, manage.go.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

// Bounds of what is looked through for models.
const (
	modelDepth   = 2     // folders below the folder of models, as PUBLISHER/MODEL
	modelEntries = 20000 // files and folders
)

// modelsFolder is PALI_MODELS, or where this system keeps a user's data.
func modelsFolder() (string, error) {
	if folder := os.Getenv("PALI_MODELS"); folder != "" {
		return folder, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no folder of models: set PALI_MODELS")
	}
	data := os.Getenv("XDG_DATA_HOME")
	switch {
	case runtime.GOOS == "windows":
		data = os.Getenv("LocalAppData")
	case runtime.GOOS == "darwin":
		data = filepath.Join(home, "Library", "Application Support")
	case data == "" || !filepath.IsAbs(data):
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "pali", "models"), nil
}

// textFiles lists the text files of a folder and those below it, by path.
func textFiles(folder string) ([]string, error) {
	var found []string
	left := modelEntries
	var look func(folder string, depth int) error
	look = func(folder string, depth int) error {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		if left -= len(entries); left < 0 {
			return fmt.Errorf("%s: too many files for a folder of models", folder)
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			switch {
			case e.IsDir() && depth > 0 && !strings.HasPrefix(e.Name(), "."):
				if err := look(path, depth-1); err != nil {
					return err
				}
			case !e.IsDir() && isText(e.Name()):
				found = append(found, path)
			}
		}
		return nil
	}
	err := look(folder, modelDepth)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return found, err
}

// modelName is what a text file is called by.
func modelName(text string) string { return strings.TrimSuffix(filepath.Base(text), ".gguf") }

// locate returns the path that -m means: a path as it is, else a model of the user's folder.
func locate(model string) (string, error) {
	if _, err := os.Stat(model); err == nil {
		return model, nil
	}
	folder, err := modelsFolder()
	if err != nil || !filepath.IsLocal(model) {
		return "", errors.New(model + ": no such file or folder")
	}
	if path := filepath.Join(folder, model); model != "." {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return named(folder, model)
}

// named finds a model by its name, or by the beginning of it up to a "-", capitals or not: "paligemma-3b-mix-224" is PaliGemma-3B-mix-224-v1.0-Q8_0
// where there is no other.
func named(folder, name string) (string, error) {
	all, err := textFiles(folder)
	if err != nil {
		return "", err
	}
	wanted := strings.ToLower(strings.TrimSuffix(name, ".gguf"))
	for _, fits := range []func(have string) bool{
		func(have string) bool { return have == wanted },
		func(have string) bool { return strings.HasPrefix(have, wanted+"-") },
	} {
		var found []string
		for _, path := range all {
			if fits(strings.ToLower(modelName(path))) {
				found = append(found, path)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return "", fmt.Errorf("%s: %d models are called so (%s): %w", name, len(found), strings.Join(found[:min(len(found), 5)], ", "), errSeveral)
		}
	}
	return "", fmt.Errorf("%s: no such file or folder, and no model of that name in %s", name, folder)
}

// modelJSON is one model of the user's folder.
type modelJSON struct {
	Name       string `json:"name"`
	Text       string `json:"text"` // paths
	Mmproj     string `json:"mmproj,omitempty"`
	Masks      string `json:"masks,omitempty"`
	Bytes      int64  `json:"bytes"` // of all three
	Type       string `json:"type,omitempty"`
	MmprojType string `json:"mmproj_type,omitempty"`
	Side       int    `json:"side,omitempty"` // of its images, in pixels
	Parameters int64  `json:"parameters,omitempty"`
	Error      string `json:"error,omitempty"` // why it cannot be run
}

// describeModel looks into a model's files. What is wrong with them is in Error.
func describeModel(text string) modelJSON {
	m := modelJSON{Name: modelName(text), Text: text}
	err := withFile(text, func(f *gguf.File) error {
		m.Bytes, m.Type, m.Parameters = f.Size, commonType(f), elements(f)
		_, err := gemma.Check(f)
		return err
	})
	if err == nil {
		m.Mmproj, err = besideText(text)
	}
	if err == nil {
		err = withFile(m.Mmproj, func(f *gguf.File) error {
			m.Bytes += f.Size
			m.MmprojType = commonType(f)
			m.Parameters += elements(f)
			c, err := mmproj.Check(f)
			m.Side = c.ImageSize
			return err
		})
	}
	if err == nil {
		err = llamacpp.CheckPair(text, m.Mmproj)
	}
	if err != nil {
		m.Error = err.Error()
	}
	if path, err := besideMasks(text); err == nil && path != "" {
		if info, err := os.Stat(path); err == nil {
			m.Masks = path
			m.Bytes += info.Size()
		}
	}
	return m
}

// own lists a model's files, the text file first, but those that other models beside it use too.
func (m modelJSON) own() ([]string, error) {
	others, err := textFiles(filepath.Dir(m.Text))
	if err != nil {
		return nil, err
	}
	own := []string{m.Text, m.Mmproj}
	if m.Masks != "" {
		own = append(own, m.Masks)
	}
	for _, other := range others {
		if filepath.Dir(other) != filepath.Dir(m.Text) || other == m.Text {
			continue
		}
		vision, _ := besideText(other) // "" if it has none
		masks, _ := besideMasks(other)
		own = slices.DeleteFunc(own, func(path string) bool { return path == vision || path == masks })
	}
	return own, nil
}
