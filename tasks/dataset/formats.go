package dataset

// This file: the formats that Export writes.

import (
	"slices"
	"strings"
)

// writer writes one format. Either end or abort is called last.
type writer interface {
	add(img *labelledImage) error
	end() error // commits the file
	abort()
}

// format is an output format.
type format struct {
	name string
	path string // of its file, or of its folder, in Export.Out
	// returns the files that an image may have in the folder; nil for a format with one file for all
	each func(img *labelledImage) []string
	more []string // other files in the folder
	// reports whether a program that reads the folder would take a file for one of an image
	reads  func(name string) bool
	masks  bool // requires masks
	images bool // the folder has images
	again  bool // reads the images again
	open   func(e *Export, path string) (writer, error)
}

// masksFormat is the format of masks alone.
const masksFormat = "masks"

var formats = []format{
	{name: "coco", path: "coco.json", open: openCOCO},
	{name: "yolo", path: "yolo", each: yoloFiles, more: []string{yoloData, yoloClasses}, reads: yoloReads, images: true,
		again: true, open: openYOLO},
	{name: "yolo-seg", path: "yolo-seg", each: yoloFiles, more: []string{yoloData, yoloClasses}, reads: yoloReads,
		images: true, again: true, masks: true, open: openYOLO},
	{name: "voc", path: "voc", each: named(".xml"), reads: endsWith(".xml"), open: openVOC},
	{name: "labelme", path: "labelme", each: labelMeFiles, reads: endsWith(".json"), again: true, open: openLabelMe},
	{name: "csv", path: "labels.csv", open: openCSV},
	{name: "jsonl", path: "labels.jsonl", open: openJSONL},
	{name: masksFormat, path: "masks", each: named(".png"), reads: endsWith(".png"), more: []string{maskClasses},
		masks: true, images: true, open: openMasks},
}

// unfitError says that a format cannot hold what is to be written; the others are not concerned.
type unfitError struct{ error }

// named returns a function that returns the one file of an image: its base name and ext.
func named(ext string) func(*labelledImage) []string {
	return func(img *labelledImage) []string { return []string{img.baseName + ext} }
}

// isFormatFolder reports whether a format has a folder of this name.
func isFormatFolder(name string) bool {
	return slices.ContainsFunc(formats, func(f format) bool { return f.path == name && f.each != nil })
}

// endsWith returns a function that reports whether a name ends with ext.
func endsWith(ext string) func(string) bool {
	return func(name string) bool { return strings.HasSuffix(name, ext) }
}

// FormatNames returns the names of all formats.
func FormatNames() (all []string) {
	for _, f := range formats {
		all = append(all, f.name)
	}
	return all
}

// NeedsMasks reports whether the format with this name requires masks.
func NeedsMasks(name string) bool {
	return slices.ContainsFunc(formats, func(f format) bool { return f.name == name && f.masks })
}

// wanted returns the formats that e.Formats names.
func (e *Export) wanted() (all []format) {
	for _, f := range formats {
		if slices.Contains(e.Formats, f.name) {
			all = append(all, f)
		}
	}
	return all
}

// needsMasks reports whether a format that e writes requires masks.
func (e *Export) needsMasks() bool { return slices.ContainsFunc(e.Formats, NeedsMasks) }
