package store

// This file: what the files of a model say about it.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Info is what the text file and the vision file of a model say.
type Info struct {
	Text                 paligemma.TextConfig
	Vision               paligemma.VisionConfig
	TextFile, VisionFile FileInfo
	ContextLength        int // positions that the decoder was trained for
}

// FileInfo describes one file.
type FileInfo struct {
	Path       string
	Bytes      int64
	Type       string // that most elements of its tensors have
	Parameters int64  // elements of all tensors
}

// Read checks the text file and the vision file of f as before a run. Where one is refused, the
// Info holds what was read before that.
func Read(f Files) (m Info, err error) {
	if err = m.readText(f.Text); err == nil {
		err = m.readVision(f.Vision)
	}
	return m, err
}

func (m *Info) readText(path string) error {
	return WithFile(path, func(f *gguf.File) error {
		m.TextFile = describeFile(path, f)
		c, err := gemma.Check(f)
		if err == nil {
			m.Text, m.ContextLength = c.TextConfig, c.ContextLength
		}
		return err
	})
}

func (m *Info) readVision(path string) error {
	return WithFile(path, func(f *gguf.File) (err error) {
		m.VisionFile = describeFile(path, f)
		m.Vision, err = mmproj.Check(f)
		return err
	})
}

// CheckPair fails unless the two files belong together.
func (m Info) CheckPair() error {
	if err := paligemma.CheckPair(m.Text, m.Vision); err != nil {
		return fmt.Errorf("%s and %s are not a pair: %w", m.TextFile.Path, m.VisionFile.Path, err)
	}
	return nil
}

// CheckPair checks the text file and the vision file of f as before a run, and that they belong
// together.
func CheckPair(f Files) error {
	m, err := Read(f)
	if err != nil {
		return err
	}
	return m.CheckPair()
}

// ReadVision checks the vision file at path and returns its sizes.
func ReadVision(path string) (paligemma.VisionConfig, error) {
	var m Info
	err := m.readVision(path)
	return m.Vision, err
}

// Check checks the opened file f as the kind that its architecture names; any other than a vision
// or a mask file as a text file.
func Check(f *gguf.File) (kind paligemma.FileKind, err error) {
	architecture, _ := gguf.Get[string](f, gemma.KeyArchitecture)
	switch kind = paligemma.KindOf(architecture); kind {
	case paligemma.VisionFile:
		_, err = mmproj.Check(f)
	case paligemma.MaskFile:
		_, err = masks.Check(f)
	default:
		kind = paligemma.TextFile
		_, err = gemma.Check(f)
	}
	return kind, err
}

// WithFile opens a file for read, whose errors get the path.
func WithFile(path string, read func(*gguf.File) error) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func describeFile(path string, f *gguf.File) FileInfo {
	d := FileInfo{Path: path, Bytes: f.Size}
	counts := map[gguf.Type]int64{}
	var mainType gguf.Type
	for _, t := range f.Tensors {
		d.Parameters += t.Len()
		if counts[t.Type] += t.Len(); counts[t.Type] > counts[mainType] {
			mainType = t.Type
		}
	}
	d.Type = mainType.String()
	return d
}

// Model is one model of the user's folder.
type Model struct {
	Name       string `json:"name"`
	Text       string `json:"text"` // paths
	Mmproj     string `json:"mmproj,omitempty"`
	Masks      string `json:"masks,omitempty"`
	Bytes      int64  `json:"bytes"` // of all three
	Type       string `json:"type,omitempty"`
	MmprojType string `json:"mmproj_type,omitempty"`
	Side       int    `json:"side,omitempty"` // of its images, in pixels
	Parameters int64  `json:"parameters,omitempty"`
	Err        error  `json:"-"` // why it cannot be run
	MasksErr   error  `json:"-"` // why the mask file, with which it runs without masks, cannot be used
}

// Describe reads the files of the model with this text file. What is wrong with them is in Err.
func Describe(text string) Model {
	m := Model{Name: Name(text), Text: text}
	var i Info
	m.Err = i.readText(text)
	if m.Err == nil {
		m.Mmproj, m.Err = besideText(text)
	}
	if m.Err == nil {
		m.Err = i.readVision(m.Mmproj)
	}
	if m.Err == nil {
		m.Err = i.CheckPair()
	}
	m.Type, m.MmprojType, m.Side = i.TextFile.Type, i.VisionFile.Type, i.Vision.ImageSize
	m.Bytes, m.Parameters = i.TextFile.Bytes+i.VisionFile.Bytes, i.TextFile.Parameters+i.VisionFile.Parameters
	if path, err := besideMasks(text); err == nil && path != "" {
		if info, err := os.Stat(path); err == nil {
			m.Masks = path
			m.Bytes += info.Size()
			m.MasksErr = WithFile(path, func(f *gguf.File) error { _, err := masks.Check(f); return err })
		}
	}
	return m
}

// own lists a model's files, the text file first, without those that other models in its folder
// use too.
func (m Model) own() ([]string, error) {
	others, err := List(filepath.Dir(m.Text))
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

// Removable returns the files of a model in folder that can be removed, the text file first: it has
// a name as Named takes it, is a whole pair, and no other model in its folder uses them.
func Removable(folder, name string) ([]string, error) {
	text, err := Named(folder, name)
	if err != nil {
		return nil, err
	}
	m := Describe(text)
	if m.Err != nil {
		return nil, fmt.Errorf("%s: not a whole pair, remove it by hand: %w", text, m.Err)
	}
	if m.MasksErr != nil {
		return nil, fmt.Errorf("%s: not a mask file, remove it by hand: %w", m.Masks, m.MasksErr)
	}
	paths, err := m.own()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: not a regular file, remove it by hand", path)
		}
	}
	return slices.Clip(paths), nil
}
