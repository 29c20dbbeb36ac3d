package badfiles

// This file: a zip writer that can lie about everything, after PKWARE's APPNOTE.TXT 4.3.

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// zipMember is a member and the wrong values recorded for it.
type zipMember struct {
	name   string
	data   []byte // unpacked
	method uint16 // 0 stored, 8 deflated

	claim        uint16  // another method in both headers
	localMethod  uint16  // another method in the local header only
	localName    string  // another name in the local header only
	flags        uint16  // in both headers
	badCRC       bool    // the CRC-32 recorded is one off
	packed, size *uint64 // other sizes in the directory
	packedOff    int     // added to the packed size in the directory
	hidden       int     // unpacked bytes beyond the recorded size; negative: missing ones
	stream       []byte  // the packed data itself
	shift        int     // added to the local header's offset in the directory
	noExtra      bool    // sizes of all ones without a zip64 field
	disk         uint16
}

// NPY returns an array in format version 1.0: text as its header, then n bytes of elements.
func NPY(text string, n int) []byte {
	b := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text)))
	return append(append(b, text...), bytes.Repeat([]byte{0x40}, n)...)
}

func dictNPY(descr, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape)
}

// memberNPZ returns a good member of 300 floats.
func memberNPZ(name string) zipMember {
	return zipMember{name: name, data: NPY(dictNPY("<f4", "(300,)"), 1200)}
}

// pack returns the member's bytes in the file.
func (m zipMember) pack() []byte {
	data := m.data
	switch {
	case m.stream != nil:
		return m.stream
	case m.method == 0:
		return data
	case m.hidden > 0:
		data = append(bytes.Clone(data), make([]byte, m.hidden)...)
	default:
		data = data[:len(data)+m.hidden]
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is valid, and a buffer takes every write
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// packNPZ returns the archive.
func packNPZ(members ...zipMember) []byte {
	var file, dir []byte
	for _, m := range members {
		packed := m.pack()
		entry := m.entry(len(file), len(packed))
		method, name := m.shown(), m.name
		if m.localMethod != 0 {
			method = m.localMethod
		}
		if m.localName != "" {
			name = m.localName
		}
		file = put(append(file, "PK\x03\x04"...), 20, m.flags, method, uint32(0), m.crc(), uint32(len(packed)),
			uint32(len(m.data)), uint16(len(name)), 0)
		file = append(append(file, name...), packed...)
		dir = append(dir, entry...)
	}
	return endRecord(file, dir, len(members))
}

// endRecord appends the directory and the end record.
func endRecord(file, dir []byte, members int) []byte {
	at := uint32(len(file))
	file = append(append(file, dir...), "PK\x05\x06"...)
	return put(file, 0, 0, uint16(members), uint16(members), uint32(len(dir)), at, 0)
}

func (m zipMember) shown() uint16 {
	if m.claim != 0 {
		return m.claim
	}
	return m.method
}

func (m zipMember) crc() uint32 {
	sum := crc32.ChecksumIEEE(m.data)
	if m.badCRC {
		sum++
	}
	return sum
}

// entry returns the member's entry in the directory. Sizes that do not fit 32 bits go to a zip64
// field.
func (m zipMember) entry(at, packedLen int) []byte {
	packed, size := uint64(packedLen+m.packedOff), uint64(len(m.data))
	if m.packed != nil {
		packed = *m.packed
	}
	if m.size != nil {
		size = *m.size
	}
	var extra []byte
	if size >= math.MaxUint32 || packed >= math.MaxUint32 {
		extra = put(nil, 1, 16, size, packed)
		size, packed = math.MaxUint32, math.MaxUint32
	}
	if m.noExtra {
		size, packed = math.MaxUint32, math.MaxUint32
	}
	e := put([]byte("PK\x01\x02"), 20, 20, m.flags, m.shown(), uint32(0), m.crc(), uint32(packed), uint32(size),
		uint16(len(m.name)), uint16(len(extra)), 0, m.disk, 0, uint32(0), uint32(at+m.shift))
	return append(append(e, m.name...), extra...)
}

// zip64NPZ returns the archive with zip64 end records, which say the same as packNPZ's.
func zip64NPZ(members ...zipMember) []byte {
	b := packNPZ(members...)
	b = b[:len(b)-22]
	at := bytes.Index(b, []byte("PK\x01\x02"))
	n, start := uint64(len(members)), uint64(len(b))
	b = put(append(b, "PK\x06\x06"...), uint64(44), 45, 45, uint32(0), uint32(0), n, n, start-uint64(at), uint64(at))
	b = put(append(b, "PK\x06\x07"...), uint32(0), start, uint32(1))
	return put(append(b, "PK\x05\x06"...), 0, 0, uint16(0xffff), uint16(0xffff), uint32(math.MaxUint32),
		uint32(math.MaxUint32), 0)
}

// put appends fields to b, little endian, each in the size of its type; an untyped constant is a
// uint16.
func put(b []byte, fields ...any) []byte {
	for _, f := range fields {
		switch v := f.(type) {
		case int:
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, v)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	return b
}

// bomb returns a deflated array that claims claim bytes and holds mib MiB of zeros. After a flush
// the stream is at a whole byte and every MiB packs to the same bytes, so one is packed once and
// repeated.
func bomb(name string, mib int, claim uint64) zipMember {
	const header = 128
	text := dictNPY("<f4", fmt.Sprintf("(%d,)", (claim-header)/4))
	text = fmt.Sprintf("%*s\n", -(header - 10 - 1), text[:len(text)-1])
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(NPY(text, 0))
	zeros := make([]byte, 1<<20)
	w.Write(zeros)
	w.Flush()
	first := b.Len()
	w.Write(zeros)
	w.Flush()
	again := bytes.Clone(b.Bytes()[first:])
	b.Truncate(first)
	for range mib - 1 {
		b.Write(again)
	}
	b.Write([]byte{1, 0, 0, 0xff, 0xff}) // the last block: stored, empty
	return zipMember{name: name, method: 8, stream: b.Bytes(), size: &claim}
}

// claims returns n deflated members that each claim size bytes; the packed size is wrong too, so
// that no ratio is suspicious.
func claims(n int, size uint64) []zipMember {
	packed := size / 100
	members := make([]zipMember, n)
	for i := range members {
		members[i] = memberNPZ(fmt.Sprintf("%d.npy", i))
		members[i].method, members[i].size, members[i].packed = 8, &size, &packed
	}
	return members
}

// overlapping returns an archive of n members which all share the bytes of one.
func overlapping(n int) []byte {
	m := memberNPZ("000.npy")
	file := packNPZ(m)
	at := bytes.Index(file, []byte("PK\x01\x02"))
	var dir []byte
	for i := range n {
		m.name = fmt.Sprintf("%03d.npy", i)
		dir = append(dir, m.entry(0, len(m.data))...)
	}
	return endRecord(file[:at], dir, n)
}
