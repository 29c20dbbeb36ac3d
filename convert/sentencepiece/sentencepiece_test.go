package sentencepiece_test

// This file: real models and their counts, broken models and their errors, memory, and a fuzz
// target.

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	proto "github.com/ollama/ollama/convert/sentencepiece"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/paligemma"
	"google.golang.org/protobuf/encoding/protowire"
	wire "google.golang.org/protobuf/proto"
)

const demoPath = "../../testdata/demo/tokenizer.model"

// demo returns the bytes of the demo's tokenizer.
func demo(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(demoPath)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// gemmaPath finds the real Gemma tokenizer among the module's dependencies.
func gemmaPath(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ollama/ollama").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "tokenizer", "testdata", "gemma2", "tokenizer.model")
}

func counts(m *sentencepiece.Model) [7]int {
	var n [7]int
	for _, p := range m.Pieces {
		n[p.Type]++
	}
	return n
}

// The counts, texts and scores are what SentencePiece's own reader gives.
func TestGemma(t *testing.T) {
	m, err := sentencepiece.Open(gemmaPath(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := counts(m), [7]int{1: 255495, 2: 1, 3: 3, 4: 245, 6: 256}; got != want {
		t.Errorf("have %v pieces of each type, want %v", got, want)
	}
	for _, c := range []struct {
		id   int
		want sentencepiece.Piece
	}{
		{0, sentencepiece.Piece{Text: "<pad>", Type: paligemma.PieceControl}},
		{1, sentencepiece.Piece{Text: "<eos>", Type: paligemma.PieceControl}},
		{2, sentencepiece.Piece{Text: "<bos>", Type: paligemma.PieceControl}},
		{3, sentencepiece.Piece{Text: "<unk>", Type: paligemma.PieceUnknown}},
		{107, sentencepiece.Piece{Text: "<end_of_turn>", Type: paligemma.PieceUserDefined}},
		{108, sentencepiece.Piece{Text: "\n", Type: paligemma.PieceUserDefined}},
		{139, sentencepiece.Piece{Text: "▁▁", Type: paligemma.PieceUserDefined}},
		{227, sentencepiece.Piece{Text: "<0x0A>", Type: paligemma.PieceByte}},
		{474, sentencepiece.Piece{Text: m.Pieces[474].Text, Score: -1, Type: paligemma.PieceNormal}},
		{255999, sentencepiece.Piece{Text: "<unused99>", Type: paligemma.PieceUserDefined}},
	} {
		t.Run(fmt.Sprint(c.id), func(t *testing.T) {
			if m.Pieces[c.id] != c.want {
				t.Errorf("piece %d: have %+v, want %+v", c.id, m.Pieces[c.id], c.want)
			}
		})
	}
	all, err := m.WithPaliGemma()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   int
		want string
	}{{256000, "<loc0000>"}, {257023, "<loc1023>"}, {257024, "<seg000>"},
		{257151, "<seg127>"}} {
		t.Run(fmt.Sprint(c.id), func(t *testing.T) {
			if got := all.Pieces[c.id]; got != (sentencepiece.Piece{Text: c.want, Type: paligemma.PieceUserDefined}) {
				t.Errorf("piece %d: have %+v, want %s", c.id, got, c.want)
			}
		})
	}
	if len(all.Pieces) != paligemma.Variants[0].Text.VocabSize || len(m.Pieces) != 256000 {
		t.Errorf("have %d and %d pieces", len(m.Pieces), len(all.Pieces))
	}
}

// Every piece is what the generated code gives for the whole message.
func TestDemo(t *testing.T) {
	m, err := sentencepiece.Open(demoPath)
	if err != nil {
		t.Fatal(err)
	}
	whole := message(t, demo(t))
	if len(m.Pieces) != 896 || len(whole.Pieces) != 896 {
		t.Fatalf("have %d and %d pieces, want 896", len(m.Pieces), len(whole.Pieces))
	}
	for i, p := range whole.Pieces {
		if want := (sentencepiece.Piece{Text: p.GetPiece(), Score: p.GetScore(),
			Type: int32(p.GetType())}); m.Pieces[i] != want {
			t.Errorf("piece %d: have %+v, want %+v", i, m.Pieces[i], want)
		}
	}
}

func message(t testing.TB, data []byte) *proto.ModelProto {
	t.Helper()
	m := new(proto.ModelProto)
	if err := wire.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func marshal(t testing.TB, m *proto.ModelProto) []byte {
	t.Helper()
	data, err := wire.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pointer[T any](v T) *T { return &v }

// kind gives piece i a type.
func kind(i int, k proto.ModelProto_SentencePiece_Type) func(*proto.ModelProto) {
	return func(m *proto.ModelProto) { m.Pieces[i].Type = &k }
}

// text gives piece i a text.
func text(i int, s string) func(*proto.ModelProto) {
	return func(m *proto.ModelProto) { m.Pieces[i].Piece = &s }
}

// score gives piece 700 a score.
func score(v float64) func(*proto.ModelProto) {
	return func(m *proto.ModelProto) { m.Pieces[700].Score = pointer(float32(v)) }
}

// The demo's model with one thing changed: each is refused by its own sentence.
func TestChanged(t *testing.T) {
	const (
		normal  = proto.ModelProto_SentencePiece_NORMAL
		unknown = proto.ModelProto_SentencePiece_UNKNOWN
		control = proto.ModelProto_SentencePiece_CONTROL
		byte1   = proto.ModelProto_SentencePiece_BYTE
	)
	for _, c := range []struct {
		name   string
		change func(*proto.ModelProto)
		want   string
	}{
		{"unigram", func(m *proto.ModelProto) { m.TrainerSpec.ModelType = proto.TrainerSpec_UNIGRAM.Enum() },
			"model type: have UNIGRAM, want BPE"},
		{"word", func(m *proto.ModelProto) { m.TrainerSpec.ModelType = proto.TrainerSpec_WORD.Enum() },
			"model type: have WORD, want BPE"},
		{"no trainer", func(m *proto.ModelProto) { m.TrainerSpec = nil }, "model type: have UNIGRAM, want BPE"},
		{"no byte fallback", func(m *proto.ModelProto) { m.TrainerSpec.ByteFallback = nil },
			"byte_fallback: have false, want true"},
		{"suffix", func(m *proto.ModelProto) { m.TrainerSpec.TreatWhitespaceAsSuffix = pointer(true) },
			"treat_whitespace_as_suffix: have true, want false"},
		{"dummy prefix", func(m *proto.ModelProto) { m.NormalizerSpec.AddDummyPrefix = nil },
			"add_dummy_prefix: have true, want false"},
		{"no normalizer", func(m *proto.ModelProto) { m.NormalizerSpec = nil },
			"add_dummy_prefix: have true, want false"},
		{"fewer spaces", func(m *proto.ModelProto) { m.NormalizerSpec.RemoveExtraWhitespaces = pointer(true) },
			"remove_extra_whitespaces: have true, want false"},
		{"raw spaces", func(m *proto.ModelProto) { m.NormalizerSpec.EscapeWhitespaces = pointer(false) },
			"escape_whitespaces: have false, want true"},
		{"character map", func(m *proto.ModelProto) { m.NormalizerSpec.PrecompiledCharsmap = make([]byte, 7) },
			"have a character map of 7 bytes, want none"},
		{"big character map", func(m *proto.ModelProto) { m.NormalizerSpec.PrecompiledCharsmap = make([]byte, 1<<17) },
			"want at most 65536"},
		{"pad", func(m *proto.ModelProto) { m.TrainerSpec.PadId = pointer(int32(-1)) }, "pad_id: have -1, want 0"},
		{"eos", func(m *proto.ModelProto) { m.TrainerSpec.EosId = pointer(int32(2)) }, "eos_id: have 2, want 1"},
		{"bos", func(m *proto.ModelProto) { m.TrainerSpec.BosId = pointer(int32(1)) }, "bos_id: have 1, want 2"},
		{"unk", func(m *proto.ModelProto) { m.TrainerSpec.UnkId = pointer(int32(0)) }, "unk_id: have 0, want 3"},
		{"no pieces", func(m *proto.ModelProto) { m.Pieces = nil }, "not a SentencePiece model: have no pieces"},
		{"three pieces", func(m *proto.ModelProto) { m.Pieces = m.Pieces[:3] },
			"have 3 pieces, want the special ones at 0 to 3"},
		{"pad is text", kind(0, normal), `piece 0, "<pad>": have type 1, want 3`},
		{"eos is text", kind(1, normal), `piece 1, "<eos>": have type 1, want 3`},
		{"bos is unknown", kind(2, unknown), `piece 2, "<bos>": have type 2, want 3`},
		{"unk is control", kind(3, control), `piece 3, "<unk>": have type 3, want 2`},
		{"two unknown", kind(700, unknown), "have 2 pieces for unknown text, want 1"},
		{"type 7", kind(700, 7), "piece 700: have type 7, want 1 to 6"},
		{"type -1", kind(700, -1), "piece 700: have type -1, want 1 to 6"},
		{"no text", text(700, ""), "piece 700: have 0 bytes of text, want 1 to 4096"},
		{"long text", text(700, strings.Repeat("x", 4097)), "piece 700: have 4097 bytes of text, want 1 to 4096"},
		{"huge text", text(700, strings.Repeat("x", 9000)), "piece 700: have 9008 bytes, want at most 8192"},
		{"text twice", text(700, "<eos>"), `pieces 1 and 700 are both "<eos>"`},
		{"not a number", score(math.NaN()), "piece 700: have score NaN, want a number"},
		{"infinite", score(math.Inf(-1)), "piece 700: have score -Inf, want a number"},
		{"a byte is text", kind(7+0x41, normal), "have no byte piece <0x41>, want one"},
		{"a byte is missing", text(7+0xFF, "<0xff>"), "have no byte piece <0xFF>, want one"},
		{"257 bytes", kind(700, byte1), "have 257 byte pieces, want 256"},
		{"no separator", text(4, "\r"), `have no piece "\n" for text, want one`},
		{"control separator", kind(4, control), `have no piece "\n" for text, want one`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := message(t, demo(t))
			c.change(m)
			wantError(t, marshal(t, m), c.want)
		})
	}
}

func wantError(t *testing.T, data []byte, want string) {
	t.Helper()
	_, err := sentencepiece.Parse(data)
	if err == nil || !strings.HasPrefix(err.Error(), "sentencepiece: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("have %v, want %q", err, want)
	}
}

// Bytes that are not a model, or too large a one.
func TestBytes(t *testing.T) {
	good := demo(t)
	random := make([]byte, 4096)
	rand.Read(random)
	piece := func(n int, value string) []byte {
		var b []byte
		for range n {
			b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), value)
		}
		return b
	}
	notUTF8 := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "\xff")
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "not a SentencePiece model: have no pieces", nil},
		{"text", "not a SentencePiece model", []byte("GGUF\x03\x00\x00\x00 and so on")},
		{"random", "", random},
		{"one byte short", "not a SentencePiece model", good[:len(good)-1]},
		{"length past the end", "not a SentencePiece model, or cut off", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1}},
		{"varint without end", "not a SentencePiece model", slices.Repeat([]byte{0xff}, 64)},
		{"field 0", "not a SentencePiece model", []byte{2, 0}},
		{"piece of another kind", "not a SentencePiece model", append(bytes.Clone(good), 1<<3, 5)},
		{"group in a group", "not a SentencePiece model", slices.Repeat([]byte{5<<3 | 3}, 1<<20)},
		{"text that is not UTF-8", "piece 896: have text that is not UTF-8", append(bytes.Clone(good),
			piece(1, string(notUTF8))...)},
		{"broken piece", "piece 896: not a SentencePiece model", append(bytes.Clone(good), piece(1, "\x0a\x05x")...)},
		{"broken settings", "settings: not a SentencePiece model", append(bytes.Clone(good), 0x12, 1, 0xff)},
		{"empty piece", "piece 896: have no text, want some", append(bytes.Clone(good), 0x0a, 0)},
		{"more pieces than allowed", "have 1048577 pieces, want at most 1048576", piece(1<<20+1, "\x0a\x01x")},
		{"much trainer", "bytes of settings, want at most 65536", append(bytes.Clone(good),
			protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), make([]byte, 1<<16))...)},
		{"more bytes than allowed", "want at most 67108864", make([]byte, 64<<20+1)},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, c.data, c.want) })
	}
}

// A model cut off anywhere is refused: the normalizer's settings come last in it.
func TestTruncated(t *testing.T) {
	good := demo(t)
	for n := range good {
		if _, err := sentencepiece.Parse(good[:n]); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(good))
		}
	}
}

// Fields that are not used cost nothing, however many there are.
func TestUnusedFields(t *testing.T) {
	data := append(demo(t), bytes.Repeat([]byte{4<<3 | 2, 2, 0x0a, 0}, 1<<20)...) // self_test_data with a sample each
	var err error
	used := allocated(func() { _, err = sentencepiece.Parse(data) })
	if err != nil {
		t.Fatal(err)
	}
	if used > 4*uint64(len(data))+1<<20 {
		t.Errorf("%d bytes allocated for %d", used, len(data))
	}
}

// allocated returns the bytes that f allocates in all, given back or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// memoryLimit bounds all that is allocated for n bytes of input: a hostile model's pieces of some 9
// bytes cost a Piece, an entry in a map and small objects of the protobuf library each, and 64 KiB
// of settings may become 21,845 strings and more.
func memoryLimit(n int) uint64 { return 12*uint64(n) + 8<<20 }

func TestMemory(t *testing.T) {
	gemma, err := os.ReadFile(gemmaPath(t))
	if err != nil {
		t.Fatal(err)
	}
	small := demo(t)
	for i := range 1 << 19 { // the shortest pieces that differ
		text := string(rune(0x10000+i)) + string(rune('a'+i%7))
		value := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), text)
		small = protowire.AppendBytes(protowire.AppendTag(small, 1, protowire.BytesType), value)
	}
	settings := demo(t)
	symbols := bytes.Repeat([]byte{0xf2, 1, 0}, 20000) // field 30, control_symbols
	settings = protowire.AppendBytes(protowire.AppendTag(settings, 2, protowire.BytesType), symbols)
	for _, c := range []struct {
		name string
		data []byte
	}{{"gemma", gemma}, {"small pieces", small}, {"settings", settings}} {
		var err error
		used := allocated(func() { _, err = sentencepiece.Parse(c.data) })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		t.Logf("%s: %d bytes allocated for %d: %.1f", c.name, used, len(c.data), float64(used)/float64(len(c.data)))
		if used > memoryLimit(len(c.data)) {
			t.Errorf("%s: %d bytes allocated for %d", c.name, used, len(c.data))
		}
	}
}

func TestWithPaliGemma(t *testing.T) {
	m, err := sentencepiece.Parse(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Pieces = slices.Grow(m.Pieces, 2000)
	all, err := m.WithPaliGemma()
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Pieces[:897][896]; p != (sentencepiece.Piece{}) {
		t.Errorf("the model's own array has got %+v", p)
	}
	again, err := all.WithPaliGemma()
	if err != nil || !slices.Equal(again.Pieces, all.Pieces) {
		t.Errorf("a model that has the pieces: have %d pieces and %v, want the same %d", len(again.Pieces), err,
			len(all.Pieces))
	}
	if len(m.Pieces) != 896 || len(all.Pieces) != 896+1152 {
		t.Errorf("have %d and %d pieces, want 896 and 2048", len(m.Pieces), len(all.Pieces))
	}
	for _, c := range []struct {
		name   string
		change func([]sentencepiece.Piece) []sentencepiece.Piece
		want   string
	}{
		{"one missing at the end", func(p []sentencepiece.Piece) []sentencepiece.Piece { return p[:len(p)-1] },
			"<loc0000>: have it there"},
		{"one missing", func(p []sentencepiece.Piece) []sentencepiece.Piece { p[1000].Text = "x"; return p },
			"have 1151 of the 1152"},
		{"two exchanged", func(p []sentencepiece.Piece) []sentencepiece.Piece {
			p[900], p[901] = p[901], p[900]
			return p
		}, "piece 900, <loc0005>: have it there"},
		{"another type", func(p []sentencepiece.Piece) []sentencepiece.Piece { p[2047].Type = 1; return p },
			"piece 2047, <seg127>: have it there with type 1"},
		{"one in the middle",
			func(p []sentencepiece.Piece) []sentencepiece.Piece { p[800].Text = "<seg000>"; return p[:896] },
			"piece 800, <seg000>: have it there"},
		{"something after them", func(p []sentencepiece.Piece) []sentencepiece.Piece {
			return append(p, sentencepiece.Piece{Text: "<image>", Type: 4})
		}, "piece 896, <loc0000>: have it there"},
	} {
		if _, err := (&sentencepiece.Model{Pieces: c.change(slices.Clone(all.Pieces))}).WithPaliGemma(); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	huge, large := filepath.Join(dir, "huge"), filepath.Join(dir, "large")
	short := filepath.Join(dir, "short")
	for _, c := range []struct {
		path, text string
		size       int64
	}{
		{huge, "", 1 << 33},
		{large, "\x0a\x10", 1 << 33},
		{short, "", 3},
	} {
		t.Run(c.path, func(t *testing.T) {
			if err := os.WriteFile(c.path, []byte(c.text), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(c.path, c.size); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, c := range []struct {
		path string
		want string
	}{
		{filepath.Join(dir, "missing"), "sentencepiece: " + filepath.Join(dir, "missing") + ": no such file"},
		{dir, dir + " is a folder: want the SentencePiece model"},
		{huge, huge + " is a file of zeros, as an unfinished download leaves it"},
		{large, "sentencepiece: " + large + ": file too large: have 8589934592 bytes, want at most 67108864"},
		{short, "sentencepiece: " + short + ": not a SentencePiece model"},
	} {
		t.Run(c.path, func(t *testing.T) {
			var err error
			if used := allocated(func() { _, err = sentencepiece.Open(c.path) }); used > 1<<20 {
				t.Errorf("%s: %d bytes allocated", c.path, used)
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: have %v, want %q", c.path, err, c.want)
			}
		})
	}
}

// Accepted models satisfy every condition, and no input costs more memory than stated.
func FuzzParse(f *testing.F) {
	good := demo(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add([]byte{0x0a, 3, 0x0a, 1, 'x', 0x12, 2, 0x18, 2})
	f.Add(bytes.Repeat([]byte{4<<3 | 2, 2, 0x0a, 0}, 100))
	f.Add(append(bytes.Clone(good), 0x0a, 5, 0x0a, 1, 0xff, 0x18, 9))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *sentencepiece.Model
		var err error
		if used := allocated(func() { m, err = sentencepiece.Parse(data) }); used > memoryLimit(len(data)) {
			t.Errorf("%d bytes allocated for %d", used, len(data))
		}
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if n := counts(m); n[paligemma.PieceByte] != 256 || n[paligemma.PieceUnknown] != 1 || n[0] != 0 {
			t.Errorf("accepted with %v pieces of each type", n)
		}
		if all, err := m.WithPaliGemma(); err == nil && len(all.Pieces) < len(m.Pieces) {
			t.Errorf("%d pieces became %d", len(m.Pieces), len(all.Pieces))
		}
	})
}
