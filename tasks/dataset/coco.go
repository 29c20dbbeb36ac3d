package dataset

// This file: COCO's object detection and segmentation in one JSON file (cocodataset.org, Data
// format). Images and categories are numbered from 1. An object has its box as x, y, width, height
// in pixels, its mask as one polygon that joins all parts and holes, and, beyond the standard, its
// score: pycocotools also reads the annotations as results.

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

// cocoWriter spools images and annotations separately until the end.
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
		a := cocoAnnotation{
			ID: w.n, ImageID: img.id, CategoryID: o.class + 1, Area: round3(o.area), Segmentation: [][]int{},
			Score: o.Score.Score,
		}
		x0, y0, x1, y1 := o.XYXY[0], o.XYXY[1], o.XYXY[2], o.XYXY[3]
		a.BBox = [4]float64{round3(x0), round3(y0), round3(x1 - x0), round3(y1 - y0)}
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
	head := `{"info":{"description":"labelled by pali"},"licenses":[],"categories":` + string(b) + `,"images":[`
	return w.e.write(w.path, part{text: head}, part{spool: w.images}, part{text: `],"annotations":[`},
		part{spool: w.annotations}, part{text: "]}\n"})
}

func (w *cocoWriter) abort() {
	w.images.close()
	w.annotations.close()
}

// element writes v to s as an element of a JSON array, on a line of its own. first says whether it
// is the first one.
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

// compact returns v as JSON without escaping < and >, and without a newline.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// round3 rounds x to a thousandth of a pixel: no bin is smaller in an image of more than one pixel.
func round3(x float64) float64 { return math.Round(x*1000) / 1000 }
