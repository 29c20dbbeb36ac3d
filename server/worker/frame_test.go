package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func limit(n int) func() int { return func() int { return n } }

func sent(t testing.TB, kind byte, head any, body ...[]float32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&frames{w: &b}).send(kind, head, body...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFrames(t *testing.T) {
	body := make([]float32, 3*chunk+5)
	for i := range body {
		body[i] = float32(i) / 7
	}
	body[1] = float32(math.Inf(-1))
	both := sent(t, kindDone, Done{PrefixTokens: []int32{2, 4}}, body[:chunk+1], body[chunk+1:])
	both = append(both, sent(t, kindProgress, nil)...)
	r := bytes.NewReader(both)
	f, err := readFrame(r, limit(len(body)))
	var d Done
	if err != nil || f.kind != kindDone || !slices.Equal(f.body, body) || f.decode(&d) != nil ||
		!slices.Equal(d.PrefixTokens, []int32{2, 4}) {
		t.Fatalf("%v: kind %q, %d floats, %+v", err, f.kind, len(f.body), d)
	}
	if f, err := readFrame(r, limit(0)); err != nil || f.kind != kindProgress || len(f.head)+len(f.body) != 0 {
		t.Errorf("%v: %+v", err, f)
	}
	if _, err := readFrame(r, limit(0)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for cut := 1; cut < headSize+40; cut++ {
		if _, err := readFrame(bytes.NewReader(both[:cut]), limit(len(body))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if err := (&frames{w: io.Discard}).send(kindFailed, strings.Repeat("a", maxHead)); err == nil {
		t.Error("a head too large was sent")
	}
}

// No frame makes the reader allocate more than what has come.
func FuzzFrame(f *testing.F) {
	f.Add(sent(f, kindDone, Done{}, []float32{1, 2}))
	f.Add(binary.LittleEndian.AppendUint32([]byte("PLW1s\x00\x00\x00\x00\x00\x00\x00"), 1<<31))
	f.Add([]byte("PLW1s\x00\x00\x00\xff\xff\x0f\x00\x00\x00\x00\x00"))
	f.Add([]byte("llama_decode: error"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := readFrame(bytes.NewReader(b), limit(1<<20))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(maxHead+16*len(b)+1<<18) {
			t.Errorf("%d bytes for %d", used, len(b))
		}
		if err == nil && len(b) < headSize+len(got.head)+4*len(got.body) {
			t.Errorf("a frame of %d and %d in %d bytes", len(got.head), len(got.body), len(b))
		}
	})
}
