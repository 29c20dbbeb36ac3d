package jpeg

// This file: bits and Huffman codes (ITU T.81, annexes C and F). Before it: the bytes of a scan. After it: coefficients.

import "errors"

var (
	errTruncated = errors.New("jpeg: scan ends too early")
	errCode      = errors.New("jpeg: bad Huffman code")
)

// table decodes one set of codes of up to 16 bits.
type table struct {
	values    []uint8
	first     [17]int32 // smallest code of a length
	count     [17]int32 // how many codes have a length
	at        [17]int32 // position of a length's first value
	populated bool
}

// newTable takes the number of codes of each length and the values.
func newTable(counts []byte, values []byte) table {
	t := table{values: values, populated: true}
	code, at := int32(0), int32(0)
	for n := 1; n <= 16; n++ {
		t.first[n], t.count[n], t.at[n] = code, int32(counts[n-1]), at
		code, at = (code+t.count[n])<<1, at+t.count[n]
	}
	return t
}

// bits reads a scan bit by bit. A zero after 0xFF is stuffing; another byte is a marker, where the scan ends.
type bits struct {
	data []byte
	at   int
	hold uint32
	n    int
}

func (b *bits) next() (int32, error) {
	if b.n == 0 {
		if b.at >= len(b.data) {
			return 0, errTruncated
		}
		c := b.data[b.at]
		b.at++
		if c == 0xff {
			if b.at >= len(b.data) || b.data[b.at] != 0 {
				b.at--
				return 0, errTruncated
			}
			b.at++
		}
		b.hold, b.n = uint32(c), 8
	}
	b.n--
	return int32(b.hold >> b.n & 1), nil
}

// receive reads a number of n bits and extends its sign (F.2.2.1).
func (b *bits) receive(n int) (int32, error) {
	v := int32(0)
	for range n {
		bit, err := b.next()
		if err != nil {
			return 0, err
		}
		v = v<<1 | bit
	}
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v, nil
}

// symbol decodes one code.
func (b *bits) symbol(t *table) (uint8, error) {
	code := int32(0)
	for n := 1; n <= 16; n++ {
		bit, err := b.next()
		if err != nil {
			return 0, err
		}
		code = code<<1 | bit
		if i := code - t.first[n]; i >= 0 && i < t.count[n] {
			return t.values[t.at[n]+i], nil
		}
	}
	return 0, errCode
}

// restart steps over the marker between two intervals.
func (b *bits) restart() error {
	b.n = 0
	if b.at+2 > len(b.data) || b.data[b.at] != 0xff || b.data[b.at+1]&0xf8 != 0xd0 {
		return errTruncated
	}
	b.at += 2
	return nil
}
