package store

// This file: every number of a model's files with values that no model has. Nothing may panic, or
// allocate for what is not there.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tasks/masks"
)

// tinyFiles are the smallest good files of each kind.
func tinyFiles(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	add := func(name string, kvs []gguf.KV, tensors []gguf.Tensor) {
		b, err := badfiles.File(kvs, tensors)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b
	}
	for _, a := range []string{paligemma.Gemma, paligemma.Gemma2} {
		kvs, tensors := badfiles.TinyText(a)
		add(a, kvs, tensors)
	}
	kvs, tensors := badfiles.TinyVision()
	add("vision", kvs, tensors)
	add("masks", []gguf.KV{{Key: "general.architecture", Value: masks.Architecture}}, masks.Tensors(4))
	return out
}

// checkedWith reads and checks a file, and reports an error that is not one line, and memory.
func checkedWith(t *testing.T, what string, data []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		_, err = Check(f)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%s: %d bytes allocated", what, used)
	}
	if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 400) {
		t.Errorf("%s: %q", what, err)
	}
	return err
}

// TestEveryDimension gives each dimension of each tensor of each kind of file other lengths.
func TestEveryDimension(t *testing.T) {
	for kind, good := range tinyFiles(t) {
		t.Run(kind, func(t *testing.T) {
			if err := checkedWith(t, "the good file", good); err != nil {
				t.Fatal(err)
			}
			f, err := gguf.Read(bytes.NewReader(good), int64(len(good)))
			if err != nil {
				t.Fatal(err)
			}
			for _, tensor := range f.Tensors {
				at := bytes.LastIndex(good, []byte(tensor.Name+string([]byte{byte(len(tensor.Shape)), 0, 0, 0})))
				if at < 0 {
					t.Fatalf("%s: no description", tensor.Name)
				}
				at += len(tensor.Name) + 4
				for i := range tensor.Shape {
					for _, n := range []uint64{0, 1, 1 << 31, 1 << 32, math.MaxInt64, 1 << 63, math.MaxUint64} {
						bad := bytes.Clone(good)
						binary.LittleEndian.PutUint64(bad[at+8*i:], n)
						if bytes.Equal(bad, good) {
							continue
						}
						what := fmt.Sprintf("%s with dimension %d of %d", tensor.Name, i, n)
						if checkedWith(t, what, bad) == nil {
							t.Errorf("%s was accepted", what)
						}
					}
				}
				bad := bytes.Clone(good)
				for i := range tensor.Shape { // a product that wraps round
					binary.LittleEndian.PutUint64(bad[at+8*i:], 1<<31-1)
				}
				if checkedWith(t, tensor.Name+" of the largest dimensions", bad) == nil {
					t.Errorf("%s of the largest dimensions was accepted", tensor.Name)
				}
			}
		})
	}
}

// harmless are keys of which other numbers than the file's are accepted.
var harmless = map[string]bool{"context_length": true, "sliding_window": true, "unknown_token_id": true,
	"head_count": true} // 32 = 1 x 32 in the vision file; in a text file its tensors' shapes say more

// TestEveryKey gives each key of each kind of file other numbers, and values of other types.
func TestEveryKey(t *testing.T) {
	values := []any{uint32(0), uint32(1), uint32(3), uint32(math.MaxInt32), uint32(math.MaxUint32), int32(0), int32(-1),
		int32(math.MinInt32), uint64(0), uint64(math.MaxUint64), int64(-1), int64(math.MinInt64), uint8(0), int8(-128),
		uint16(65535), int16(-1), float32(0), float32(-1), float32(math.Inf(1)), float32(math.NaN()), math.MaxFloat64,
		true, "", "224", "1e9", []uint32{}, []int32{-1}, []string{}, []float32{}}
	for _, kind := range []string{paligemma.Gemma, paligemma.Gemma2, "vision"} {
		kvs, tensors := badfiles.TinyVision()
		if kind != "vision" {
			kvs, tensors = badfiles.TinyText(kind)
		}
		t.Run(kind, func(t *testing.T) {
			for _, kv := range kvs {
				_, isFloat := kv.Value.(float32)
				for _, v := range values {
					b, err := badfiles.File(badfiles.With(kvs, kv.Key, v), tensors)
					if err != nil {
						continue // not even the writer takes it
					}
					what := fmt.Sprintf("%s = %T %v", kv.Key, v, v)
					err = checkedWith(t, what, b)
					_, same := v.(uint32)
					part := kv.Key[strings.LastIndexByte(kv.Key, '.')+1:]
					if err == nil && !reflect.DeepEqual(v, kv.Value) && !(same && harmless[part]) && !isFloat && kv.Key != "general.name" {
						t.Errorf("%s was accepted", what)
					}
				}
			}
		})
	}
}
