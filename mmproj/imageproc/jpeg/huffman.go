package jpeg

// This file: bits and Huffman codes (ITU T.81, annexes C and F).

import (
	"encoding/binary"
	"errors"
)

var (
	errCode     = errors.New("jpeg: bad Huffman code")
	errScanEnds = errors.New("jpeg: scan ends too early")
	errRestart  = errors.New("jpeg: restart marker missing or out of order")
)

// lookBits is the number of bits that index the look-up tables; longer codes are rare and searched
// for.
const lookBits = 10

// table decodes one set of codes of up to 16 bits.
type table struct {
	look [1 << lookBits]uint16 // symbol<<8 | length, 0: a longer code
	// AC codes with the number that follows: number<<16 | run<<8 | length of both, 0: longer
	whole   [1 << lookBits]int32
	first   [17]int32 // smallest code of a length
	count   [17]int32 // how many codes have a length
	start   [17]int32 // position of a length's first symbol
	symbols [256]uint8
	built   bool // look and whole are filled
}

// set defines t by the number of codes of each length, and the symbols.
func (t *table) set(counts [16]byte, symbols []byte) error {
	t.built = false
	copy(t.symbols[:], symbols)
	code, at := int32(0), int32(0)
	for n := 1; n <= 16; n++ {
		count := int32(counts[n-1])
		t.first[n], t.count[n], t.start[n] = code, count, at
		if code+count > 1<<n {
			return errors.New("more codes than a length has")
		}
		code, at = (code+count)<<1, at+count
	}
	return nil
}

// build fills the look-up tables of t, once it is used. It fails if t is nil: a table that the file
// has not defined.
func (t *table) build() error {
	if t == nil {
		return errors.New("jpeg: Huffman table missing")
	}
	if t.built {
		return nil
	}
	t.built, t.look, t.whole = true, [1 << lookBits]uint16{}, [1 << lookBits]int32{}
	for n := 1; n <= lookBits; n++ {
		for i := range t.count[n] {
			code, symbol, spare := t.first[n]+i, t.symbols[t.start[n]+i], lookBits-n
			for j := code << spare; j < (code+1)<<spare; j++ {
				t.look[j] = uint16(symbol)<<8 | uint16(n)
			}
		}
	}
	for i, e := range t.look {
		length, run, size := int(e&255), int32(e>>12), int(e>>8&15)
		if length == 0 || size == 0 || length+size > lookBits {
			continue
		}
		number := extend(uint32(i)>>(lookBits-length-size)&(1<<size-1), size)
		t.whole[i] = number<<16 | run<<8 | int32(length+size)
	}
	return nil
}

// long finds the code, longer than lookBits, that next begins with; its length is 0 if there is
// none.
func (t *table) long(next uint64) (symbol uint8, length int) {
	for n := lookBits + 1; n <= 16; n++ {
		if i := int32(next>>(64-n)) - t.first[n]; i >= 0 && i < t.count[n] {
			return t.symbols[t.start[n]+i], n
		}
	}
	return 0, 0
}

// extend returns the number that v, n bits long, stands for (F.2.2.1).
func extend(v uint32, n int) int32 {
	if n > 0 && v < 1<<(n-1) {
		return int32(v) - 1<<n + 1
	}
	return int32(v)
}

// bits reads a scan. A zero after 0xff is stuffing; another byte is a marker, where the scan ends.
type bits struct {
	data []byte
	at   int
	next uint64 // the next n bits, from the highest down
	n    int    // below 0: bits were taken that the scan does not have
}

// fill makes n at least 32, or as large as the scan allows.
func (b *bits) fill() {
	if b.n < 0 {
		return
	}
	if b.at+8 <= len(b.data) {
		v := binary.BigEndian.Uint64(b.data[b.at:])
		if (^v-0x0101010101010101)&v&0x8080808080808080 == 0 { // no byte is 0xff
			b.next |= v >> b.n
			b.at += (63 - b.n) >> 3
			b.n |= 56
			return
		}
	}
	for b.n <= 56 && b.at < len(b.data) {
		c := b.data[b.at]
		b.at++
		if c == 0xff {
			end := b.at
			for end < len(b.data) && b.data[end] == 0xff { // fill bytes
				end++
			}
			if end == len(b.data) || b.data[end] != 0 {
				b.at = end - 1
				return
			}
			b.at = end + 1
		}
		b.next |= uint64(c) << (56 - b.n)
		b.n += 8
	}
}

// take returns the next k bits, at most 16.
func (b *bits) take(k int) uint32 {
	if b.n < 32 {
		b.fill()
	}
	v := uint32(b.next >> (64 - k))
	b.next <<= k
	b.n -= k
	return v
}

// symbol decodes one code.
func (b *bits) symbol(t *table) (uint8, error) {
	if b.n < 32 {
		b.fill()
	}
	e := t.look[b.next>>(64-lookBits)]
	symbol, length := uint8(e>>8), int(e&255)
	if length == 0 {
		if symbol, length = t.long(b.next); length == 0 {
			return 0, errCode
		}
	}
	b.next <<= length
	b.n -= length
	return symbol, nil
}

// restart skips the marker between two intervals, which has that number modulo 8, and the bytes
// before it that belong to nothing.
func (b *bits) restart(number int) error {
	b.next, b.n = 0, 0
	if b.at = nextMarker(b.data, b.at); b.at+2 > len(b.data) || int(b.data[b.at+1]) != rst0+number%8 {
		return errRestart
	}
	b.at += 2
	return nil
}
