package dataset

// This file: LabelMe's JSON, a file for each image. An object with a mask is one polygon that joins
// all parts and holes, an object without one a rectangle; its score is in the description. The
// image is not copied: the file has its relative path, which LabelMe opens. But of a GIF there is a
// PNG beside the file: newer versions of LabelMe fail on most GIFs, whose colours are a palette.

import (
	"fmt"
	"path/filepath"
)

// labelMeVersion is the version of LabelMe whose format this is.
const labelMeVersion = "5.5.0"

type labelMeFile struct {
	Version     string         `json:"version"`
	Flags       struct{}       `json:"flags"`
	Shapes      []labelMeShape `json:"shapes"`
	ImagePath   string         `json:"imagePath"`
	ImageData   *string        `json:"imageData"` // null: at the path
	ImageHeight int            `json:"imageHeight"`
	ImageWidth  int            `json:"imageWidth"`
}

type labelMeShape struct {
	Label       string       `json:"label"`
	Points      [][2]float64 `json:"points"`
	GroupID     *int         `json:"group_id"`
	Description string       `json:"description"`
	ShapeType   string       `json:"shape_type"`
	Flags       struct{}     `json:"flags"`
	Mask        *string      `json:"mask"`
}

type labelMeWriter struct {
	e      *Export
	folder string
}

func openLabelMe(e *Export, folder string) (writer, error) { return &labelMeWriter{e, folder}, nil }

// labelMePNG is the extension of the PNG of a GIF.
const labelMePNG = ".gif.png"

// labelMeFiles returns the files that an image may have in the folder.
func labelMeFiles(img *labelledImage) []string {
	return []string{img.baseName + ".json", img.baseName + labelMePNG}
}

func (w *labelMeWriter) add(img *labelledImage) error {
	path := filepath.Join(w.folder, filepath.FromSlash(img.baseName)+".json")
	imagePath, err := w.imagePath(img)
	if err != nil {
		return err
	}
	f := labelMeFile{
		Version: labelMeVersion, Shapes: []labelMeShape{}, ImagePath: filepath.ToSlash(imagePath),
		ImageHeight: img.height, ImageWidth: img.width,
	}
	for _, o := range img.objects() {
		s := labelMeShape{Label: o.Label, ShapeType: "rectangle", Description: fmt.Sprintf("score %.3f", o.Score.Score),
			Points: [][2]float64{{round3(o.XYXY[0]), round3(o.XYXY[1])}, {round3(o.XYXY[2]), round3(o.XYXY[3])}}}
		if outline := o.outline(); outline != nil {
			s.ShapeType, s.Points = "polygon", nil
			for _, c := range outline {
				s.Points = append(s.Points, [2]float64{float64(c[0]), float64(c[1])})
			}
		}
		f.Shapes = append(f.Shapes, s)
	}
	b, err := compact(f)
	if err != nil {
		return err
	}
	return w.e.put(path, append(b, '\n'))
}

// imagePath returns the path of the image relative to its file's folder. It makes the PNG of a GIF.
func (w *labelMeWriter) imagePath(img *labelledImage) (string, error) {
	format, err := formatOf(img)
	if err != nil {
		return "", err
	}
	base := filepath.Join(w.folder, filepath.FromSlash(img.baseName))
	if format != "GIF" {
		return relative(filepath.Dir(base), img.Path)
	}
	return filepath.Base(base) + labelMePNG, w.e.putPNG(base+labelMePNG, img)
}

func (w *labelMeWriter) end() error { return nil }
func (w *labelMeWriter) abort()     {}

// relative returns path relative to folder, or the absolute path if there is no relative one (on
// another drive of Windows).
func relative(folder, path string) (string, error) {
	from, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(from, to); err == nil {
		return rel, nil
	}
	return to, nil
}
