package store

// This file: the models of the user's folder, by name.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Bounds of the search for models.
const (
	maxDepth   = 2     // folders below the folder of models, as PUBLISHER/MODEL
	maxEntries = 20000 // files and folders
)

// Folder returns the user's folder of models: PALI_MODELS, or a folder where this system keeps a
// user's data.
func Folder() (string, error) {
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

// List returns the paths of the text files of a folder and of those below it, in the order of their
// names. A folder that does not exist has none.
func List(folder string) ([]string, error) {
	var found []string
	left := maxEntries
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
	err := look(folder, maxDepth)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return found, err
}

// Name returns the name of the model with this text file.
func Name(text string) string { return strings.TrimSuffix(filepath.Base(text), ".gguf") }

// locate returns the path of a model: model itself where it exists, else a path in the user's
// folder, else the text file of the model with this name.
func locate(model string) (string, error) {
	if _, err := os.Stat(model); err == nil {
		return model, nil
	}
	folder, err := Folder()
	if err != nil || !filepath.IsLocal(model) {
		return "", errors.New(model + ": no such file or folder")
	}
	if path := filepath.Join(folder, model); model != "." {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return Named(folder, model)
}

// Named returns the text file of a model in folder, by its name or by the beginning of it up to a
// "-", capitals or not: "paligemma-3b-mix-224" is PaliGemma-3B-mix-224-v1.0-Q8_0 where no other
// name begins so.
func Named(folder, name string) (string, error) {
	all, err := List(folder)
	if err != nil {
		return "", err
	}
	wanted := strings.ToLower(strings.TrimSuffix(strings.TrimRight(strings.TrimSpace(name), "/"), ".gguf"))
	for _, matches := range []func(have string) bool{
		func(have string) bool { return have == wanted },
		func(have string) bool { return strings.HasPrefix(have, wanted+"-") },
	} {
		var found []string
		for _, path := range all {
			if matches(strings.ToLower(Name(path))) {
				found = append(found, path)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return "", AmbiguousError{Where: name, Found: found}
		}
	}
	return "", fmt.Errorf("%s: no such file or folder, and no model of that name in %s", name, folder)
}
