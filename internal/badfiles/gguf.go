package badfiles

// This file: bad GGUF files, each broken in one way: the mistakes that GGUF readers have made
// (unchecked counts, lengths, products, alignment, offsets and types) and the kinds of llama.cpp's
// tests/test-gguf.cpp.

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// raw is a GGUF file written field by field, without any check.
type raw []byte

// rawFile begins a file whose header claims these numbers of tensors and keys.
func rawFile(tensors, kvs uint64) raw { return raw("GGUF").u32(3).u64(tensors).u64(kvs) }

func (b raw) bytes(p ...byte) raw        { return append(b[:len(b):len(b)], p...) }
func (b raw) u32(v uint32) raw           { return binary.LittleEndian.AppendUint32(b[:len(b):len(b)], v) }
func (b raw) u64(v uint64) raw           { return binary.LittleEndian.AppendUint64(b[:len(b):len(b)], v) }
func (b raw) text(s string) raw          { return b.u64(uint64(len(s))).bytes([]byte(s)...) }
func (b raw) zeros(n int) raw            { return b.bytes(make([]byte, n)...) }
func (b raw) align(n int) raw            { return b.zeros((n - len(b)%n) % n) }
func (b raw) key(k string, t uint32) raw { return b.text(k).u32(t) }

// tensor appends the description of a tensor; ne is its shape with the fastest dimension first.
func (b raw) tensor(name string, t uint32, offset uint64, ne ...uint64) raw {
	b = b.text(name).u32(uint32(len(ne)))
	for _, n := range ne {
		b = b.u64(n)
	}
	return b.u32(t).u64(offset)
}

// array appends the beginning of an array value of key k with n elements of type t.
func (b raw) array(k string, t uint32, n uint64) raw { return b.key(k, 9).u32(t).u64(n) }

// GGUF returns the bad files.
func GGUF() []Case {
	var out []Case
	for _, group := range [][]Case{preambles(), keys(), values(), arrays(), alignments(), tensorNames(), shapes(),
		places(), truncations()} {
		out = append(out, group...)
	}
	for i := range out {
		out[i].Name = "gguf: " + out[i].Name
	}
	return out
}

func preambles() []Case {
	big := raw("GGUF").bytes(0, 0, 0, 3).bytes(0, 0, 0, 0, 0, 0, 0, 0).bytes(0, 0, 0, 0, 0, 0, 0, 0)
	version := func(v uint32) []byte { return raw("GGUF").u32(v).u64(0).u64(0) }
	return []Case{
		{"empty", nil, "not a GGUF file"},
		{"three bytes", []byte("GGU"), "not a GGUF file"},
		{"only the magic", []byte("GGUF"), "cut short"},
		{"text", []byte("hello, this is a text file and nothing else"), "not a GGUF file"},
		{"old magic", append([]byte("ggjt"), make([]byte, 20)...), "not a GGUF file"},
		{"lower case magic", append([]byte("gguf"), make([]byte, 20)...), "not a GGUF file"},
		{"zip", append([]byte("PK\x03\x04"), make([]byte, 100)...), "not a GGUF file"},
		{"zeros", make([]byte, 64), "not a GGUF file"},
		{"version 0", version(0), "version 0, want 3"},
		{"version 1", version(1), "version 1, want 3"},
		{"version 2", version(2), "version 2, want 3"},
		{"version 4", version(4), "version 4, want 3"},
		{"version 2^32-1", version(math.MaxUint32), "want 3"},
		{"big endian", big, "big-endian"},
		{"no counts", raw("GGUF").u32(3), "cut short"},
		{"half a count", raw("GGUF").u32(3).u64(0).u32(0), "cut short"},
		{"2^64-1 tensors", rawFile(math.MaxUint64, 0), "tensors, want at most"},
		{"65537 tensors", rawFile(65537, 0), "tensors, want at most"},
		{"65536 tensors in nothing", rawFile(65536, 0), "cut short"},
		{"2^64-1 keys", rawFile(0, math.MaxUint64), "keys, want at most"},
		{"65537 keys", rawFile(0, 65537), "keys, want at most"},
		{"65536 keys in nothing", rawFile(0, 65536), "cut short"},
		{"bytes after the end", rawFile(0, 0).zeros(32), "after the last tensor"},
	}
}

func keys() []Case {
	one := func(k string) []byte { return rawFile(0, 1).key(k, 4).u32(1) }
	return []Case{
		{"empty key", one(""), "empty name"},
		{"key of 257 bytes", one(strings.Repeat("k", 257)), "want at most 256"},
		{"key of 65536 bytes", one(strings.Repeat("k", 65536)), "want at most 256"},
		{"key of 2^64-1 bytes", rawFile(0, 1).u64(math.MaxUint64).zeros(32), "want at most 256"},
		{"key past the end", rawFile(0, 1).u64(200).bytes('k').zeros(20), "cut short"},
		{"key with a NUL", one("general\x00name"), "printable ASCII"},
		{"key with a blank", one("general name"), "printable ASCII"},
		{"key in Greek", one("αβγ"), "printable ASCII"},
		{"key not UTF-8", one("a\xff\xfe"), "printable ASCII"},
		{"key twice", rawFile(0, 2).key("a", 4).u32(1).key("a", 4).u32(1), "key \"a\" twice"},
		{"key twice, apart", rawFile(0, 3).key("b", 4).u32(1).key("a", 4).u32(1).key("b", 0).bytes(1),
			"key \"b\" twice"},
		{"fewer keys than claimed", rawFile(0, 2).key("a", 10).u64(1).zeros(1), "cut short"},
	}
}

func values() []Case {
	one := func(t uint32) raw { return rawFile(0, 1).key("a", t) }
	return []Case{
		{"type 13", one(13).u64(0), "type 13"},
		{"type 2^32-1", one(math.MaxUint32).u64(0), "type 4294967295"},
		{"bool of 2", one(7).bytes(2), "a bool of 2"},
		{"bool of 255", one(7).bytes(255), "a bool of 255"},
		{"string of 2^64-1 bytes", one(8).u64(math.MaxUint64), "want at most 16777216"},
		{"string of 2^63 bytes", one(8).u64(1 << 63), "want at most 16777216"},
		{"string of 16 MiB and 1", one(8).u64(16<<20 + 1), "want at most 16777216"},
		{"string of 16 MiB in nothing", one(8).u64(16 << 20), "cut short"},
		{"string past the end by 1", one(8).u64(4).bytes('a', 'b', 'c'), "cut short"},
		{"string not UTF-8", one(8).text("a\xc0\xaf"), "not UTF-8"},
		{"string with a surrogate", one(8).text("\xed\xa0\x80"), "not UTF-8"},
		{"u64 cut", one(10).u32(1), "cut short"},
		{"no value", one(4), "cut short"},
	}
}

func arrays() []Case {
	one := func(t uint32, n uint64) raw { return rawFile(0, 1).array("a", t, n) }
	out := []Case{
		{"array of type 13", one(13, 1).u64(0), "an array of type 13"},
		{"array of 2^63 bytes", one(0, 1<<63).zeros(8), "want at most 67108864"},
		{"array of 2^64-1 strings", one(8, math.MaxUint64).zeros(8), "want at most 67108864"},
		{"array of 64 Mi and 1", one(0, 64<<20+1), "want at most 67108864"},
		{"array of 64 Mi bytes in nothing", one(0, 64<<20), "cut short"},
		{"array of 64 Mi strings in nothing", one(8, 64<<20), "cut short"},
		{"array of 64 Mi doubles in nothing", one(12, 64<<20), "cut short"},
		{"array past the end by 1", one(4, 2).u32(1).bytes(1, 2, 3), "cut short"},
		{"array whose size in bytes wraps", one(12, 1<<61), "want at most 67108864"},
		{"array of bools with a 2", one(7, 3).bytes(0, 1, 2), "a bool of 2"},
		{"array of strings, the second past the end", one(8, 2).text("abcdefgh").u64(9).zeros(8), "cut short"},
		{"array of strings, one not UTF-8", one(8, 2).text("a").text("\xff"), "not UTF-8"},
		{"array of strings, one of 2^62 bytes", one(8, 2).text("a").u64(1 << 62).zeros(64), "want at most 16777216"},
		{"array without a count", rawFile(0, 1).key("a", 9).u32(4), "cut short"},
	}
	for _, depth := range []int{1, 2, 10, 100} {
		b := rawFile(0, 1).key("a", 9)
		for range depth {
			b = b.u32(9).u64(1)
		}
		out = append(out, Case{fmt.Sprintf("array of array, %d deep", depth), b.u32(4).u64(1).u32(0),
			"an array of arrays"})
	}
	return out
}

func alignments() []Case {
	a := func(v uint32) []byte {
		return rawFile(1, 1).key("general.alignment", 4).u32(v).tensor("t", 0, 0, 8).align(32).zeros(32)
	}
	var out []Case
	for _, v := range []uint32{0, 1, 2, 3, 4, 7, 24, 33, 48, 8192, 1 << 30, 1 << 31, math.MaxUint32} {
		out = append(out, Case{fmt.Sprintf("alignment %d", v), a(v), "want a power of two"})
	}
	typed := func(t uint32) raw { return rawFile(0, 1).key("general.alignment", t) }
	return append(out,
		Case{"alignment as u64", typed(10).u64(32), "want uint32"},
		Case{"alignment 2^63", typed(10).u64(1 << 63), "want uint32"},
		Case{"alignment as i32", typed(5).u32(32), "want uint32"},
		Case{"alignment as string", typed(8).text("32"), "want uint32"},
		Case{"alignment as array", rawFile(0, 1).array("general.alignment", 4, 1).u32(32), "want uint32"},
	)
}

func tensorNames() []Case {
	one := func(name string) []byte { return rawFile(1, 0).tensor(name, 0, 0, 8).align(32).zeros(32) }
	return []Case{
		{"tensor without a name", one(""), "empty name"},
		{"tensor name of 64 bytes", one(strings.Repeat("n", 64)), "want at most 63"},
		{"tensor name of 2^64-1 bytes", rawFile(1, 0).u64(math.MaxUint64).zeros(64), "want at most 63"},
		{"tensor name with a NUL", one("a\x00b"), "printable ASCII"},
		{"tensor name not UTF-8", one("a\xff"), "printable ASCII"},
		{"tensor twice", rawFile(2, 0).tensor("t", 0, 0, 8).tensor("t", 0, 32, 8).align(32).zeros(64),
			"tensor \"t\" twice"},
		{"fewer tensors than claimed", rawFile(2, 0).tensor("t", 0, 0, 8).align(32).zeros(32), "0 dimensions"},
	}
}

func shapes() []Case {
	one := func(t uint32, ne ...uint64) []byte { return rawFile(1, 0).tensor("t", t, 0, ne...).align(32).zeros(64) }
	const gi = 1 << 30
	return []Case{
		{"no dimensions", one(0), "0 dimensions"},
		{"5 dimensions", one(0, 1, 1, 1, 1, 1), "5 dimensions"},
		{"2^32-1 dimensions", rawFile(1, 0).text("t").u32(math.MaxUint32).zeros(64), "dimensions, want 1 to 4"},
		{"dimension of 0", one(0, 0), "every dimension from 1"},
		{"second dimension of 0", one(0, 8, 0), "every dimension from 1"},
		{"dimension of -1", one(0, math.MaxUint64), "a dimension of -1"},
		{"dimension of 2^63", one(0, 1<<63), "a dimension of"},
		{"dimension of 2^63-1", one(0, math.MaxInt64), "a dimension of"},
		{"dimension of 2^31", one(0, 1<<31), "a dimension of 2147483648"},
		{"second dimension of 2^32 + 1", one(0, 8, 1<<32+1), "a dimension of"},
		{"product of 2^120", one(0, gi, gi, gi, gi), "too many elements"},
		{"product of 2^64", one(0, gi, gi, 16), "too many elements"},
		{"product of 2^64 in two steps", one(0, 16, 1<<28, gi, 4), "too many elements"},
		{"product of 2^63", one(0, gi, gi, 8), "too many elements"},
		{"2^62 elements of Q8_0", one(8, gi, gi, 4), "too many elements"},
		{"2^63 bytes of 2^60 doubles", one(28, gi, gi), "too many elements"},
		{"2^61 bytes of 2^59 floats", one(0, gi, gi/2), "go past the end"},
		{"half a block of Q8_0", one(8, 16), "a multiple of 32"},
		{"33 elements of Q4_0", one(2, 33), "a multiple of 32"},
		{"half a block of Q4_K", one(12, 128), "a multiple of 256"},
		{"element type 4, which is gone", one(4, 32), "is not known"},
		{"element type 31, which is gone", one(31, 32), "is not known"},
		{"element type 2^32-1", one(math.MaxUint32, 32), "is not known"},
	}
}

func places() []Case {
	two := func(first, second uint64, data int) raw {
		return rawFile(2, 0).tensor("t", 0, first, 8).tensor("u", 0, second, 8).align(32).zeros(data)
	}
	odd := rawFile(2, 0).tensor("t", 0, 0, 1).tensor("u", 0, 32, 8).align(32) // 28 bytes of padding after t
	return []Case{
		{"offset of 1", two(1, 32, 64), "hole or an overlap"},
		{"hole before the first", two(32, 64, 96), "hole or an overlap"},
		{"hole between", two(0, 64, 96), "hole or an overlap"},
		{"same place", two(0, 0, 32), "hole or an overlap"},
		{"overlap", two(0, 16, 64), "hole or an overlap"},
		{"order reversed", two(32, 0, 64), "hole or an overlap"},
		{"offset of 2^64-1", two(0, math.MaxUint64, 64), "an offset of"},
		{"offset of 2^63", two(0, 1<<63, 64), "an offset of"},
		{"offset of 2^60", two(0, 1<<60, 64), "hole or an overlap"},
		{"past the end by 1", two(0, 32, 63), "go past the end"},
		{"no data", two(0, 32, 0), "go past the end"},
		{"one byte more", two(0, 32, 65), "after the last tensor"},
		{"another 32 bytes", two(0, 32, 96), "after the last tensor"},
		{"padding before the data is not zero", rawFile(1, 0).tensor("t", 0, 0, 8).bytes(1).align(32).zeros(32),
			"is not zero"},
		{"padding between is not zero", odd.zeros(31).bytes(1).zeros(32), "is not zero"},
		{"padding at the end is not zero", rawFile(1, 0).tensor("t", 0, 0, 1).align(32).zeros(31).bytes(9),
			"is not zero"},
		{"cut in the padding before the data", rawFile(1, 0).tensor("t", 0, 0, 8), "past the end"},
		{"half of the last padding", rawFile(1, 0).tensor("t", 0, 0, 1).align(32).zeros(16), "after the last tensor"},
	}
}

// truncations cuts a good file of a few keys and tensors inside each of its parts.
func truncations() []Case {
	whole := rawFile(1, 2).key("general.architecture", 8).text("gemma").array("a", 5, 3).u32(1).u32(2).u32(3).
		tensor("t", 1, 0, 32, 2).align(32).zeros(128)
	var out []Case
	for _, at := range []int{25, 40, 60, 80, 100, 130, 150} {
		out = append(out, Case{fmt.Sprintf("cut at %d", at), whole[:at], "cut short"})
	}
	return append(out, Case{"cut in the data", whole[:len(whole)-1], "cut short"})
}
