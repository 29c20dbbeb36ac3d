package dataset

// This file: COCO's object detection and segmentation in one JSON file (cocodataset.org, Data
// format). Images and categories are numbered from 1. An object has its box as x, y, width, height
// in pixels, its mask as one polygon that holes and parts are joined to, and, beyond the standard,
// its score: the annotations are also what pycocotools takes as results.

import (
	"bytes"
	"encoding/json"
	"math"
)

type cocoImage struct {
	ID       int    `json:"id"`
	FileName string `json:"file_name"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
}

type cocoAnnotation struct {
	ID           int        `json:"id"`
	ImageID      int        `json:"image_id"`
	CategoryID   int        `json:"category_id"`
	BBox         [4]float64 `json:"bbox"`
	Area         float64    `json:"area"`
	Segmentation [][]int    `json:"segmentation"`
	IsCrowd      int        `json:"iscrowd"`
	Score        float64    `json:"score"`
}

type cocoCategory struct {
	ID            int    `json:"id"`
	Name          string `json:"name"`
	Supercategory string `json:"supercategory"`
}

// cocoWriter keeps images and annotations apart until the end.
type cocoWriter struct {
	e                   *Export
	path                string
	images, annotations *spool
	n                   int // annotations
}

func openCOCO(e *Export, path string) (writer, error) {
	images, err := newSpool(e.Out)
	if err != nil {
		return nil, err
	}
	annotations, err := newSpool(e.Out)
	if err != nil {
		images.close()
		return nil, err
	}
	return &cocoWriter{e: e, path: path, images: images, annotations: annotations}, nil
}

func (w *cocoWriter) add(img *labelledImage) error {
	if err := element(w.images, img.id == 1, cocoImage{img.id, img.Name, img.width, img.height}); err != nil {
		return err
	}
	for _, o := range img.objects() {
		w.n++
		a := cocoAnnotation{ID: w.n, ImageID: img.id, CategoryID: o.class + 1, Area: round3(o.area), Segmentation: [][]int{}, Score: o.Score.Score}
		a.BBox = [4]float64{round3(o.XYXY[0]), round3(o.XYXY[1]), round3(o.XYXY[2] - o.XYXY[0]), round3(o.XYXY[3] - o.XYXY[1])}
		if outline := o.outline(); outline != nil {
			flat := make([]int, 0, 2*len(outline))
			for _, c := range outline {
				flat = append(flat, c[0], c[1])
			}
			a.Segmentation = append(a.Segmentation, flat)
		}
		if err := element(w.annotations, w.n == 1, a); err != nil {
			return err
		}
	}
	return nil
}

func (w *cocoWriter) end() error {
	defer w.abort()
	categories := make([]cocoCategory, 0, len(w.e.classes))
	for i, c := range w.e.classes {
		categories = append(categories, cocoCategory{i + 1, c, ""})
	}
	b, err := compact(categories)
	if err != nil {
		return err
	}
	return w.e.write(w.path,
		part{text: `{"info":{"description":"labelled by pali"},"licenses":[],"categories":` + string(b) + `,"images":[`}, part{spool: w.images},
		part{text: "],\"annotations\":["}, part{spool: w.annotations}, part{text: "]}\n"})
}

func (w *cocoWriter) abort() {
	w.images.close()
	w.annotations.close()
}

// element writes a value of a JSON list, on a line of its own.
func element(s *spool, first bool, v any) error {
	b, err := compact(v)
	if err != nil {
		return err
	}
	comma := ",\n"
	if first {
		comma = "\n"
	}
	s.WriteString(comma)
	_, err = s.Write(b) // a bufio.Writer keeps its first error
	return err
}

// compact writes a value as JSON without escaping < and >, and without a newline.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// round3 rounds to a thousandth of a pixel: a bin is never finer in an image of more than one
// pixel.
func round3(x float64) float64 { return math.Round(x*1000) / 1000 }
