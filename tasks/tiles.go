package tasks

// This file: images that are larger than the model sees, in overlapping tiles: where these lie, and
// the texts and objects of their answers as one.

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Tiles lays overlapping tiles over an image, row by row. A tile is a square of side pixels, or as
// long as the image where that is shorter; it shares a quarter of its side or more with the next.
// They are evenly spaced, and all of one size.
func Tiles(width, height, side int) [][]image.Rectangle {
	across, down := starts(width, side), starts(height, side)
	var rows [][]image.Rectangle
	for _, y := range down {
		var row []image.Rectangle
		for _, x := range across {
			row = append(row, image.Rect(x, y, x+min(side, width), y+min(side, height)))
		}
		rows = append(rows, row)
	}
	return rows
}

// starts returns where the tiles of one direction begin.
func starts(length, side int) []int {
	n := tilesAlong(length, side)
	at := make([]int, n)
	for i := 1; i < n; i++ {
		at[i] = i * (length - side) / (n - 1)
	}
	return at
}

// tilesAlong returns how many tiles one direction takes, each beginning at most three quarters of a
// side after the one before.
func tilesAlong(length, side int) int {
	if length <= side {
		return 1
	}
	step := max(1, side-(side+3)/4)
	return 1 + (length-side+step-1)/step
}

// TileCount returns how many tiles Tiles lays.
func TileCount(width, height, side int) int {
	return tilesAlong(width, side) * tilesAlong(height, side)
}

// TileSide returns the shortest side, minSide or longer, with which at most maxCount tiles cover
// the image.
func TileSide(width, height, minSide, maxCount int) int {
	return minSide + sort.Search(max(width, height), func(more int) bool {
		return TileCount(width, height, minSide+more) <= maxCount
	})
}

// Limits of the number of tiles of one image: as many as LayTiles lays by itself, and as many as a
// side may ask for.
const (
	defaultMaxTiles = 64
	maxTiles        = 1024
)

// LayTiles lays tiles of side pixels over an image. If side is 0, it is modelSide, the side of the
// images that the model sees, or longer, so that 64 tiles do. It fails if there are over 1024.
func LayTiles(width, height, side, modelSide int) ([][]image.Rectangle, error) {
	if side == 0 {
		side = TileSide(width, height, modelSide, defaultMaxTiles)
	}
	if n := TileCount(width, height, side); n > maxTiles {
		return nil, fmt.Errorf("%d pixels: %d tiles, at most %d: want %d or more",
			side, n, maxTiles, TileSide(width, height, side, maxTiles))
	}
	return Tiles(width, height, side), nil
}

// TileDetection is an object of one of several answers about parts of an image. XYXY is in pixels
// of the full image.
type TileDetection struct {
	Detection
	Part int  // which answer
	Cut  bool // it reaches an edge of its tile: it may continue beyond
}

// TouchesEdge reports whether a box, in pixels of the whole image, reaches an edge of its tile that
// is not the image's: it comes within 1/32 of the side.
func TouchesEdge(xyxy [4]float64, tile image.Rectangle, width, height int) bool {
	x, y := float64(tile.Dx())/32, float64(tile.Dy())/32
	return tile.Min.X > 0 && xyxy[0] < float64(tile.Min.X)+x || tile.Max.X < width && xyxy[2] > float64(tile.Max.X)-x ||
		tile.Min.Y > 0 && xyxy[1] < float64(tile.Min.Y)+y || tile.Max.Y < height && xyxy[3] > float64(tile.Max.Y)-y
}

// Two boxes are of one object if their IoU is sameIoU or more, or if a share of sameWithin or more
// of the smaller one's area lies in the other.
const (
	sameIoU    = 0.5
	sameWithin = 0.8
)

// MergeDetections returns the indices in all, ascending, of the objects that remain when an object
// of several answers is counted once. Objects of one label and of different answers are
// the same by the overlap of their boxes. Of these one remains: one that is not cut, if there is
// one, and of several the one with the highest score.
func MergeDetections(all []TileDetection) []int {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if all[a].Cut != all[b].Cut {
			return map[bool]int{false: -1, true: 1}[all[a].Cut]
		}
		return cmp.Compare(all[b].Score.Score, all[a].Score.Score)
	})
	var stay []int
	for _, i := range order {
		if !slices.ContainsFunc(stay, func(j int) bool {
			return all[i].Part != all[j].Part && all[i].Label == all[j].Label && same(all[i].XYXY, all[j].XYXY)
		}) {
			stay = append(stay, i)
		}
	}
	slices.Sort(stay)
	return stay
}

func same(a, b [4]float64) bool {
	size := func(b [4]float64) float64 { return max(0, b[2]-b[0]) * max(0, b[3]-b[1]) }
	shared := max(0, math.Min(a[2], b[2])-math.Max(a[0], b[0])) * max(0, math.Min(a[3], b[3])-math.Max(a[1], b[1]))
	return shared > 0 && (shared >= sameIoU*(size(a)+size(b)-shared) || shared >= sameWithin*min(size(a), size(b)))
}

// MergeText returns one text made of those of tiles, row by row, in reading order. What two
// neighbours both read, since they overlap, comes once. Texts of neighbours in a row that have as
// many lines are put together line by line; others follow each other.
func MergeText(rows [][]string) string {
	var lines []string
	for _, row := range rows {
		var across []string
		for _, text := range row {
			across = joinRight(across, linesOf(text))
		}
		lines = joinBelow(lines, across)
	}
	return strings.Join(lines, "\n")
}

// linesOf returns a text's lines without the blanks around each and without empty ones.
func linesOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// joinRight puts the lines of a tile to the right of those before it.
func joinRight(left, right []string) []string {
	if len(left) != len(right) {
		return joinBelow(left, right)
	}
	out := make([]string, len(left))
	for i := range left {
		out[i] = joinLine(left[i], right[i])
	}
	return out
}

// minShared is the fewest letters at the end of one line and the beginning of the next that are
// taken for the same letters of the image.
const minShared = 3

// joinLine puts together two lines that read on: the longest end of the left one with which the
// right one begins comes once.
func joinLine(left, right string) string {
	if left == right {
		return left
	}
	for at := range left {
		if end := left[at:]; utf8.RuneCountInString(end) >= minShared && strings.HasPrefix(right, end) {
			return left + right[len(end):]
		}
	}
	return left + " " + right
}

// joinBelow puts lines after others: the longest end of the upper ones with which the lower ones
// begin comes once.
func joinBelow(upper, lower []string) []string {
	for shared := min(len(upper), len(lower)); shared > 0; shared-- {
		if slices.Equal(upper[len(upper)-shared:], lower[:shared]) {
			return append(upper, lower[shared:]...)
		}
	}
	return append(upper, lower...)
}
