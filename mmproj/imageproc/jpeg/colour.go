package jpeg

// This file: components to RGB.

// model is the colour model of the components.
type model int

const (
	grey model = iota
	rgb
	ycc
	cmyk
	ycck
)

// model returns the colour model as libjpeg finds it (jdapimin.c, default_decompress_parms).
func (d *decoder) model() model {
	id := func(i int) int { return d.components[i].id }
	switch {
	case len(d.components) == 1:
		return grey
	case len(d.components) == 4 && (!d.adobe || d.transform == 0):
		return cmyk
	case len(d.components) == 4:
		return ycck
	case d.jfif:
		return ycc
	case d.adobe && d.transform == 0, !d.adobe && id(0) == 'R' && id(1) == 'G' && id(2) == 'B':
		return rgb
	}
	return ycc
}

// rgb returns the pixels, [height,width,3], of the planes of all components.
func (d *decoder) rgb() []uint8 {
	out := make([]uint8, 3*d.width*d.height)
	rows, buffers := make([][]uint8, len(d.components)), make([][]uint8, len(d.components))
	for i := range buffers {
		buffers[i] = make([]uint8, 8*d.hMax*d.mcuX)
	}
	kind := d.model()
	for y := range d.height {
		for i := range rows {
			rows[i] = d.components[i].row(&d.frame, y, buffers[i])[:d.width]
		}
		dst := out[3*d.width*y:][:3*d.width]
		switch kind {
		case grey:
			interleave(dst, rows[0], rows[0], rows[0])
		case rgb:
			interleave(dst, rows[0], rows[1], rows[2])
		case ycc:
			convert(dst, rows[0], rows[1], rows[2])
		case cmyk:
			interleave(dst, rows[0], rows[1], rows[2])
			applyBlack(dst, rows[3], d.adobe)
		case ycck:
			convert(dst, rows[0], rows[1], rows[2])
			for i := range dst {
				dst[i] = 255 - dst[i]
			}
			applyBlack(dst, rows[3], d.adobe)
		}
	}
	return out
}

// interleave writes a row of r, g and b to dst, as they are.
func interleave(dst, r, g, b []uint8) {
	g, b = g[:len(r)], b[:len(r)]
	for i := range r {
		p := (*[3]uint8)(dst[3*i:])
		p[0], p[1], p[2] = r[i], g[i], b[i]
	}
}

// convert writes a row of YCbCr samples to dst as RGB, as ycc_rgb_convert of libjpeg's jdcolor.c:
// 16-bit fixed point, full range.
func convert(dst, y, cb, cr []uint8) {
	const half = 1 << 15
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i, luma := range y {
		l, b, r := int32(luma)<<16|half, int32(cb[i])-128, int32(cr[i])-128
		p := (*[3]uint8)(dst[3*i:])
		p[0] = clip8((l + 91881*r) >> 16)           // 1.40200
		p[1] = clip8((l - 22554*b - 46802*r) >> 16) // 0.34414, 0.71414
		p[2] = clip8((l + 116130*b) >> 16)          // 1.77200
	}
}

func clip8(v int32) uint8 {
	if uint32(v) > 255 { // rare
		return uint8(^(v >> 31))
	}
	return uint8(v)
}

// applyBlack mixes the fourth ink into dst, as TensorFlow does (core/lib/jpeg/jpeg_mem.cc): Adobe's
// programs store inks inverted.
func applyBlack(dst, black []uint8, inverted bool) {
	for i, k := range black {
		for c := range dst[3*i : 3*i+3] {
			v := &dst[3*i+c]
			if inverted {
				*v = uint8(int(*v) * int(k) / 255)
			} else {
				*v = uint8((255 - int(*v)) * (255 - int(k)) / 255)
			}
		}
	}
}
