package imageproc

// This file: the colour of lossy WebP images as libwebp makes it. golang.org/x/image/webp leaves
// colour at its stored, half size. Go's own conversion repeats colour samples and takes WebP's
// studio range for full range; libwebp interpolates and does not.

import (
	"fmt"
	"image"
)

// copyYCbCr fills p, which has the size of m, with the colours of m.
func (p *Image) copyYCbCr(m *image.YCbCr) error {
	if m.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return fmt.Errorf("colour subsampling %v, want 4:2:0", m.SubsampleRatio)
	}
	cw, ch := (p.Width+1)/2, (p.Height+1)/2
	cb, cr := make([]uint8, 2*cw), make([]uint8, 2*cw)
	for y := range p.Height {
		near := y / 2
		far := min(max(near-1+2*(y%2), 0), ch-1) // the border is repeated
		for _, plane := range []struct{ dst, src []uint8 }{{cb, m.Cb}, {cr, m.Cr}} {
			webpUpsample(plane.dst, plane.src[near*m.CStride:][:cw], plane.src[far*m.CStride:][:cw])
		}
		webpRGB(p.row(y), m.Y[y*m.YStride:][:p.Width], cb, cr)
	}
	return nil
}

// webpUpsample fills dst with a full row of colour samples, made from the two nearest stored rows,
// near and far. It is the fancy upsampler of libwebp's src/dsp/upsampling.c: weights 9, 3, 3, 1,
// rounded in two steps.
func webpUpsample(dst, near, far []uint8) {
	last := len(near) - 1
	for i := range near {
		n, v := int(near[i]), int(far[i])
		for side, j := range [2]int{max(i-1, 0), min(i+1, last)} {
			h, d := int(near[j]), int(far[j])
			dst[2*i+side] = uint8(((n+h+v+d+8+2*(h+v))>>3 + n) >> 1)
		}
	}
}

// webpRGB converts rows of samples to RGB in dst as VP8YuvToRgb of libwebp's src/dsp/yuv.h: BT.601
// studio range, 14-bit coefficients.
func webpRGB(dst, y, cb, cr []uint8) {
	for i, luma := range y {
		l, b, r := int(luma)*19077>>8, int(cb[i]), int(cr[i])
		dst[3*i] = clip8((l + r*26149>>8 - 14234) >> 6)
		dst[3*i+1] = clip8((l - b*6419>>8 - r*13320>>8 + 8708) >> 6)
		dst[3*i+2] = clip8((l + b*33050>>8 - 17685) >> 6)
	}
}

func clip8(v int) uint8 { return uint8(min(max(v, 0), 255)) }
