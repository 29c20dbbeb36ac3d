package masks

// This file: the outlines of a bitmap.

// Point is a corner of pixels: pixel (x, y) lies between the corners (x, y) and (x+1, y+1).
type Point [2]int

// Polygons returns the outlines of the bitmap, along the edges of its pixels, exactly: filled by
// the even-odd rule they are the bitmap again. An outline goes with the inside on its right hand, y
// downwards: outer ones clockwise, holes counter-clockwise. Pixels that touch at a corner only are
// apart. The first corner is not repeated, and corners on a straight line are left out.
func (b *Bitmap) Polygons() (all [][]Point) {
	in := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < b.Width && y < b.Height && b.Bits[y*b.Width+x]
	}
	// An outline has a rightward edge at its top, below which the bitmap is inside. Each of these
	// is walked once.
	walked := make([]bool, len(b.Bits))
	for y := range b.Height {
		for x := range b.Width {
			if !in(x, y) || in(x, y-1) || walked[y*b.Width+x] {
				continue
			}
			all = append(all, walk(Point{x, y}, in, func(x, y int) { walked[y*b.Width+x] = true }))
		}
	}
	return all
}

// Directions on the screen, clockwise, and the two pixels ahead of a corner that one comes to: on
// the right hand and on the left.
var directions = [4]struct{ step, right, left Point }{
	{Point{1, 0}, Point{0, 0}, Point{0, -1}},    // right
	{Point{0, 1}, Point{-1, 0}, Point{0, 0}},    // down
	{Point{-1, 0}, Point{-1, -1}, Point{-1, 0}}, // left
	{Point{0, -1}, Point{0, -1}, Point{-1, -1}}, // up
}

// walk goes once around an outline, from the corner start to the right. top is called with the
// pixel below each rightward edge.
func walk(start Point, in func(x, y int) bool, top func(x, y int)) (outline []Point) {
	at, d := start, 0
	for {
		if d == 0 {
			top(at[0], at[1])
		}
		at[0], at[1] = at[0]+directions[d].step[0], at[1]+directions[d].step[1]
		right, left := directions[d].right, directions[d].left
		next := d
		switch {
		case !in(at[0]+right[0], at[1]+right[1]):
			next = (d + 1) % 4 // also where only the left one is inside: pixels that touch at a corner are apart
		case in(at[0]+left[0], at[1]+left[1]):
			next = (d + 3) % 4
		}
		if next != d {
			outline = append(outline, at)
			d = next
		}
		if at == start && d == 0 {
			return outline
		}
	}
}

// Join makes one polygon of the outlines of a bitmap, for forms that know neither holes nor parts:
// each further outline is reached from the polygon so far, at the corners that lie nearest, and
// left on the same way. Filled by the even-odd rule or by the non-zero rule it is the bitmap again.
func Join(outlines [][]Point) []Point {
	if len(outlines) == 0 {
		return nil
	}
	whole := outlines[0]
	for _, next := range outlines[1:] {
		from, to, nearest := 0, 0, -1
		for i, a := range whole {
			for k, b := range next {
				if x, y := a[0]-b[0], a[1]-b[1]; nearest < 0 || x*x+y*y < nearest {
					from, to, nearest = i, k, x*x+y*y
				}
			}
		}
		joined := append([]Point{}, whole[:from+1]...)
		joined = append(append(joined, next[to:]...), next[:to+1]...)
		whole = append(joined, whole[from:]...)
	}
	return whole
}
