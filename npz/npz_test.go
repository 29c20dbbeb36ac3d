package npz

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/tensor"
)

// array is what the tests write.
type array struct {
	name  string
	dtype tensor.DType
	shape []int
	data  []byte
}

func makeArray(name string, d tensor.DType, shape ...int) array {
	a := array{name: name, dtype: d, shape: shape}
	a.data = make([]byte, tensor.Tensor{DType: d, Shape: shape}.Bytes())
	for i := range a.data {
		a.data[i] = byte(i*7 + i>>8 + len(name))
	}
	return a
}

// sample has every element type and shapes of 0 to 8 axes.
func sample() []array {
	return []array{
		makeArray("params/img/embedding/kernel", tensor.F32, 3, 5, 7),
		makeArray("params/llm/embedder/input_embedding", tensor.BF16, 40, 9),
		makeArray("half", tensor.F16, 1, 2, 3, 1, 2, 1, 1, 2),
		makeArray("tokens", tensor.I32, 17),
		makeArray("scalar", tensor.F32),
		makeArray("none", tensor.F16, 4, 0, 3),
	}
}

func write(t testing.TB, arrays ...array) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, a := range arrays {
		if err := w.Add(a.name, a.dtype, a.shape, bytes.NewReader(a.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deflate writes the arrays as numpy.savez_compressed does.
func deflate(t testing.TB, arrays ...array) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, a := range arrays {
		head, err := formatHeader(a.dtype, a.shape)
		if err != nil {
			t.Fatal(err)
		}
		writeMember(t, z, zip.Deflate, a.name+".npy", append(head, a.data...))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeMember(t testing.TB, z *zip.Writer, method uint16, name string, data []byte) {
	t.Helper()
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// oneMember is an archive of one stored member.
func oneMember(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	writeMember(t, z, zip.Store, "a.npy", data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns every array, read to its end.
func read(data []byte) ([]array, error) {
	a, err := NewArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	return readArchive(a)
}

func readArchive(a *Archive) ([]array, error) {
	var out []array
	for _, x := range a.Tensors() {
		r, err := x.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
		out = append(out, array{x.Name, x.DType, x.Shape, data})
	}
	return out, nil
}

func same(t *testing.T, got, want []array) {
	t.Helper()
	for i := range want { // a scalar's shape may be nil or empty
		want[i].shape = append([]int{}, want[i].shape...)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(array{})); d != "" {
		t.Errorf("arrays differ (-want +got):\n%s", d)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name string
		pack func(testing.TB, ...array) []byte
	}{
		{"stored", write},
		{"deflated", deflate},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(c.pack(t, sample()...))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, sample())
		})
	}
}

func TestWriterIsDeterministic(t *testing.T) {
	if !bytes.Equal(write(t, sample()...), write(t, sample()...)) {
		t.Error("the same arrays gave two files")
	}
}

// TestHeaderBytes holds what numpy.save of NumPy 2.4 writes.
func TestHeaderBytes(t *testing.T) {
	for _, c := range []struct {
		d      tensor.DType
		shape  []int
		text   string
		spaces int
	}{
		{tensor.F32, nil, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 62},
		{tensor.I32, []int{3}, "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", 60},
		{tensor.F16, []int{27, 1152}, "{'descr': '<f2', 'fortran_order': False, 'shape': (27, 1152), }", 54},
		{tensor.BF16, []int{2, 2}, "{'descr': '|V2', 'fortran_order': False, 'shape': (2, 2), }", 58},
		{tensor.F32, []int{5, 100000, 100000},
			"{'descr': '<f4', 'fortran_order': False, 'shape': (5, 100000, 100000), }", 45},
		{tensor.F32, []int{1, 1, 1, 1, 1, 1, 1, 1},
			"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1), }", 40},
	} {
		want := fmt.Sprintf("\x93NUMPY\x01\x00%c\x00%s%*s\n", len(c.text)+c.spaces+1, c.text, c.spaces, "")
		if got, err := formatHeader(c.d, c.shape); err != nil || string(got) != want {
			t.Errorf("%v %v: %v\nhave %q\nwant %q", c.d, c.shape, err, got, want)
		}
	}
}

// TestWriterAgainstArchiveZip reads with the standard library what Writer wrote.
func TestWriterAgainstArchiveZip(t *testing.T) {
	data := write(t, sample()...)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range sample() {
		r, err := z.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || z.File[i].Name != a.name+".npy" || !bytes.HasSuffix(got, a.data) {
			t.Errorf("%s: %d bytes, %v", z.File[i].Name, len(got), err)
		}
	}
}

func TestAddNumbers(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	floats, ints := []float32{1, -2.5, float32(math.Inf(1)), 0x1p-149}, []int32{0, -1, math.MaxInt32, math.MinInt32,
		108}
	if err := errors.Join(w.AddFloat32s("f", []int{2, 2}, floats), w.AddInt32s("i", []int{5}, ints),
		w.Close()); err != nil {
		t.Fatal(err)
	}
	a, err := NewArchive(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	f, _ := a.Tensor("f")
	i, _ := a.Tensor("i")
	gotF, errF := f.Float32s()
	gotI, errI := i.Int32s()
	if errF != nil || errI != nil || !slices.Equal(gotF, floats) || !slices.Equal(gotI, ints) {
		t.Errorf("have %v %v (%v, %v), want %v %v", gotF, gotI, errF, errI, floats, ints)
	}
	if _, ok := a.Tensor("g"); ok {
		t.Error("found an array that is not there")
	}
}

// TestWordsInPieces reads numbers through buffers that are not a multiple of their size.
func TestWordsInPieces(t *testing.T) {
	for size := 1; size < 20; size++ {
		w := &words{n: 9, bits: func(i int) uint32 { return uint32(i) * 0x01020304 }}
		var got []byte
		for b := make([]byte, size); ; {
			n, err := w.Read(b)
			got = append(got, b[:n]...)
			if err == io.EOF {
				break
			}
		}
		for i := range 9 {
			if v := binary.LittleEndian.Uint32(got[4*i:]); v != uint32(i)*0x01020304 {
				t.Fatalf("buffer of %d: number %d is %x", size, i, v)
			}
		}
		if len(got) != 36 {
			t.Fatalf("buffer of %d: %d bytes, want 36", size, len(got))
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestWriterErrors(t *testing.T) {
	big := slices.Repeat([]int{2}, 9)
	for _, c := range []struct {
		name  string
		d     tensor.DType
		shape []int
		data  int
		want  string
	}{
		{"a", tensor.F32, []int{2}, 7, "7 bytes of elements or more, want 8"},
		{"a", tensor.F32, []int{2}, 9, "9 bytes of elements or more, want 8"},
		{"a", tensor.F32, []int{-1}, 0, "negative"},
		{"a", tensor.F32, big, 2048, "9 axes"},
		{"a", tensor.DType(9), nil, 4, "cannot be written"},
		{"../a", tensor.F32, nil, 4, `".." part`},
		{"", tensor.F32, nil, 4, "NAME.npy"},
		{"taken", tensor.F32, nil, 4, "duplicate"},
		{"Taken", tensor.F32, nil, 4, "duplicate"},
	} {
		w := NewWriter(io.Discard)
		if err := w.AddInt32s("taken", nil, []int32{1}); err != nil {
			t.Fatal(err)
		}
		err := w.Add(c.name, c.d, c.shape, bytes.NewReader(make([]byte, c.data)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: have %v, want %q", c.name, err, c.want)
		}
		if again := w.AddInt32s("fine", nil, []int32{1}); again != err || w.Close() != err {
			t.Errorf("%q: the error was forgotten: %v", c.name, again)
		}
	}
	w := NewWriter(failing{})
	if err := errors.Join(w.AddFloat32s("a", []int{2000}, make([]float32, 2000)), w.Close()); err == nil ||
		!strings.Contains(err.Error(), "disk is full") {
		t.Errorf("have %v, want the disk's error", err)
	}
}

// TestFortran compares with the element at each index, found by the definition of the two orders.
func TestFortran(t *testing.T) {
	for _, shape := range [][]int{{}, {5}, {2, 3}, {4, 1, 3}, {2, 3, 4, 5}, {3, 0, 2}} {
		a := makeArray("a", tensor.I32, shape...)
		text := fmt.Sprintf("{'shape': %s, 'descr': '<i4', 'fortran_order': True}  \n", tuple(shape))
		got, err := read(oneMember(t, append(badfiles.NPY(text, 0), a.data...)))
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, len(a.data))
		for c := range len(want) / 4 {
			f, rest := 0, c
			for axis := len(shape) - 1; axis >= 0; axis-- { // c in C order is this index on each axis ...
				step := 1
				for _, s := range shape[:axis] {
					step *= s
				}
				f += rest % shape[axis] * step // ... and this place in Fortran order
				rest /= shape[axis]
			}
			copy(want[4*c:], a.data[4*f:4*f+4])
		}
		a.data = want
		same(t, got, []array{a})
	}
}

func tuple(shape []int) string {
	s := "("
	for _, n := range shape {
		s += fmt.Sprintf("%d,", n)
	}
	return s + ")"
}

// TestAccepts holds unusual headers that NumPy or others write.
func TestAccepts(t *testing.T) {
	version := func(v byte, text string) []byte {
		b := append([]byte("\x93NUMPY"), v, 0)
		return append(append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...), 1, 2, 3, 4)
	}
	const usual = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"version 2", version(2, usual)},
		{"version 3", version(3, usual)},
		{"other key order", badfiles.NPY("{'shape': (1,), 'fortran_order': False, 'descr': '<f4'}\n", 4)},
		{"double quotes", badfiles.NPY(`{"descr": "<f4", "fortran_order": False, "shape": (1,)}`+"\n", 4)},
		{"no spaces", badfiles.NPY("{'descr':'<f4','fortran_order':False,'shape':(1,)}\n", 4)},
		{"many spaces", badfiles.NPY(strings.Repeat(" ", 60000)+usual, 4)},
		{"bfloat16 as <V2", badfiles.NPY("{'descr': '<V2', 'fortran_order': False, 'shape': (2, 1,), }\n", 4)},
		{"Fortran of one axis", badfiles.NPY("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }\n", 4)},
		{"no newline", badfiles.NPY(strings.TrimSpace(usual), 4)},
		{"blank lines", badfiles.NPY("\n"+usual+"\r\n \n", 4)},
		{"tabs and lines between", badfiles.NPY("{'descr'\t:\n'<f4' ,\r\n'fortran_order': False,'shape' : ( 1 , ) }\n",
			4)},
		{"Python 2", badfiles.NPY("{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 1L), }\n", 4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := read(oneMember(t, c.data)); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

// TestBigEndian reads elements whose highest byte comes first, in one read and byte by byte.
func TestBigEndian(t *testing.T) {
	for _, d := range []struct {
		descr string
		dtype tensor.DType
	}{{">f4", tensor.F32}, {">f2", tensor.F16}, {">i4", tensor.I32}} {
		for _, order := range []string{"False", "True"} {
			t.Run(d.descr+" "+order, func(t *testing.T) {
				little := makeArray("a", d.dtype, 30, 50)
				big := bytes.Clone(little.data)
				for at := 0; at < len(big); at += d.dtype.Size() {
					slices.Reverse(big[at : at+d.dtype.Size()])
				}
				text := "{'descr': '%s', 'fortran_order': %s, 'shape': (30, 50), }\n"
				data := func(descr string, elements []byte) []byte {
					return oneMember(t, append(badfiles.NPY(fmt.Sprintf(text, descr, order), 0), elements...))
				}
				want, err := read(data("<"+d.descr[1:], little.data))
				if err != nil {
					t.Fatal(err)
				}
				got, err := read(data(d.descr, big))
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want)
				a, err := NewArchive(bytes.NewReader(data(d.descr, big)), int64(len(data(d.descr, big))))
				if err != nil {
					t.Fatal(err)
				}
				r, err := a.Tensors()[0].Open()
				if err != nil {
					t.Fatal(err)
				}
				if err := iotest.TestReader(iotest.OneByteReader(r), want[0].data); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestRepacked reads archives that were unpacked and packed again by other programs than NumPy.
func TestRepacked(t *testing.T) {
	array := badfiles.NPY("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 8)
	for _, c := range []struct {
		name    string
		members []string
		comment string
		want    []string
	}{
		{"folders", []string{"params/", "params/a/", "params/a/w.npy"}, "", []string{"params/a/w"}},
		{"dot before the name", []string{"./", "./params/w.npy", "./b.npy"}, "", []string{"params/w", "b"}},
		{"macOS", []string{"w.npy", "__MACOSX/", "__MACOSX/._w.npy", ".DS_Store", "params/.DS_Store"}, "",
			[]string{"w"}},
		{"comment", []string{"w.npy"}, "packed by hand", []string{"w"}},
		{"longest comment", []string{"w.npy"}, strings.Repeat("c", 65535), []string{"w"}},
	} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			t.Run(fmt.Sprint(c.name, method), func(t *testing.T) {
				var b bytes.Buffer
				z := zip.NewWriter(&b) // with data descriptors
				for _, name := range c.members {
					if strings.HasSuffix(name, "/") {
						writeMember(t, z, zip.Store, name, nil)
					} else {
						writeMember(t, z, method, name, array)
					}
				}
				if err := errors.Join(z.SetComment(c.comment), z.Close()); err != nil {
					t.Fatal(err)
				}
				got, err := read(b.Bytes())
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, a := range got {
					names = append(names, a.name)
				}
				if !slices.Equal(names, c.want) {
					t.Errorf("have %q, want %q", names, c.want)
				}
			})
		}
	}
	for _, twice := range [][]string{{"w.npy", "./w.npy"}, {"./W.npy", "w.npy"}} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range twice {
			writeMember(t, z, zip.Store, name, array)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := read(b.Bytes()); err == nil || !strings.Contains(err.Error(), "duplicate member") {
			t.Errorf("%q: %v", twice, err)
		}
	}
}

// TestBadFiles opens and reads every bad file.
func TestBadFiles(t *testing.T) {
	cases := badfiles.NPZ()
	if len(cases) < 50 {
		t.Errorf("%d cases, want at least 50", len(cases))
	}
	names := map[string]bool{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if names[c.Name] {
				t.Error("the name is used twice")
			}
			names[c.Name] = true
			var err error
			checkAllocation(t, c.Data, func() { err = stream(c.Data) })
			if err == nil || !strings.Contains(err.Error(), c.Want) {
				t.Fatalf("have error %v, want %q", err, c.Want)
			}
			if s := err.Error(); !strings.HasPrefix(s, "npz: ") || len(s) > 300 ||
				strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("not fit for a terminal: %q", s)
			}
		})
	}
}

// stream opens an archive and reads every array to its end, keeping nothing.
func stream(data []byte) error {
	a, err := NewArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, x := range a.Tensors() {
		r, err := x.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}

func checkAllocation(t *testing.T, data []byte, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n, most := after.TotalAlloc-before.TotalAlloc, uint64(4*len(data)+1<<20); n > most {
		t.Errorf("allocated %d bytes for a file of %d, want at most %d", n, len(data), most)
	}
}

// TestManyMembers opens as many members as there may be, of which each has the longest header,
// packed into almost nothing.
func TestManyMembers(t *testing.T) {
	text := strings.Repeat(" ", maxHeader-100) + "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n"
	for _, c := range []struct {
		name   string
		method uint16
		data   []byte
	}{
		{"deflated", zip.Deflate, badfiles.NPY(text, 4)},
		{"stored", zip.Store, badfiles.NPY("{'descr':'<f4','fortran_order':False,'shape':()}\n", 4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for i := range maxMembers {
				writeMember(t, z, c.method, fmt.Sprintf("%d.npy", i), c.data)
			}
			z.Close()
			checkAllocation(t, b.Bytes(), func() {
				a, err := NewArchive(bytes.NewReader(b.Bytes()), int64(b.Len()))
				if err != nil {
					t.Fatal(err)
				}
				if n := len(a.Tensors()); n != maxMembers {
					t.Errorf("%d tensors, want %d", n, maxMembers)
				}
			})
		})
	}
}

// small is a file short enough for every change of it to be tried.
func small(t testing.TB) map[string][]byte {
	arrays := []array{makeArray("a", tensor.F32, 2, 3), makeArray("b/c", tensor.BF16, 5)}
	return map[string][]byte{"stored": write(t, arrays...), "deflated": deflate(t, arrays...),
		"zip64": zip64(t, arrays...)}
}

func TestEveryTruncation(t *testing.T) {
	for name, data := range small(t) {
		for n := range data {
			if got, err := read(data[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes: accepted with %d arrays", name, n, len(data), len(got))
			}
		}
	}
}

// TestEveryBitFlip asks that a damaged file gives an error or the right numbers, never wrong ones.
// Names and shapes have no checksum in the directory, but a shape is inside its member's, and
// a checkpoint with an unknown name is refused later.
func TestEveryBitFlip(t *testing.T) {
	for name, data := range small(t) {
		want, err := read(data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 * len(data) {
			data[i/8] ^= 1 << (i % 8)
			got, err := read(data)
			if err == nil {
				for k := range got {
					if k >= len(want) || !bytes.Equal(got[k].data, want[k].data) || !slices.Equal(got[k].shape,
						want[k].shape) || got[k].dtype != want[k].dtype {
						t.Errorf("%s: bit %d of byte %d: accepted with other contents", name, i%8, i/8)
					}
				}
				if len(got) != len(want) {
					t.Errorf("%s: bit %d of byte %d: %d arrays, want %d", name, i%8, i/8, len(got), len(want))
				}
			}
			data[i/8] ^= 1 << (i % 8)
		}
	}
}

// zip64 turns a stored archive into one whose directory says everything in zip64 fields, as if it
// were large.
func zip64(t testing.TB, arrays ...array) []byte {
	t.Helper()
	b := write(t, arrays...)
	members, err := readDirectory(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	b = b[:u32(b[len(b)-6:])]
	at, le := uint64(len(b)), binary.LittleEndian
	for _, m := range members {
		e := make([]byte, entryLen, 100)
		copy(e, entrySig)
		le.PutUint16(e[8:], 8)
		le.PutUint32(e[16:], m.crc)
		for _, field := range []int{20, 24, 42} {
			le.PutUint32(e[field:], math.MaxUint32)
		}
		le.PutUint16(e[28:], uint16(len(m.name)))
		le.PutUint16(e[30:], 4+2+4+24)
		e = append(e, m.name...)
		e = append(e, 0xef, 0xbe, 2, 0, 'o', 'k', 1, 0, 24, 0) // a field of another kind comes first
		for _, v := range []int64{m.size, m.packed, m.local} {
			e = le.AppendUint64(e, uint64(v))
		}
		b = append(b, e...)
	}
	start, n := uint64(len(b)), uint64(len(members))
	b = append(b, end64Sig...)
	b = le.AppendUint64(b, end64Len-12)
	b = append(b, 45, 0, 45, 0)
	for _, v := range []uint64{0, n, n, start - at, at} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(append(b, locatorSig...), 0)
	b = le.AppendUint32(le.AppendUint64(b, start), 1)
	b = append(append(b, endSig...), 0, 0, 0, 0)
	return append(append(b, bytes.Repeat([]byte{0xff}, 12)...), 0, 0)
}

func TestZip64(t *testing.T) {
	got, err := read(zip64(t, sample()...))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, sample())
}

// sparse is a file that is zero but for some pieces.
type sparse struct {
	size   int64
	pieces map[int64][]byte
}

func (s sparse) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	for at, p := range s.pieces {
		for i := max(at, off); i < min(at+int64(len(p)), off+int64(len(b))); i++ {
			b[i-off] = p[i-at]
		}
	}
	if left := s.size - off; left < int64(len(b)) {
		return int(max(left, 0)), io.EOF
	}
	return len(b), nil
}

// large is a zip64 archive of one stored member "w.npy" with the header head, followed by zeros for
// that many elements.
func large(t *testing.T, head []byte, elements int64) sparse {
	t.Helper()
	small := zip64(t, array{"w", tensor.BF16, nil, []byte{1, 2}})
	directory := int64(bytes.Index(small, []byte(entrySig)))
	tail := bytes.Clone(small[directory:])
	sizes := tail[entryLen+len("w.npy")+6+4:] // in the zip64 field, after another field
	size := int64(len(head)) + elements
	grown := size - int64(u64(sizes))
	le := binary.LittleEndian
	le.PutUint64(sizes, uint64(size))
	le.PutUint64(sizes[8:], uint64(size))
	for _, back := range []int{endLen + locatorLen + 8, endLen + 12} { // offsets of the directory and of its end record
		field := tail[len(tail)-back:]
		le.PutUint64(field, u64(field)+uint64(grown))
	}
	local := small[:localLen+len("w.npy")]
	return sparse{int64(len(small)) + grown, map[int64][]byte{0: slices.Concat(local, head), directory + grown: tail}}
}

// TestLargeMember opens an archive whose only member is the 28B model's largest, 31 GB, without
// making it.
func TestLargeMember(t *testing.T) {
	shape := []int{46, 2, 4608, 36864}
	head, err := formatHeader(tensor.BF16, shape)
	if err != nil {
		t.Fatal(err)
	}
	file := large(t, head, 31_255_953_408)
	a, err := NewArchive(file, file.size)
	if err != nil {
		t.Fatal(err)
	}
	if x := a.Tensors()[0]; x.Bytes() != 31_255_953_408 || !slices.Equal(x.Shape, shape) {
		t.Errorf("have %v, %d bytes", x.Shape, x.Bytes())
	}
}

// TestLargeFortran: a large array in Fortran order is refused at once, since it would have to be
// transposed in memory.
func TestLargeFortran(t *testing.T) {
	head := badfiles.NPY("{'descr': '<f4', 'fortran_order': True, 'shape': (16385, 16384), }\n", 0)
	file := large(t, head, 16385*16384*4)
	if _, err := NewArchive(file, file.size); err == nil || !strings.Contains(err.Error(),
		"in Fortran order, want at most 1073741824") {
		t.Errorf("have %v", err)
	}
}

func TestParts(t *testing.T) {
	data := write(t, sample()...)
	for _, cuts := range [][]int{{}, {1}, {len(data) / 2}, {len(data) - 1}, {10, 11, 12, 300, 900}} {
		dir := t.TempDir()
		var paths []string
		from := 0
		for i, to := range append(cuts, len(data)) {
			path := filepath.Join(dir, fmt.Sprintf("x.npz.part%d", i))
			if err := os.WriteFile(path, data[from:to], 0o644); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
			from = to
		}
		a, err := Open(paths...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readArchive(a)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, sample())
		if err := errors.Join(a.Unchanged(), a.Close(), a.Close()); err != nil {
			t.Error(err)
		}
		if len(paths) > 1 {
			slices.Reverse(paths)
			if _, err := Open(paths...); err == nil || !strings.Contains(err.Error(), "joined in the given order") {
				t.Errorf("reversed parts: %v", err)
			}
		}
	}
}

func TestJoinedReadAt(t *testing.T) {
	dir, data := t.TempDir(), []byte("0123456789")
	var paths []string
	for i, s := range []string{"0", "123", "4567", "89"} {
		paths = append(paths, filepath.Join(dir, fmt.Sprint(i)))
		os.WriteFile(paths[i], []byte(s), 0o644)
	}
	j, err := openParts(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	whole := bytes.NewReader(data)
	for off := range int64(12) {
		for n := range 12 {
			got, want := make([]byte, n), make([]byte, n)
			gotN, gotErr := j.ReadAt(got, off)
			wantN, wantErr := whole.ReadAt(want, off)
			if n > 0 && (gotN != wantN || gotErr != wantErr || !bytes.Equal(got, want)) {
				t.Errorf("%d at %d: have %d %q %v, want %d %q %v", n, off, gotN, got, gotErr, wantN, want, wantErr)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	empty, fifo, text := filepath.Join(dir, "empty"), filepath.Join(dir, "fifo"), filepath.Join(dir, "text")
	if err := errors.Join(os.WriteFile(empty, nil, 0o644), os.WriteFile(text, []byte("hello"), 0o644),
		syscall.Mkfifo(fifo, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want string
	}{
		{dir, "is a folder: want the checkpoint that Kaggle has"},
		{empty, "is an empty file"},
		{fifo, "is a pipe (FIFO), not a regular file"},
		{os.DevNull, "is a device, not a regular file"},
		{filepath.Join(dir, "absent"), "absent: no such file or directory"},
		{text, "is a text file: want the checkpoint that Kaggle has"},
	} {
		t.Run(c.path, func(t *testing.T) {
			_, err := Open(c.path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) ||
				strings.Count(err.Error(), c.path) != 1 {
				t.Errorf("%s: have %v, want %q", c.path, err, c.want)
			}
		})
	}
	if _, err := Open(); err == nil {
		t.Error("opened no file")
	}
}

// TestChangedFile changes a file after Open, or in the middle of reading.
func TestChangedFile(t *testing.T) {
	data := write(t, sample()...)
	for _, c := range []struct {
		name   string
		change func(path string) error
	}{
		{"grown", func(path string) error { return os.Truncate(path, int64(len(data))+1) }},
		{"cut", func(path string) error { return os.Truncate(path, 200) }},
		{"rewritten", func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.npz")
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			a, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(path); err != nil {
				t.Fatal(err)
			}
			if _, err := readArchive(a); (err != nil) != (c.name == "cut") {
				t.Errorf("%s: reading: %v", c.name, err)
			}
			if err := a.Unchanged(); err == nil || err.Error() != "npz: "+path+" changed while it was read" {
				t.Errorf("%s: Unchanged: %v", c.name, err)
			}
			if err := a.Close(); err != nil {
				t.Errorf("%s: Close: %v", c.name, err)
			}
		})
	}
}

// TestNoWrongBytesBeforeTheError reads just as many bytes as the array has: a wrong CRC-32 must
// show even then.
func TestNoWrongBytesBeforeTheError(t *testing.T) {
	data := write(t, makeArray("a", tensor.F32, 1000))
	data[2000] ^= 1
	a, err := NewArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Tensors()[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 4000)); err == nil || !strings.Contains(err.Error(), `"a.npy": CRC-32`) {
		t.Errorf("have %v, want the CRC error", err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read again: %v, want the same error", err)
	}
}

// TestTwoReaders reads two arrays and one array twice at once.
func TestTwoReaders(t *testing.T) {
	data := deflate(t, sample()...)
	a, err := NewArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for range 4 {
		go func() {
			got, err := readArchive(a)
			for i, want := range sample() {
				if err == nil && !bytes.Equal(got[i].data, want.data) {
					err = fmt.Errorf("%s differs", want.name)
				}
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func FuzzNpyHeader(f *testing.F) {
	for _, c := range badfiles.NPZ() {
		if at, end := bytes.IndexByte(c.Data, '{'), bytes.LastIndex(c.Data, []byte("PK\x01\x02")); at >= 0 && at < end {
			f.Add(c.Data[at:end])
		}
	}
	for _, a := range sample() {
		head, err := formatHeader(a.dtype, a.shape)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(head[10:])
	}
	f.Add([]byte("{'descr': '" + strings.Repeat("\x7f", 3000) + "', 'fortran_order': False, 'shape': (1,), }\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxHeader {
			return
		}
		h, err := parseHeader(text)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := formatHeader(h.dtype, h.shape) // what was read can be written, and reads the same
		if err != nil {
			t.Fatal(err)
		}
		h2, err := parseHeader(again[10:])
		h2.fortran = h.fortran
		if err != nil || h2.dtype != h.dtype || !slices.Equal(h2.shape, h.shape) {
			t.Errorf("%q: read %v, written and read again %v, %v", text, h, h2, err)
		}
	})
}

func FuzzArchive(f *testing.F) {
	for _, c := range badfiles.NPZ() {
		if len(c.Data) < 1<<16 {
			f.Add(c.Data)
		}
	}
	f.Add(write(f, sample()...))
	f.Add(deflate(f, sample()...))
	f.Add(zip64(f, sample()...))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a *Archive
		var err error
		checkAllocation(t, data, func() { a, err = NewArchive(bytes.NewReader(data), int64(len(data))) })
		if err != nil {
			return
		}
		var total int64
		for _, x := range a.Tensors() {
			if total += x.Bytes(); total > 64<<20 { // what deflate may give, but slow to read
				return
			}
		}
		got, err := readArchive(a)
		if err != nil {
			return
		}
		again, err := read(write(t, got...)) // what was read can be written, and reads the same
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, got)
	})
}
