package badfiles

// This file: bad .npz files.

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
)

// NPZ returns the bad .npz files: each must fail when it is opened, or when its arrays are read to
// their ends.
func NPZ() []Case {
	return slices.Concat(npzFiles(), npzDirectories(), npzMembers(), npzNames(), npzHeaders(), npzShapes())
}

// npzFiles returns files that are not zip files, and zip files that are cut.
func npzFiles() []Case {
	good := packNPZ(memberNPZ("a.npy"), memberNPZ("b.npy"))
	directory := bytes.Index(good, []byte("PK\x01\x02"))
	const cut = "no zip directory at the end"
	return []Case{
		{"empty", nil, "empty"},
		{"one byte", []byte("\x01"), "not a zip file"},
		{"zeros", make([]byte, 4096), "a file of zeros"},
		{"gguf", []byte("GGUF\x03\x00\x00\x00"), "a GGUF file"},
		{"bare npy", NPY("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", 4), "a single array"},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "gzip"},
		{"web page", []byte("<!DOCTYPE html><title>Sign in</title>"), "web page"},
		{"LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "Git LFS"},
		{"cut at 1%", good[:len(good)/100+4], cut},
		{"cut at 50%", good[:len(good)/2], cut},
		{"cut at 99%", good[:len(good)*99/100], cut},
		{"cut before the directory", good[:directory], cut},
		{"cut in the directory", good[:directory+20], cut},
		{"bytes added at the end", append(slices.Clone(good), 0), cut},
		{"bytes added in front", append([]byte("PK\x03\x04"), good...), "want them to end at"},
		{"hole in the middle", slices.Concat(good[:directory], make([]byte, 9), good[directory:]),
			"want them to end at"},
		{"first member gone", good[bytes.LastIndex(good, []byte("PK\x03\x04")):], "want them to end at"},
	}
}

// npzDirectories returns files with directories whose counts, sizes and offsets lie.
func npzDirectories() []Case {
	end := func(at int, v ...byte) []byte { // good, with bytes of the end record replaced
		b := packNPZ(memberNPZ("a.npy"))
		copy(b[len(b)-22+at:], v)
		return b
	}
	wide := func(at int, v ...byte) []byte { // the same for the 56 + 20 bytes of the zip64 records
		b := zip64NPZ(memberNPZ("a.npy"))
		copy(b[len(b)-22-76+at:], v)
		return b
	}
	ff := bytes.Repeat([]byte{0xff}, 8)
	many := make([]zipMember, 5000)
	for i := range many {
		many[i] = zipMember{name: fmt.Sprintf("%d.npy", i)}
	}
	return []Case{
		{"5000 members", packNPZ(many...), "5000 members, want at most 4096"},
		{"one member too many in the count", end(8, 2, 0, 2, 0), "fewer members than it says"},
		{"no member in the count", end(8, 0, 0, 0, 0), "after its 0 members"},
		{"disk number", end(4, 1), "several volumes"},
		{"count on this disk differs", end(8, 2), "several volumes"},
		{"directory offset beyond the end", end(16, 0xf0, 0xff, 0xff, 0x7f), "want them to end at"},
		{"directory size beyond the end", end(12, 0xf0, 0xff, 0xff, 0x7f), "want them to end at"},
		{"comment length", end(20, 1), "no zip directory at the end"},
		{"directory of 9 MiB", endRecord([]byte("PK\x03\x04"), make([]byte, 9<<20), 1), "9437184 bytes, want at most"},
		{"zip64 promised, not there", end(8, 0xff, 0xff, 0xff, 0xff), "zip64"},
		{"zip64 promised in 22 bytes", wide(0)[len(wide(0))-22:], "zip64: end records are missing"},
		{"zip64 count 2^64-1", wide(24, append(slices.Clone(ff), ff...)...), "members, want at most 4096"},
		{"zip64 size 2^64-1", wide(40, ff...), "want them to end at"},
		{"zip64 offset 2^64-1", wide(48, ff...), "want them to end at"},
		{"zip64 size and offset wrap round", wide(40, slices.Concat(ff, []byte{1})...), "want them to end at"},
		{"zip64 record size", wide(4, 0xff), "zip64: end records are damaged"},
		{"zip64 locator points elsewhere", wide(56+8, 0xff), "zip64: end records are damaged"},
		{"zip64 disks", wide(56+16, 2), "several volumes"},
	}
}

// npzMembers returns files with entries whose methods, sizes and offsets lie, and bombs.
func npzMembers() []Case {
	one := func(change func(m *zipMember)) []byte {
		m := memberNPZ("a.npy")
		change(&m)
		return packNPZ(m)
	}
	size := func(packed, unpacked uint64) func(m *zipMember) {
		return func(m *zipMember) { m.packed, m.size = &packed, &unpacked }
	}
	squeezed := func(change func(m *zipMember)) []byte { return one(func(m *zipMember) { m.method = 8; change(m) }) }
	mib := uint64(1 << 20)
	n := uint64(len(memberNPZ("a.npy").data))
	cases := []Case{
		{"encrypted", one(func(m *zipMember) { m.flags = 1 }), "encrypted"},
		{"strongly encrypted", one(func(m *zipMember) { m.flags = 1 << 6 }), "encrypted"},
		{"CRC wrong", one(func(m *zipMember) { m.badCRC = true }), `"a.npy": CRC-32`},
		{"CRC wrong, deflated", squeezed(func(m *zipMember) { m.badCRC = true }), `"a.npy": CRC-32`},
		{"stored, sizes differ", one(size(n-1, n)), "stored, but its sizes differ"},
		{"stored, one byte short", one(size(n-1, n-1)), "bytes of elements, want"},
		{"stored, past the end", one(size(n+1, n+1)), "past the end of the members"},
		{"stored, 11 GB claimed", one(size(11e9, 11e9)), "past the end of the members"},
		{"size 2^63", one(size(1<<63, 1<<63)), "a size or offset of"},
		{"size 2^64-1", one(size(math.MaxUint64, math.MaxUint64)), "a size or offset of"},
		{"deflated, claims less than it holds", squeezed(func(m *zipMember) { m.hidden = 1 }),
			"continues after its size"},
		{"deflated, claims more than it holds", squeezed(func(m *zipMember) { m.hidden = -1 }), "before its size"},
		{"deflated, packed size one short", squeezed(func(m *zipMember) { m.packedOff = -1 }), `"a.npy"`},
		{"deflated, not a deflate stream", squeezed(func(m *zipMember) { m.stream = []byte{0xff, 0xff, 0xff} }),
			"flate"},
		{"stored, says deflated locally", one(func(m *zipMember) { m.localMethod = 8 }), "disagree on the compression"},
		{"other name locally", one(func(m *zipMember) { m.localName = "b.npy" }), "disagree on the name"},
		{"longer name locally", one(func(m *zipMember) { m.localName = "aaaaaa.npy" }), "disagree on the name"},
		{"offset beyond the directory", one(func(m *zipMember) { m.shift = 1 << 20 }), "outside the file"},
		{"offset beside a local header", one(func(m *zipMember) { m.shift = 1 }), "no local header"},
		{"zip64 sizes missing", one(func(m *zipMember) { m.noExtra = true }), "zip64: sizes are missing"},
		{"member on another disk", one(func(m *zipMember) { m.disk = 1 }), "several volumes"},
		{"bomb: 1 MiB to 1 GiB", packNPZ(bomb("a.npy", 1024, 1024*mib)), "want at most 200 times"},
		{"bomb: claims 1 MiB, holds 64", packNPZ(bomb("a.npy", 64, mib)), "continues after its size"},
		{"bomb: claims 1 GiB, holds 1 MiB", packNPZ(bomb("a.npy", 1, 1024*mib)), "want at most 200 times"},
		{"bomb: claims 60 MiB, holds 1", packNPZ(bomb("a.npy", 1, 60*mib)), "before its size"},
		{"bomb: 130 GB in all", packNPZ(claims(13, 10e9)...), "members unpack to more than"},
		{"bomb: members overlap", overlapping(100), "overlaps the member before it"},
	}
	for method, word := range map[uint16]string{9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard",
		99: "method 99"} {
		cases = append(cases, Case{fmt.Sprintf("method %d", method), one(func(m *zipMember) { m.claim = method }),
			word})
	}
	return cases
}

// npzNames returns files with members whose names are not those of arrays or are dangerous as
// paths.
func npzNames() []Case {
	var cases []Case
	for _, c := range []struct{ what, name, want string }{
		{"empty", "", "NAME.npy"},
		{"no ending", "weights", "NAME.npy"},
		{"only the ending", ".npy", "NAME.npy"},
		{"pickle", "a.pkl", "NAME.npy"},
		{"folder", "params/", "a folder"},
		{"parent", "../x.npy", `".." part`},
		{"parent inside", "a/../../x.npy", `".." part`},
		{"empty part", "a//x.npy", "has an empty"},
		{"dot", "a/./x.npy", "has an empty"},
		{"two dots", "././x.npy", "has an empty"},
		{"macOS, elsewhere", "a/__MACOSX/x", "NAME.npy"},
		{"absolute", "/etc/x.npy", "absolute"},
		{"drive", `C:\x.npy`, "absolute"},
		{"drive, forward", "C:/x.npy", "absolute"},
		{"backslash", `a\..\x.npy`, "absolute"},
		{"NUL", "a\x00.npy", "not text"},
		{"escape sequence", "\x1b[2J.npy", "not text"},
		{"not UTF-8", "\xff\xfe.npy", "not text"},
		{"long", strings.Repeat("a", 600) + ".npy", "longer than 512"},
		{"64 KiB", strings.Repeat("a", 65531) + ".npy", "longer than 512"},
	} {
		cases = append(cases, Case{"name: " + c.what, packNPZ(memberNPZ(c.name)), c.want})
	}
	return append(cases,
		Case{"name: twice", packNPZ(memberNPZ("a.npy"), memberNPZ("a.npy")), "duplicate member"},
		Case{"name: twice but for case", packNPZ(memberNPZ("llm/W.npy"), memberNPZ("llm/w.npy")), "duplicate member"})
}

// npzHeaders returns files with arrays whose header is not a dict of the three keys, or names
// another element type.
func npzHeaders() []Case {
	var cases []Case
	for _, c := range []struct{ what, text, want string }{
		{"no }", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), \n", "array header"},
		{"no {", "'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", "want {"},
		{"text after it", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x\n", "spaces and a newline"},
		{"text on a second line", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\nx\n",
			"spaces and a newline"},
		{"NUL after it", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\x00\n", "spaces and a newline"},
		{"empty dict", "{}\n", "0 keys"},
		{"key missing", "{'descr': '<f4', 'shape': (1,), }\n", "2 keys"},
		{"key unknown", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}\n", `key "x"`},
		{"key twice", "{'descr': '<f4', 'descr': '<f2', 'fortran_order': False, 'shape': (1,), }\n", "twice"},
		{"key without value", "{'descr', 'fortran_order': False, 'shape': (1,), }\n", "want 'key':"},
		{"no comma", "{'descr': '<f4' 'fortran_order': False, 'shape': (1,), }\n", "want , or }"},
		{"string without end", "{'descr': '<f4\n", "in quotes"},
		{"escape in string", `{'descr': '\x3cf4', 'fortran_order': False, 'shape': (1,), }` + "\n", "in quotes"},
		{"order is a number", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }\n", "True or False"},
		{"code", "__import__('os').system('true')\n", "want {"},
		{"deep brackets", strings.Repeat("{", 60000) + "\n", "want 'key':"},
		{"objects", dictNPY("|O", "(1,)"), "pickled"},
		{"void of 3", dictNPY("|V3", "(1,)"), "want <f4"},
		{"big-endian void", dictNPY(">V2", "(1,)"), "want <f4"},
		{"float64", dictNPY("<f8", "(1,)"), "want <f4"},
		{"int64", dictNPY("<i8", "(1,)"), "want <f4"},
		{"bool", dictNPY("|b1", "(1,)"), "want <f4"},
		{"text", dictNPY("<U4", "(1,)"), "want <f4"},
		{"long type", dictNPY(strings.Repeat("f", 50000), "(1,)"), "want <f4"},
		{"structured", "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", "structured"},
	} {
		cases = append(cases, Case{"header: " + c.what, packNPZ(zipMember{name: "a.npy", data: NPY(c.text, 4)}),
			c.want})
	}
	raw := func(b ...byte) []byte {
		return packNPZ(zipMember{name: "a.npy", data: append([]byte("\x93NUMPY"), b...)})
	}
	return append(cases,
		Case{"header: no array", packNPZ(zipMember{name: "a.npy"}), "header is cut"},
		Case{"header: other magic", packNPZ(zipMember{name: "a.npy", data: []byte("\x80\x04pickle..")}),
			"array begins with"},
		Case{"header: version 9", raw(9, 0, 1, 0, '\n'), "version 9.0"},
		Case{"header: version 1.1", raw(1, 1, 1, 0, '\n'), "version 1.1"},
		Case{"header: version 0", raw(0, 0, 1, 0, '\n'), "version 0.0"},
		Case{"header: length 0", raw(1, 0, 0, 0), "header of 0 bytes"},
		Case{"header: length 65535 of 1", raw(1, 0, 0xff, 0xff, '{'), "header is cut"},
		Case{"header: length 65536", raw(2, 0, 0, 0, 1, 0, '{'), "header of 65536 bytes"},
		Case{"header: length 4 GiB", raw(3, 0, 0xff, 0xff, 0xff, 0xff, '{'), "header of 4294967295 bytes"},
		Case{"header: cut in its length", raw(1, 0, 1), "header is cut"})
}

// npzShapes returns files with arrays whose shape is malformed or does not fit the bytes.
func npzShapes() []Case {
	var cases []Case
	for _, c := range []struct{ shape, want string }{
		{"(-1,)", "a whole number"},
		{"(1.0,)", "a comma after"},
		{"(1LL,)", "a comma after"},
		{"(L,)", "a whole number"},
		{"(01,)", "a whole number"},
		{"(0x1,)", "a comma after"},
		{"(1)", "a comma after"},
		{"(,)", "a whole number"},
		{"(1,,1)", "a whole number"},
		{"(1, 1 1)", "want , or )"},
		{"[1]", "in brackets"},
		{"None", "in brackets"},
		{"(1,", "a whole number"},
		{"(2,)", "want 2 x 4"},
		{"(0,)", "want 0 x 4"},
		{"(268435456,)", "want 268435456 x 4"},
		{"(9223372036854775807,)", "too many elements"},
		{"(9223372036854775808,)", "a whole number"},
		{"(4294967296, 4294967296)", "too many elements"},
		{"(4294967297, 4294967297, 4294967297)", "too many elements"},
		{"(0, 4294967296, 4294967296)", "too many elements"},
		{"(" + strings.Repeat("1, ", 33) + ")", "more than 8 axes"},
		{"(" + strings.Repeat("9", 60000) + ",)", "a whole number"},
	} {
		cases = append(cases, Case{"shape: " + c.shape[:min(len(c.shape), 40)],
			packNPZ(zipMember{name: "a.npy", data: NPY(dictNPY("<f4", c.shape), 4)}), c.want})
	}
	return cases
}
