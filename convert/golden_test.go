package convert

// This file: the two files as text, compared with what a person has looked at, and runs compared
// with each other.

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

var update = flag.Bool("update", false, "rewrite the files of testdata")

// listing writes a file as lines: the keys, then each tensor's name, type, shape and SHA-256. Long
// arrays are written as their hash.
func listing(t *testing.T, f *gguf.File) string {
	var b strings.Builder
	for _, kv := range f.KVs {
		v := reflect.ValueOf(kv.Value)
		if v.Kind() == reflect.Slice && v.Len() > 8 {
			fmt.Fprintf(&b, "%s %T of %d %x\n", kv.Key, kv.Value, v.Len(),
				sha256.Sum256(fmt.Appendf(nil, "%q", kv.Value)))
		} else {
			fmt.Fprintf(&b, "%s %T %v\n", kv.Key, kv.Value, kv.Value)
		}
	}
	for _, x := range f.Tensors {
		fmt.Fprintf(&b, "%s %v %v %x\n", x.Name, x.Type, x.Shape, sha256.Sum256(contents(t, f, x)))
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name         string
		o            tinymodel.Options
		text, vision gguf.Type
	}{
		{"gemma", tinymodel.Options{Prefix: "params/"}, gguf.F32, gguf.F32},
		{"gemma2", tinymodel.Options{Architecture: paligemma.Gemma2, Prefix: "params/", DType: tensor.BF16}, gguf.BF16,
			gguf.F16},
	} {
		o := options(t, c.text)
		o.Vision = oneType(c.vision)
		f := mustRun(t, archive(t, tinymodel.Arrays(c.o)), o)
		golden(t, "tiny-"+c.name+"-text.txt", listing(t, f.text))
		golden(t, "tiny-"+c.name+"-mmproj.txt", listing(t, f.vision))
	}
}

// The bytes depend neither on the number of threads, nor on the order of the archive, nor on the
// layout it is saved in.
func TestDeterminism(t *testing.T) {
	var want [2]string
	for i, threads := range []int{1, 1, 2, 3, 8, 4, 0} {
		o := tinymodel.Options{Architecture: paligemma.Gemma2, Prefix: "params/", Unstacked: i == 5,
			OldPosition: i == 6}
		arrays := tinymodel.Arrays(o)
		if i >= 2 {
			rand.New(rand.NewPCG(1, uint64(i))).Shuffle(len(arrays), func(a, b int) {
				arrays[a], arrays[b] = arrays[b],
					arrays[a]
			})
		}
		c := options(t, gguf.Q8_0)
		c.Threads = threads
		got := hashes(t, mustRun(t, archive(t, arrays), c).Result)
		if i == 0 {
			want = got
		}
		if got != want {
			t.Errorf("run %d with %d threads: %v, want %v", i, threads, got, want)
		}
	}
}
