package jpeg

// This file: one scan: which components and coefficients, then their blocks.

import (
	"errors"
	"slices"
)

// scan is what a scan's header says, and the state of reading its samples.
type scan struct {
	bits
	in             []*component
	from, to       int // coefficients in zigzag order, both included
	high, low      int // bits: the coefficients are known down to high (0: not at all), and will be down to low
	run            int // following blocks that have no more in this band
	block          [64]int16
	interval, left int // MCUs between restarts and before the next
	restarts       int // so far
}

// scan reads a scan: its header b and the samples that follow.
func (d *decoder) scan(b []byte) error {
	if d.components == nil || len(b) < 1 || len(b) != 4+2*int(b[0]) || b[0] < 1 || b[0] > 4 {
		return errFormat
	}
	p := b[len(b)-3:]
	s := &scan{bits: bits{data: d.data, at: d.at}, from: int(p[0]), to: int(p[1]), high: int(p[2] >> 4),
		low: int(p[2] & 15), interval: d.interval}
	if !d.progressive {
		s.from, s.to, s.high, s.low = 0, 63, 0, 0 // libjpeg takes any values
	}
	blocks := 0
	for i := 1; i < len(b)-3; i += 2 {
		c, err := d.addComponent(s, b[i], b[i+1])
		if err != nil {
			return err
		}
		blocks += c.h * c.v
	}
	if len(s.in) > 1 && blocks > 10 {
		return errors.New("jpeg: more than 10 blocks in an MCU")
	}
	read := (*scan).sequential
	if d.progressive {
		var err error
		if read, err = d.progression(s); err != nil {
			return err
		}
	}
	if err := s.decode(&d.frame, read); err != nil {
		return err
	}
	d.at = s.at
	return nil
}

// addComponent adds the component with number id to s, with tables, the numbers of its DC and AC
// tables.
func (d *decoder) addComponent(s *scan, id, tables byte) (*component, error) {
	c := d.find(int(id))
	if c == nil || tables>>4 > 3 || tables&15 > 3 || slices.Contains(s.in, c) {
		return nil, errFormat
	}
	c.dc, c.ac, c.last = d.dc[tables>>4], d.ac[tables&15], 0
	if s.from == 0 && s.high == 0 {
		if err := c.dc.build(); err != nil {
			return nil, err
		}
	}
	if s.to > 0 {
		if err := c.ac.build(); err != nil {
			return nil, err
		}
	}
	s.in = append(s.in, c)
	return c, d.prepare(c)
}

// decode calls read for the blocks of all MCUs: with several components h x v of each, with one
// component a single block (A.2).
func (s *scan) decode(f *frame, read func(s *scan, c *component, x, y int) error) error {
	wide, high, alone := f.mcuX, f.mcuY, len(s.in) == 1
	if alone {
		wide, high = s.in[0].wide, s.in[0].high
	}
	s.left = s.interval
	for y := range high {
		for x := range wide {
			if s.interval > 0 {
				if s.left == 0 {
					if err := s.nextInterval(); err != nil {
						return err
					}
				}
				s.left--
			}
			if alone {
				if err := read(s, s.in[0], x, y); err != nil {
					return err
				}
				continue
			}
			for _, c := range s.in {
				for k := range c.h * c.v {
					if err := read(s, c, x*c.h+k%c.h, y*c.v+k/c.h); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// nextInterval begins the next interval between restarts.
func (s *scan) nextInterval() error {
	s.left, s.run = s.interval, 0
	for _, c := range s.in {
		c.last = 0
	}
	s.restarts++
	return s.restart(s.restarts - 1)
}

// sequential reads block (x, y) of c (F.2.2) and transforms it.
func (s *scan) sequential(c *component, x, y int) error {
	dst := c.plane[64*y*c.stride+8*x:]
	last, err := s.coefficients(c)
	if err != nil {
		return err
	}
	if last == 0 {
		flat(s.block[0], c.multipliers, dst, 8*c.stride)
		return nil
	}
	inverse(&s.block, c.multipliers, dst, 8*c.stride)
	s.block = [64]int16{}
	return nil
}

// difference reads how much DC differs from that of the block before (F.2.2.1), and adds it to
// c.last.
func (s *scan) difference(c *component) error {
	size, err := s.symbol(c.dc)
	if err != nil {
		return err
	}
	if size > 15 {
		return errCode
	}
	c.last += extend(s.take(int(size)), int(size))
	return nil
}

// coefficients reads all coefficients of a block into s.block, and returns the position in zigzag
// order of the last that is not 0.
func (s *scan) coefficients(c *component) (last int, err error) {
	if err := s.difference(c); err != nil {
		return 0, err
	}
	b, t := &s.block, c.ac
	b[0] = int16(c.last)
	next, n := s.next, s.n // local copies, for speed: most codes are found in the table together with their number
	for k := 1; k < 64; k++ {
		if n < 32 {
			s.next, s.n = next, n
			s.fill()
			next, n = s.next, s.n
		}
		if e := t.whole[next>>(64-lookBits)]; e != 0 {
			next <<= e & 63
			n -= int(e & 63)
			if k += int(e >> 8 & 15); k > 63 {
				return 0, errCode
			}
			b[zigzag[k]&63], last = int16(e>>16), k
			continue
		}
		s.next, s.n = next, n
		code, err := s.symbol(t)
		if err != nil {
			return 0, err
		}
		run, size := int(code>>4), int(code&15)
		if size > 0 {
			if k += run; k > 63 {
				return 0, errCode
			}
			b[zigzag[k]&63], last = int16(extend(s.take(size), size)), k
		}
		next, n = s.next, s.n
		if size == 0 {
			if run < 15 {
				break
			}
			k += 15
		}
	}
	s.next, s.n = next, n
	return last, s.checkEnd()
}
