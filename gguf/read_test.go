package gguf_test

// This file: Read against every bad file of package badfiles, against every cut and every flipped
// bit of a good one, and against what a path can be.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
)

// smallKVs and smallTensors make a file of some 600 bytes with every type of value.
var (
	smallKVs = []gguf.KV{
		{Key: "general.architecture", Value: "gemma"}, {Key: "u8", Value: uint8(200)}, {Key: "i8", Value: int8(-3)},
		{Key: "u16", Value: uint16(65535)},
		{Key: "i16", Value: int16(-300)}, {Key: "u32", Value: uint32(1 << 31)}, {Key: "i32", Value: int32(-5)},
		{Key: "f32", Value: float32(1.5)},
		{Key: "t", Value: true}, {Key: "u64", Value: uint64(1 << 63)}, {Key: "i64", Value: int64(-7)},
		{Key: "f64", Value: 2.5},
		{Key: "strings", Value: []string{"", "▁a", "<0x0A>"}}, {Key: "floats", Value: []float32{1, -2}},
		{Key: "bools", Value: []bool{true, false}},
		{Key: "none", Value: []int32{}},
	}
	smallTensors = []gguf.Tensor{
		{Name: "a.weight", Type: gguf.F16, Shape: []int{2, 3}}, {Name: "b.weight", Type: gguf.Q8_0,
			Shape: []int{2, 32}}, {Name: "c", Type: gguf.F32, Shape: []int{5}},
	}
)

func small(t testing.TB) []byte { return file(t, smallKVs, smallTensors) }

func file(t testing.TB, kvs []gguf.KV, tensors []gguf.Tensor) []byte {
	t.Helper()
	b, err := badfiles.File(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(b []byte) (*gguf.File, error) { return gguf.Read(bytes.NewReader(b), int64(len(b))) }

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func checkAllocated(t testing.TB, got int64, size int) {
	t.Helper()
	if most := 4*int64(size) + 1<<20; got > most {
		t.Errorf("%d bytes allocated for a file of %d, want at most %d", got, size, most)
	}
}

func TestBadFiles(t *testing.T) {
	cases, seen := badfiles.GGUF(), map[string]bool{}
	if len(cases) < 60 {
		t.Fatalf("%d bad files, want at least 60", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if seen[c.Name] || c.Want == "" {
				t.Fatal("the case has no name of its own, or no words to expect")
			}
			seen[c.Name] = true
			var err error
			checkAllocated(t, allocated(func() { _, err = read(c.Data) }), len(c.Data))
			if err == nil || !strings.Contains(err.Error(), c.Want) {
				t.Fatalf("have error %v, want %q in it", err, c.Want)
			}
			if len(err.Error()) > 300 {
				t.Errorf("an error of %d bytes: %v", len(err.Error()), err)
			}
		})
	}
}

func TestEveryCut(t *testing.T) {
	whole := small(t)
	if len(whole) < 500 {
		t.Fatalf("a file of %d bytes, want one worth cutting", len(whole))
	}
	end := len(whole) - 12 // the last tensor's 20 bytes are padded to 32, and a file may end before its last padding
	for n := range len(whole) {
		_, err := read(whole[:n])
		if (err == nil) != (n == end) {
			t.Errorf("cut at %d of %d: have error %v", n, len(whole), err)
		}
	}
}

func TestEveryBit(t *testing.T) {
	whole := small(t)
	f, err := read(whole)
	if err != nil {
		t.Fatal(err)
	}
	header, accepted := int(f.Tensors[0].Offset), 0
	for i := range 8 * header {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		var f *gguf.File
		var err error
		checkAllocated(t, allocated(func() { f, err = read(b) }), len(b))
		if err != nil {
			continue
		}
		accepted++
		if err := consistent(f, int64(len(b))); err != nil {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	if accepted == 0 || accepted == 8*header {
		t.Errorf("%d of %d flips accepted; want some, for values, and not all", accepted, 8*header)
	}
}

// consistent checks what must hold for any accepted file: Lookup and Tensor find everything, and
// the data lie inside the file, in order.
func consistent(f *gguf.File, size int64) error {
	for _, kv := range f.KVs {
		v, ok := f.Lookup(kv.Key)
		if !ok || fmt.Sprint(v) != fmt.Sprint(kv.Value) {
			return fmt.Errorf("key %s: found %v %v, want %v", kv.Key, v, ok, kv.Value)
		}
	}
	end := int64(24)
	for _, t := range f.Tensors {
		if got, ok := f.Tensor(t.Name); !ok || !reflect.DeepEqual(got, t) {
			return fmt.Errorf("tensor %s: found %v %v, want %v", t.Name, got, ok, t)
		}
		if t.Offset < end || t.Bytes() <= 0 || t.Offset+t.Bytes() > size {
			return fmt.Errorf("tensor %s: %d bytes at %d, want them between %d and %d", t.Name, t.Bytes(), t.Offset,
				end, size)
		}
		end = t.Offset + t.Bytes()
		if n, err := io.Copy(io.Discard, f.Data(t)); err != nil || n != t.Bytes() {
			return fmt.Errorf("tensor %s: %d bytes of data, %v, want %d", t.Name, n, err, t.Bytes())
		}
	}
	return nil
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	good, text := filepath.Join(dir, "good.gguf"), filepath.Join(dir, "text.gguf")
	if err := errors.Join(os.WriteFile(good, small(t), 0o600), os.WriteFile(text, []byte("hello\n"),
		0o600)); err != nil {
		t.Fatal(err)
	}
	checkNotOpened(t, map[string]string{dir: "a folder", text: "a text file: want a GGUF file",
		filepath.Join(dir, "none"): ""})
	f, err := gguf.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := consistent(f, f.Size); err != nil {
		t.Error(err)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error("closed twice:", err)
	}
	if _, err := io.ReadAll(f.Data(f.Tensors[0])); !errors.Is(err, os.ErrClosed) {
		t.Errorf("data of a closed file: have error %v, want %v", err, os.ErrClosed)
	}
}

// A file that is written to while it is open is noticed.
func TestChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	for _, c := range []struct {
		name   string
		change func() error
	}{
		{"longer", func() error { return os.WriteFile(path, append(small(t), 0), 0o600) }},
		{"touched", func() error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)) }},
		{"nothing", func() error { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, small(t), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			if err := f.Unchanged(); (err == nil) != (c.name == "nothing") || err != nil &&
				err.Error() != "gguf: "+path+" changed while it was read" {
				t.Errorf("%s: %v", c.name, err)
			}
			if err := f.Close(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if err := f.Unchanged(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s: of a closed file: %v", c.name, err)
			}
		})
	}
}

// checkNotOpened checks that Open fails for each path with the words of wants, and names the path
// once.
func checkNotOpened(t *testing.T, wants map[string]string) {
	t.Helper()
	for path, want := range wants {
		_, err := gguf.Open(path)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: have error %v, want %q and the path once", path, err, want)
		}
	}
}

func TestShortReader(t *testing.T) {
	whole := small(t)
	for n := range len(whole) - 40 { // up to inside the last tensors' data
		_, err := gguf.Read(bytes.NewReader(whole[:n]), int64(len(whole)))
		if n < 24+100 && err == nil {
			t.Errorf("%d bytes of a file said to have %d: no error", n, len(whole))
		}
	}
	if _, err := gguf.Read(bytes.NewReader(nil), -1); err == nil {
		t.Error("a negative size: no error")
	}
}

// zerosAfter is a file of some bytes and then zeros without end.
type zerosAfter []byte

func (z zerosAfter) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < int64(len(z)) {
		copy(p, z[at:])
	}
	return len(p), nil
}

// TestMetadataLimit: a large file does not make large keys acceptable.
func TestMetadataLimit(t *testing.T) {
	whole := file(t, []gguf.KV{{Key: "a", Value: []uint64{}}}, nil)
	count := bytes.Index(whole, []byte("a\x09\x00\x00\x00")) + 9
	whole[count+3] = 3 // 48 Mi elements of 8 bytes
	var err error
	checkAllocated(t, allocated(func() { _, err = gguf.Read(zerosAfter(whole), 1<<30) }), 0)
	if err == nil || !strings.Contains(err.Error(), "goes past 268435456 bytes, the limit") {
		t.Errorf("have error %v, want the limit", err)
	}
}

func TestGet(t *testing.T) {
	f, err := read(small(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range smallKVs {
		if v, ok := f.Lookup(kv.Key); !ok || !reflect.DeepEqual(v, kv.Value) {
			t.Errorf("%s: have %v, want %v", kv.Key, v, kv.Value)
		}
	}
	if v, err := gguf.Get[uint32](f, "u32"); err != nil || v != 1<<31 {
		t.Errorf("have %d, %v", v, err)
	}
	if v, err := gguf.Get[[]string](f, "strings"); err != nil || len(v) != 3 {
		t.Errorf("have %q, %v", v, err)
	}
	if _, err := gguf.Get[uint32](f, "u64"); err == nil || err.Error() != "gguf: u64: have uint64, want uint32" {
		t.Errorf("wrong type: %v", err)
	}
	if _, err := gguf.Get[[]int32](f, "floats"); err == nil ||
		err.Error() != "gguf: floats: have []float32, want []int32" {
		t.Errorf("wrong array: %v", err)
	}
	if _, err := gguf.Get[uint32](f, "no.such"); err == nil || err.Error() != "gguf: missing key no.such" {
		t.Errorf("missing: %v", err)
	}
	if _, ok := f.Tensor("no.such"); ok {
		t.Error("found a tensor that is not there")
	}
}

// bigVocabulary is a file with as many pieces as a PaliGemma has.
func bigVocabulary(t testing.TB) []byte {
	const v = 257152
	pieces, scores, types := make([]string, v), make([]float32, v), make([]int32, v)
	for i := range pieces {
		pieces[i], scores[i], types[i] = fmt.Sprintf("▁%x", i), -float32(i), 1
	}
	return file(t, []gguf.KV{{Key: "tokens", Value: pieces}, {Key: "scores", Value: scores},
		{Key: "types", Value: types}}, nil)
}

func TestBigFilesStayInMemoryBound(t *testing.T) {
	empty, keys := make([]string, 500000), make([]gguf.KV, 65536)
	for i := range keys {
		keys[i] = gguf.KV{Key: fmt.Sprintf("%x", i), Value: uint8(i)}
	}
	tensors := make([]gguf.Tensor, 65536)
	for i := range tensors {
		tensors[i] = gguf.Tensor{Name: fmt.Sprintf("%x", i), Type: gguf.F32, Shape: []int{1}}
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"pieces", bigVocabulary(t)}, {"empty strings", file(t, []gguf.KV{{Key: "e", Value: empty}}, nil)},
		{"keys", file(t, keys, nil)}, {"tensors", file(t, nil, tensors)},
		{"long strings", file(t, []gguf.KV{{Key: "l", Value: []string{strings.Repeat("x", 3<<20),
			strings.Repeat("y", 3<<20)}}}, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			n := allocated(func() { _, err = read(c.b) })
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			t.Logf("%s: %d bytes allocated for %d", c.name, n, len(c.b))
			checkAllocated(t, n, len(c.b))
		})
	}
}

func BenchmarkRead(b *testing.B) {
	whole := bigVocabulary(b)
	b.SetBytes(int64(len(whole)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(whole); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzRead: whatever is accepted is consistent, stays within the memory bound, and is laid out
// again to a file that reads the same.
func FuzzRead(f *testing.F) {
	f.Add(small(f))
	for _, c := range badfiles.GGUF() {
		if len(c.Data) < 1<<12 {
			f.Add(c.Data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var file *gguf.File
		var err error
		checkAllocated(t, allocated(func() { file, err = read(b) }), len(b))
		if err != nil {
			return
		}
		if err := consistent(file, int64(len(b))); err != nil {
			t.Error(err)
		}
		if v, ok := file.Lookup("general.alignment"); ok && v != uint32(gguf.Alignment) {
			return // NewLayout writes one alignment only
		}
		l, err := gguf.NewLayout(file.KVs, file.Tensors)
		if err != nil {
			t.Fatalf("accepted by Read, refused by NewLayout: %v", err)
		}
		if n := len(l.Header); n > len(b)+gguf.Alignment || !bytes.HasPrefix(l.Header, b[:min(n, len(b))]) {
			t.Error("NewLayout gives other bytes than Read read")
		}
	})
}
