package inspect

// This file: whether files are complete.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pali-gguf/pali/internal/store"
)

// Check opens the text, vision or mask file or the .npz archive at path, checks it as before a run
// and reads it to the end. Of a folder it checks the files of the model that it holds, and that
// they belong together. It returns what it found, as "text file" or "pair with masks", with an
// error where that is known. progress is called with the bytes of a file read so far and in total.
// Check ends when ctx does.
func Check(ctx context.Context, path string, progress func(done, total int64)) (is string, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return checkPair(ctx, path, progress)
	}
	l, err := Open(path)
	if err != nil {
		return "", err
	}
	defer l.Close()
	is = "checkpoint"
	if l.File != nil {
		kind, err := store.Check(l.File)
		if is = string(kind) + " file"; err != nil {
			return is, fmt.Errorf("%s: %w", path, err)
		}
	}
	return is, errors.Join(l.Read(ctx, func(int) io.Writer { return io.Discard }, progress), l.Unchanged())
}

// checkPair checks both files of folder, that they belong together, and the mask file that fits
// them if there is one.
func checkPair(ctx context.Context, folder string, progress func(done, total int64)) (is string, err error) {
	files, err := store.Find(folder, "", "")
	if err != nil {
		return "", err
	}
	paths := []string{files.Text, files.Vision}
	is = "pair"
	if files.Masks != "" { // of several that fit, none is taken
		paths, is = append(paths, files.Masks), "pair with masks"
	}
	for _, path := range paths {
		if _, err := Check(ctx, path, progress); err != nil {
			return "", err
		}
	}
	return is, store.CheckPair(files)
}
