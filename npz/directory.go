package npz

// This file: the zip directory, at the end of the file. Its members come out in the order in which
// they lie in the file; their offsets, packed and unpacked sizes are known to be possible.
//
// The layout is PKWARE's APPNOTE.TXT 4.3; offsets in bytes, little endian. archive/zip is not used
// for reading: it reads more than the declared number of entries, has no limits, hides where
// members lie, and does not check a member whose CRC is recorded as 0.
//
//	[local header, name, extra, data] ... [directory] [zip64 end 56] [zip64 locator 20] [end 22]

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pali-gguf/pali/internal/filekind"
)

const (
	localSig, localLen     = "PK\x03\x04", 30
	entrySig, entryLen     = "PK\x01\x02", 46
	end64Sig, end64Len     = "PK\x06\x06", 56
	locatorSig, locatorLen = "PK\x06\x07", 20
	endSig, endLen         = "PK\x05\x06", 22

	stored, deflated = 0, 8 // compression methods

	// 4.4.4: encrypted, patched, strongly encrypted, directory masked
	badFlags = 1<<0 | 1<<5 | 1<<6 | 1<<13
)

// member is one file in the archive.
type member struct {
	name         string
	method       uint16
	crc          uint32
	packed, size int64 // bytes in the file, bytes unpacked
	local        int64 // offset of the local header
	data         int64 // offset of the packed bytes
	ignored      bool  // a folder, or what macOS adds to an archive
}

// key returns the member's name without "./" before it.
func (m *member) key() string { return strings.TrimPrefix(m.name, "./") }

var (
	u16 = binary.LittleEndian.Uint16
	u32 = binary.LittleEndian.Uint32
	u64 = binary.LittleEndian.Uint64
)

// readDirectory returns the members of r, of size bytes, after checking names, methods, sizes, and
// that they do not overlap.
func readDirectory(r io.ReaderAt, size int64) ([]*member, error) {
	if err := looksLikeZip(r, size); err != nil {
		return nil, err
	}
	count, at, length, err := findDirectory(r, size)
	if err != nil {
		return nil, err
	}
	if count > maxMembers {
		return nil, fmt.Errorf("zip directory: %d members, want at most %d", count, maxMembers)
	}
	if length > maxDirectory {
		return nil, fmt.Errorf("zip directory: %d bytes, want at most %d", length, maxDirectory)
	}
	dir := make([]byte, length) // inside the file: findDirectory checked
	if err := readAt(r, dir, at); err != nil {
		return nil, fmt.Errorf("zip directory: %w", err)
	}
	var members []*member
	var total int64
	names := make(map[string]string)
	for range count {
		m, n, err := parseEntry(dir)
		if err != nil {
			return nil, err
		}
		dir = dir[n:]
		lower := strings.ToLower(m.key())
		if other, ok := names[lower]; ok {
			return nil, fmt.Errorf("duplicate member: %s and %s", quote(other), quote(m.name))
		}
		names[lower] = m.name
		if total += m.size; total > maxTotal { // each is at most maxTotal: no overflow
			return nil, fmt.Errorf("members unpack to more than %d bytes", int64(maxTotal))
		}
		members = append(members, m)
	}
	if len(dir) != 0 {
		return nil, fmt.Errorf("zip directory: %d bytes after its %d members", len(dir), count)
	}
	err = locateData(r, members, at)
	return slices.DeleteFunc(members, func(m *member) bool { return m.ignored }), err
}

// locateData finds the data of each of members, after its local header, and checks that no two
// members share a byte and none reaches into the directory.
func locateData(r io.ReaderAt, members []*member, directory int64) error {
	slices.SortFunc(members, func(a, b *member) int { return cmp.Compare(a.local, b.local) })
	var end int64
	var name []byte
	for _, m := range members {
		if m.local < end {
			return fmt.Errorf("%s: overlaps the member before it", quote(m.name))
		}
		var h [localLen]byte
		if m.local > directory-localLen {
			return fmt.Errorf("%s: local header lies outside the file", quote(m.name))
		}
		if err := readAt(r, h[:], m.local); err != nil {
			return fmt.Errorf("%s: local header: %w", quote(m.name), err)
		}
		if string(h[:4]) != localSig {
			return fmt.Errorf("%s: no local header where the directory says", quote(m.name))
		}
		if u16(h[6:])&badFlags != 0 || u16(h[8:]) != m.method {
			return fmt.Errorf("%s: local header and directory disagree on the compression", quote(m.name))
		}
		if nameLen := int(u16(h[26:])); nameLen == len(m.name) && m.local+localLen+int64(nameLen) <= directory {
			name = append(name[:0], m.name...)
			if err := readAt(r, name, m.local+localLen); err != nil {
				return fmt.Errorf("%s: local header: %w", quote(m.name), err)
			}
		} else {
			name = name[:0]
		}
		if string(name) != m.name {
			return fmt.Errorf("%s: local header and directory disagree on the name", quote(m.name))
		}
		m.data = m.local + localLen + int64(u16(h[26:])) + int64(u16(h[28:]))
		if m.data > directory || m.packed > directory-m.data {
			return fmt.Errorf("%s: %d bytes at %d reach past the end of the members at %d", quote(m.name), m.packed,
				m.data, directory)
		}
		end = m.data + m.packed
	}
	return nil
}

// looksLikeZip refuses files that do not begin as a zip file, and names those that people mistake
// for a checkpoint.
func looksLikeZip(r io.ReaderAt, size int64) error {
	if err := filekind.OfReader("", r, size, filekind.Checkpoint); err != nil {
		return err
	}
	head := make([]byte, min(size, 4))
	if err := readAt(r, head, 0); err != nil {
		return err
	}
	if string(head) != localSig && string(head) != endSig {
		return fmt.Errorf("not a zip file: it begins with %q, want %q", head, localSig)
	}
	return nil
}

// findDirectory reads the end records and returns the number of members and the directory's offset
// and length in bytes.
func findDirectory(r io.ReaderAt, size int64) (count uint64, at, length int64, err error) {
	e, end, err := findEnd(r, size)
	if err != nil {
		return 0, 0, 0, err
	}
	disks, onDisk := u32(e[4:]), u16(e[8:])
	count, ulen, uat := uint64(u16(e[10:])), uint64(u32(e[12:])), uint64(u32(e[16:]))
	if disks != 0 || uint64(onDisk) != count {
		return 0, 0, 0, errors.New("a zip file in several volumes is not read")
	}
	limit := end
	if count == math.MaxUint16 || ulen == math.MaxUint32 || uat == math.MaxUint32 {
		if count, ulen, uat, err = findDirectory64(r, limit); err != nil {
			return 0, 0, 0, err
		}
		limit -= locatorLen + end64Len
	}
	if ulen > uint64(limit) || uat != uint64(limit)-ulen {
		return 0, 0, 0, fmt.Errorf("zip directory: %d bytes at offset %d, want them to end at %d", ulen, uat, limit)
	}
	return count, int64(uat), int64(ulen), nil
}

// findEnd returns the end record and its offset: the file's last bytes, or all but a comment, which
// NumPy does not write and other programs do.
func findEnd(r io.ReaderAt, size int64) (record []byte, at int64, err error) {
	for _, n := range []int64{endLen, endLen + math.MaxUint16} {
		b := make([]byte, min(size, n))
		if err := readAt(r, b, size-int64(len(b))); err != nil {
			return nil, 0, fmt.Errorf("zip directory: %w", err)
		}
		for i := len(b) - endLen; i >= 0; i-- {
			if string(b[i:i+4]) == endSig && int(u16(b[i+20:])) == len(b)-i-endLen {
				return b[i : i+endLen], size - int64(len(b)-i), nil
			}
		}
	}
	return nil, 0, fmt.Errorf("incomplete: no zip directory at the end of its %d bytes: download it again, "+
		"or give all of its parts in order", size)
}

// findDirectory64 reads the zip64 records, which end at offset end.
func findDirectory64(r io.ReaderAt, end int64) (count, length, at uint64, err error) {
	var b [end64Len + locatorLen]byte
	start := end - int64(len(b))
	if start < 0 {
		return 0, 0, 0, errors.New("zip64: end records are missing")
	}
	if err := readAt(r, b[:], start); err != nil {
		return 0, 0, 0, fmt.Errorf("zip64: %w", err)
	}
	loc := b[end64Len:]
	if string(b[:4]) != end64Sig || string(loc[:4]) != locatorSig || u64(loc[8:]) != uint64(start) ||
		u64(b[4:]) != end64Len-12 {
		return 0, 0, 0, errors.New("zip64: end records are damaged")
	}
	if u32(loc[4:]) != 0 || u32(loc[16:]) > 1 || u64(b[16:]) != 0 || u64(b[24:]) != u64(b[32:]) {
		return 0, 0, 0, errors.New("a zip file in several volumes is not read")
	}
	return u64(b[32:]), u64(b[40:]), u64(b[48:]), nil
}

// parseEntry reads the member's entry at the start of dir and returns its length in bytes.
func parseEntry(dir []byte) (*member, int, error) {
	if len(dir) < entryLen || string(dir[:4]) != entrySig {
		return nil, 0, errors.New("zip directory: fewer members than it says")
	}
	nameLen, extraLen, commentLen := int(u16(dir[28:])), int(u16(dir[30:])), int(u16(dir[32:]))
	n := entryLen + nameLen + extraLen + commentLen
	if n > len(dir) {
		return nil, 0, errors.New("zip directory: a member's entry is cut")
	}
	m := &member{name: string(dir[entryLen : entryLen+min(nameLen, maxName+1)]), method: u16(dir[10:]),
		crc: u32(dir[16:])}
	if u16(dir[8:])&badFlags != 0 {
		return nil, 0, fmt.Errorf("%s: encrypted members are not read", quote(m.name))
	}
	if m.method != stored && m.method != deflated {
		return nil, 0, fmt.Errorf("%s: compression method %d%s, want 0 (stored) or 8 (deflated)", quote(m.name),
			m.method, methodName(m.method))
	}
	if u16(dir[34:]) != 0 {
		return nil, 0, errors.New("a zip file in several volumes is not read")
	}
	extra := dir[entryLen+nameLen : entryLen+nameLen+extraLen]
	if err := m.sizes(u32(dir[24:]), u32(dir[20:]), u32(dir[42:]), extra); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", quote(m.name), err)
	}
	m.ignored = m.size == 0 && strings.HasSuffix(m.name, "/") || strings.HasPrefix(m.name, "__MACOSX/") ||
		path.Base(m.name) == ".DS_Store"
	if !m.ignored {
		if err := checkMember(m.key()); err != nil {
			return nil, 0, err
		}
	}
	return m, n, nil
}

// sizes sets the sizes and the offset of m. The value of a field of all ones is in the zip64 extra
// field, in this order (APPNOTE 4.5.3).
func (m *member) sizes(size, packed, local uint32, extra []byte) error {
	wide := zip64Extra(extra)
	for _, f := range []struct {
		short uint32
		to    *int64
	}{{size, &m.size}, {packed, &m.packed}, {local, &m.local}} {
		v := uint64(f.short)
		if f.short == math.MaxUint32 {
			if len(wide) < 8 {
				return errors.New("zip64: sizes are missing")
			}
			v, wide = u64(wide), wide[8:]
		}
		if v > maxTotal {
			return fmt.Errorf("a size or offset of %d bytes, want at most %d", v, int64(maxTotal))
		}
		*f.to = int64(v)
	}
	if m.method == stored && m.size != m.packed {
		return fmt.Errorf("stored, but its sizes differ: %d packed, %d unpacked", m.packed, m.size)
	}
	if m.size > freeSize && m.size/maxRatio > m.packed {
		return fmt.Errorf("%d bytes unpack to %d, want at most %d times as many", m.packed, m.size, maxRatio)
	}
	return nil
}

// zip64Extra returns the contents of the field with id 1 in extra; nil if there is none.
func zip64Extra(extra []byte) []byte {
	for len(extra) >= 4 {
		n := int(u16(extra[2:]))
		if n > len(extra)-4 {
			return nil
		}
		if u16(extra) == 1 {
			return extra[4 : 4+n]
		}
		extra = extra[4+n:]
	}
	return nil
}

// checkMember refuses names that are not those of arrays, and those that would be dangerous as a
// path. Nothing here writes them to disk, but other programs may.
func checkMember(name string) error {
	bad := ""
	key, npy := strings.CutSuffix(name, ".npy")
	switch {
	case len(name) > maxName:
		bad = fmt.Sprintf("longer than %d bytes", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		bad = "holds bytes that are not text"
	case strings.HasPrefix(name, "/") || strings.ContainsAny(name, `\:`):
		bad = "is an absolute path or holds \\ or :"
	case strings.HasSuffix(name, "/"):
		bad = "is a folder's, and has bytes"
	case !npy || key == "" || strings.HasSuffix(key, "/"):
		bad = "does not end in NAME.npy: if the .npz is within this zip file, unpack it first (unzip)"
	default:
		for _, p := range strings.Split(key, "/") {
			if p == "" || p == "." || p == ".." {
				bad = `has an empty, "." or ".." part`
			}
		}
	}
	if bad != "" {
		return fmt.Errorf("member name %s %s", quote(name), bad)
	}
	return nil
}

func methodName(m uint16) string {
	switch m {
	case 9:
		return " (deflate64)"
	case 12:
		return " (bzip2)"
	case 14:
		return " (LZMA)"
	case 93:
		return " (Zstandard)"
	}
	return ""
}

// readAt fills b from r at offset at; it fails with io.ErrUnexpectedEOF if r ends too early.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
