package dataset

// This file: Pascal VOC's XML, a file for each image. Corners are pixels counted from 1, both
// inside the box, as in the challenge's files.

import (
	"encoding/xml"
	"math"
	"path"
	"path/filepath"
)

type vocAnnotation struct {
	XMLName   xml.Name    `xml:"annotation"`
	Folder    string      `xml:"folder"`
	Filename  string      `xml:"filename"`
	Size      vocSize     `xml:"size"`
	Segmented int         `xml:"segmented"`
	Objects   []vocObject `xml:"object"`
}

type vocSize struct {
	Width  int `xml:"width"`
	Height int `xml:"height"`
	Depth  int `xml:"depth"`
}

type vocObject struct {
	Name      string `xml:"name"`
	Pose      string `xml:"pose"`
	Truncated int    `xml:"truncated"`
	Difficult int    `xml:"difficult"`
	Box       vocBox `xml:"bndbox"`
}

type vocBox struct {
	XMin int `xml:"xmin"`
	YMin int `xml:"ymin"`
	XMax int `xml:"xmax"`
	YMax int `xml:"ymax"`
}

type vocWriter struct {
	e      *Export
	folder string
}

func openVOC(e *Export, folder string) (writer, error) { return &vocWriter{e, folder}, nil }

func (w *vocWriter) add(img *labelledImage) error {
	folder := path.Dir(img.Name)
	if folder == "." {
		folder = ""
	}
	a := vocAnnotation{Folder: folder, Filename: path.Base(img.Name), Size: vocSize{img.width, img.height, 3}}
	for _, o := range img.objects() {
		x0, x1 := vocSide(o.XYXY[0], o.XYXY[2], img.width)
		y0, y1 := vocSide(o.XYXY[1], o.XYXY[3], img.height)
		a.Objects = append(a.Objects, vocObject{Name: o.Label, Pose: "Unspecified", Box: vocBox{x0, y0, x1, y1}})
	}
	b, err := xml.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return w.e.put(filepath.Join(w.folder, filepath.FromSlash(img.baseName)+".xml"), append(b, '\n'))
}

func (w *vocWriter) end() error { return nil }
func (w *vocWriter) abort()     {}

// vocSide returns the numbers, from 1, of the first and last pixel of the span from from to to, at
// least one pixel and within side.
func vocSide(from, to float64, side int) (first, last int) {
	first = min(int(math.Round(from))+1, side)
	return first, min(max(int(math.Round(to)), first), side)
}
