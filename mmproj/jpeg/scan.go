package jpeg

// This file: one scan: which components, then their blocks. Before it: jpeg.go, the segments. After it: idct.go.

// scan reads the coded data of one or of all components.
func (d *decoder) scan(b []byte) error {
	if d.components == nil || len(b) < 1 || len(b) != 4+2*int(b[0]) {
		return errFormat
	}
	var in []*component
	for i := 1; i < len(b)-3; i += 2 {
		c := d.find(int(b[i]))
		if c == nil || b[i+1]>>4 > 3 || b[i+1]&15 > 3 || c.dc != nil || !d.hasQuant[c.q] {
			return errFormat
		}
		c.dc, c.ac, c.last = &d.dc[b[i+1]>>4], &d.ac[b[i+1]&15], 0
		if !c.dc.populated || !c.ac.populated {
			return errFormat
		}
		in = append(in, c)
	}
	if len(in) != 1 && len(in) != len(d.components) {
		return ErrUnsupported
	}
	d.scanned += len(in)
	r := &bits{data: d.data, at: d.at}
	if err := d.blocks(r, in); err != nil {
		return err
	}
	d.at = r.at
	return nil
}

func (d *decoder) find(id int) *component {
	for i := range d.components {
		if d.components[i].id == id {
			return &d.components[i]
		}
	}
	return nil
}

// blocks decodes all MCUs: with several components h x v blocks of each, with one component a single block (A.2).
func (d *decoder) blocks(r *bits, in []*component) error {
	tables := map[*component]*[64]int32{}
	for _, c := range in {
		m := multipliers(&d.quant[c.q])
		tables[c] = &m
	}
	wide, high := d.mcuX, d.mcuY
	if len(in) == 1 {
		wide, high = in[0].width, in[0].height
	}
	for i := range wide * high {
		if d.interval > 0 && i > 0 && i%d.interval == 0 {
			if err := r.restart(); err != nil {
				return err
			}
			for _, c := range in {
				c.last = 0
			}
		}
		for _, c := range in {
			h, v := c.h, c.v
			if len(in) == 1 {
				h, v = 1, 1
			}
			for k := range h * v {
				x, y := i%wide*h+k%h, i/wide*v+k/h
				if err := c.block(r, tables[c], c.plane[8*y*c.stride+8*x:]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// block decodes the coefficients of one block (F.2.2) and transforms them.
func (c *component) block(r *bits, m *[64]int32, dst []uint8) error {
	var b [64]int32
	size, err := r.symbol(c.dc)
	if err != nil {
		return err
	}
	if size > 11 {
		return errCode
	}
	difference, err := r.receive(int(size))
	if err != nil {
		return err
	}
	c.last = int32(int16(c.last + difference))
	b[0] = c.last
	for k := 1; k < 64; k++ {
		code, err := r.symbol(c.ac)
		if err != nil {
			return err
		}
		run, size := int(code>>4), int(code&15)
		if size == 0 {
			if run < 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errCode
		}
		if b[zigzag[k]], err = r.receive(size); err != nil {
			return err
		}
	}
	inverse(&b, m, dst, c.stride)
	return nil
}
