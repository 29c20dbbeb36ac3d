package mmproj

// This file: YCbCr to RGB as the reference decoders do it. Before it: Go's JPEG and WebP decoders, which leave colour at its
// stored, smaller size. After it: rgb.go. Go's own conversion repeats colour samples and takes WebP's studio range for full
// range; libjpeg and libwebp, on which the model was trained, interpolate ("fancy upsampling") and do not.

import (
	"fmt"
	"image"
)

// chroma is the arithmetic of one decoder.
type chroma struct {
	// rows interpolates two neighbouring rows of colour samples to one row of full width (dst) where the nearer of the two
	// is near. Neighbours outside the picture are repeated from the border.
	rows func(dst, near, far []uint8, second bool)
	rgb  func(dst, y, cb, cr []uint8)
}

var (
	jpegChroma = chroma{jpegUpsample2x2, jpegRGB}
	webpChroma = chroma{webpUpsample2x2, webpRGB}
)

// copyYCbCr fills the picture, which has the size of m.
func (p *Picture) copyYCbCr(m *image.YCbCr, c *chroma) error {
	if c == nil {
		return fmt.Errorf("colours of type %T", m)
	}
	h, v := 1, 1 // luma samples for each colour sample
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
	case image.YCbCrSubsampleRatio422:
		h = 2
	case image.YCbCrSubsampleRatio420:
		h, v = 2, 2
	case image.YCbCrSubsampleRatio440:
		v = 2
	case image.YCbCrSubsampleRatio411:
		h = 4
	case image.YCbCrSubsampleRatio410:
		h, v = 4, 2
	default:
		return fmt.Errorf("colour subsampling %v", m.SubsampleRatio)
	}
	cw, ch := (p.Width+h-1)/h, (p.Height+v-1)/v
	cb, cr := make([]uint8, h*cw), make([]uint8, h*cw)
	for y := range p.Height {
		near := y / v
		far := near
		if v == 2 {
			far = min(max(near-1+2*(y%2), 0), ch-1)
		}
		for _, plane := range []struct{ dst, src []uint8 }{{cb, m.Cb}, {cr, m.Cr}} {
			c.upsample(plane.dst, plane.src[near*m.CStride:][:cw], plane.src[far*m.CStride:][:cw], h, v, y%v == 1)
		}
		c.rgb(p.row(y), m.Y[y*m.YStride:][:p.Width], cb, cr)
	}
	return nil
}

// upsample makes one full row of colour samples from the two nearest stored rows. As libjpeg (jdsample.c, jinit_upsampler),
// it interpolates for 2x2, 2x1 and 1x2, and repeats for all else and for rows of one or two samples.
func (c *chroma) upsample(dst, near, far []uint8, h, v int, second bool) {
	switch {
	case h == 1 && v == 1:
		copy(dst, near)
	case h == 1 && v == 2:
		jpegUpsample1x2(dst, near, far, second)
	case h == 2 && v == 1 && len(near) > 2:
		jpegUpsample2x1(dst, near)
	case h == 2 && v == 2:
		c.rows(dst, near, far, second)
	default:
		for i := range dst {
			dst[i] = near[i/h]
		}
	}
}

// jpegUpsample1x2 is h1v2_fancy_upsample of libjpeg-turbo's jdsample.c.
func jpegUpsample1x2(dst, near, far []uint8, second bool) {
	bias := 1
	if second {
		bias = 2
	}
	for i := range dst {
		dst[i] = uint8((3*int(near[i]) + int(far[i]) + bias) >> 2)
	}
}

// jpegUpsample2x1 is h2v1_fancy_upsample of libjpeg's jdsample.c.
func jpegUpsample2x1(dst, near []uint8) {
	last := len(near) - 1
	for i, s := range near {
		dst[2*i] = uint8((3*int(s) + int(near[max(i-1, 0)]) + 1) >> 2)
		dst[2*i+1] = uint8((3*int(s) + int(near[min(i+1, last)]) + 2) >> 2)
	}
}

// jpegUpsample2x2 is h2v2_fancy_upsample of libjpeg's jdsample.c: columns 3:1, then rows 3:1, rounded once.
func jpegUpsample2x2(dst, near, far []uint8, _ bool) {
	last := len(near) - 1
	if last < 2 { // libjpeg does not interpolate such narrow pictures
		for i := range dst {
			dst[i] = near[i/2]
		}
		return
	}
	at := func(i int) int { return 3*int(near[i]) + int(far[i]) }
	before, here := at(0), at(0)
	for i := range near {
		after := here
		if i < last {
			after = at(i + 1)
		}
		dst[2*i] = uint8((3*here + before + 8) >> 4)
		dst[2*i+1] = uint8((3*here + after + 7) >> 4)
		before, here = here, after
	}
}

// jpegRGB is ycc_rgb_convert of libjpeg's jdcolor.c: 16-bit fixed point, full range.
func jpegRGB(dst, y, cb, cr []uint8) {
	const half = 1 << 15
	for i, luma := range y {
		l, b, r := int(luma), int(cb[i])-128, int(cr[i])-128
		dst[3*i] = clip8(l + (91881*r+half)>>16)            // 1.40200
		dst[3*i+1] = clip8(l + (-22554*b-46802*r+half)>>16) // 0.34414, 0.71414
		dst[3*i+2] = clip8(l + (116130*b+half)>>16)         // 1.77200
	}
}

// webpUpsample2x2 is the fancy upsampler of libwebp's src/dsp/upsampling.c: weights 9, 3, 3, 1, rounded in two steps.
func webpUpsample2x2(dst, near, far []uint8, _ bool) {
	last := len(near) - 1
	for i := range near {
		n, v := int(near[i]), int(far[i])
		for side, j := range [2]int{max(i-1, 0), min(i+1, last)} {
			h, d := int(near[j]), int(far[j])
			dst[2*i+side] = uint8(((n+h+v+d+8+2*(h+v))>>3 + n) >> 1)
		}
	}
}

// webpRGB is VP8YuvToRgb of libwebp's src/dsp/yuv.h: BT.601 studio range, 14-bit coefficients.
func webpRGB(dst, y, cb, cr []uint8) {
	for i, luma := range y {
		l, b, r := int(luma)*19077>>8, int(cb[i]), int(cr[i])
		dst[3*i] = clip8((l + r*26149>>8 - 14234) >> 6)
		dst[3*i+1] = clip8((l - b*6419>>8 - r*13320>>8 + 8708) >> 6)
		dst[3*i+2] = clip8((l + b*33050>>8 - 17685) >> 6)
	}
}

func clip8(v int) uint8 { return uint8(min(max(v, 0), 255)) }
