package imageproc

// This file: how many images a file holds.

import "encoding/binary"

// CountFrames returns the number of images in data, the bytes of a file that Decode reads: over 1
// for an animated GIF or PNG, of which Decode reads the first.
func CountFrames(data []byte) int {
	format, _ := Sniff(data[:min(len(data), SniffLen)])
	switch format {
	case "GIF":
		if g, err := parseGIF(data); err == nil {
			return len(g.frames)
		}
	case "PNG":
		for kind, body := range pngChunks(data) {
			switch {
			case kind == "acTL" && len(body) >= 4: // comes before the pixels
				return max(1, int(binary.BigEndian.Uint32(body)))
			case kind == "IDAT":
				return 1
			}
		}
	}
	return 1
}
