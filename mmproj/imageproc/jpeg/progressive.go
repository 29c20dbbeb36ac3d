package jpeg

// This file: the four kinds of a progressive file's scans (ITU T.81, annex G). frame.go transforms
// the coefficients when all scans are read.

import "errors"

// Bounds on the work: each scan visits all blocks, even one of a few bytes. Encoders write 1 to
// about 14 scans.
const (
	maxScans  = 200
	maxVisits = 15 * 64 // of a block: a coefficient is sent once and refined at most 13 times
)

// progression checks the header of s and returns the function that reads its blocks.
func (d *decoder) progression(s *scan) (func(s *scan, c *component, x, y int) error, error) {
	if s.to > 63 || s.from > s.to || s.from == 0 && s.to > 0 || s.from > 0 && len(s.in) > 1 ||
		s.high > 0 && s.low != s.high-1 || s.low > 13 {
		return nil, errors.New("jpeg: bad progression")
	}
	if d.scans++; d.scans > maxScans {
		return nil, errors.New("jpeg: more than 200 scans")
	}
	all := 0
	for i := range d.components {
		all += d.components[i].wide * d.components[i].high
	}
	for _, c := range s.in {
		d.visits += (s.to - s.from + 1) * c.wide * c.high
		for k := s.from; k <= s.to; k++ {
			c.known[k] = int8(s.low)
		}
	}
	if d.visits > maxVisits*all {
		return nil, errors.New("jpeg: coefficients sent too often")
	}
	switch {
	case s.from == 0 && s.high == 0:
		return (*scan).dcFirst, nil
	case s.from == 0:
		return (*scan).dcRefine, nil
	case s.high == 0:
		return (*scan).acFirst, nil
	}
	return (*scan).acRefine, nil
}

// at returns the coefficients of block (x, y), and the position in zigzag order of the last that is
// not 0.
func (c *component) at(x, y int) (b *[64]int16, last *uint8) {
	return &c.coefficients[y*c.stride+x], &c.lasts[y*c.stride+x]
}

// dcFirst reads a block's DC without its lowest bits.
func (s *scan) dcFirst(c *component, x, y int) error {
	if err := s.difference(c); err != nil {
		return err
	}
	b, _ := c.at(x, y)
	b[0] = int16(c.last << s.low)
	return s.checkEnd()
}

// dcRefine reads one more bit of a block's DC.
func (s *scan) dcRefine(c *component, x, y int) error {
	b, _ := c.at(x, y)
	b[0] |= int16(s.take(1) << s.low)
	return s.checkEnd()
}

// checkEnd fails if bits were taken that the scan does not have.
func (s *scan) checkEnd() error {
	if s.n < 0 {
		return errScanEnds
	}
	return nil
}

// acFirst reads a band of a block without its lowest bits (G.1.2.2).
func (s *scan) acFirst(c *component, x, y int) error {
	if s.run > 0 {
		s.run--
		return nil
	}
	b, last := c.at(x, y)
	for k := s.from; k <= s.to; k++ {
		code, err := s.symbol(c.ac)
		if err != nil {
			return err
		}
		run, size := int(code>>4), int(code&15)
		if size == 0 {
			if run < 15 {
				s.run = 1<<run + int(s.take(run)) - 1
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errCode
		}
		b[zigzag[k]], *last = int16(extend(s.take(size), size)<<s.low), max(*last, uint8(k))
	}
	return s.checkEnd()
}

// acRefine reads one more bit of a band of a block (G.1.2.3): a correction for the coefficients
// that are not 0, and the others that become so.
func (s *scan) acRefine(c *component, x, y int) error {
	b, last := c.at(x, y)
	k := s.from
	for s.run == 0 && k <= s.to {
		code, err := s.symbol(c.ac)
		if err != nil {
			return err
		}
		run, size, fresh := int(code>>4), code&15, int16(0)
		switch {
		case size == 1:
			if fresh = -1; s.take(1) == 1 {
				fresh = 1
			}
		case size > 1:
			return errCode
		case run < 15:
			s.run = 1<<run + int(s.take(run))
			continue
		}
		if k = s.refine(b, k, int(*last), run); fresh != 0 {
			if k > s.to {
				return errCode
			}
			b[zigzag[k]], *last = fresh<<s.low, max(*last, uint8(k))
		}
		k++
	}
	if s.run > 0 {
		s.refine(b, k, int(*last), 64)
		s.run--
	}
	return s.checkEnd()
}

// refine corrects the coefficients of b from k to last that are not 0, skips as many that are 0 as
// zeros says, and returns the position of the next 0.
func (s *scan) refine(b *[64]int16, k, last, zeros int) int {
	bit := int16(1) << s.low
	for last = min(last, s.to); k <= last; k++ {
		v := b[zigzag[k&63]&63]
		if v == 0 {
			if zeros == 0 {
				return k
			}
			zeros--
			continue
		}
		if s.n < 32 {
			s.fill()
		}
		if s.next>>63 == 1 && v&bit == 0 { // else it is set already, in a file that sends it twice
			if v > 0 {
				b[zigzag[k&63]&63] = v + bit
			} else {
				b[zigzag[k&63]&63] = v - bit
			}
		}
		s.next <<= 1
		s.n--
	}
	return min(k+zeros, s.to+1)
}
