package jpeg

// This file: colour brought from its stored, smaller size to the image's, as libjpeg-turbo's
// jdsample.c does it with "fancy upsampling": it interpolates for 2x1, 1x2 and 2x2, and repeats
// samples for all else and for rows of one or two samples.

// row returns the samples of c for row y of the image, at full width. It may use buffer, which is
// as long as the planes are wide.
func (c *component) row(f *frame, y int, buffer []uint8) []uint8 {
	h, v := f.hMax/c.h, f.vMax/c.v
	wide, high := ceil(f.width, h), ceil(f.height, v) // samples
	near := y / v
	at := func(y int) []uint8 { return c.plane[8*c.stride*y:][:wide] }
	switch {
	case h == 1 && v == 1:
		return at(near)
	case h == 2 && v == 1 && wide > 2:
		upsample2x1(buffer, at(near))
		return buffer
	case v == 2 && (h == 1 || h == 2 && wide > 2):
		far := min(max(near-1+2*(y%2), 0), high-1) // the border is repeated
		if h == 1 {
			upsample1x2(buffer, at(near), at(far), y%2)
		} else {
			upsample2x2(buffer, at(near), at(far))
		}
		return buffer
	}
	for i, s := range at(near) {
		for k := range h {
			buffer[h*i+k] = s
		}
	}
	return buffer
}

// upsample2x1 doubles src to dst: each sample is three parts of the nearer one and one of the
// farther.
func upsample2x1(dst, src []uint8) {
	last := len(src) - 1
	for i, s := range src {
		dst[2*i] = uint8((3*int(s) + int(src[max(i-1, 0)]) + 1) >> 2)
		dst[2*i+1] = uint8((3*int(s) + int(src[min(i+1, last)]) + 2) >> 2)
	}
}

// upsample1x2 mixes the rows near and far likewise: below is 0 for the upper of the two rows, 1 for
// the lower.
func upsample1x2(dst, near, far []uint8, below int) {
	for i := range near {
		dst[i] = uint8((3*int(near[i]) + int(far[i]) + 1 + below) >> 2)
	}
}

// upsample2x2 does both, and rounds once.
func upsample2x2(dst, near, far []uint8) {
	far, dst = far[:len(near)], dst[:2*len(near)]
	before := 3*int32(near[0]) + int32(far[0])
	dst[0] = uint8((4*before + 8) >> 4)
	between := dst[1:]
	for i := 1; i < len(near); i++ {
		here := 3*int32(near[i]) + int32(far[i])
		pair := (*[2]uint8)(between)
		pair[0], pair[1] = uint8((3*before+here+7)>>4), uint8((3*here+before+8)>>4)
		before, between = here, between[2:]
	}
	between[0] = uint8((4*before + 7) >> 4)
}
