package engine

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"runtime"
	gometrics "runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
)

// costly returns a small file that takes much memory: a square PNG of zeros, interlaced, of 16 bits
// with alpha, that lies on its side.
func costly(side int) []byte {
	var samples int64
	for _, pass := range [][4]int{{0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8}, {2, 4, 0, 4}, {0, 2, 2, 4}, {1, 2, 0, 2},
		{0, 1, 1, 2}} { // first column, step, first row, step
		w, h := (side-pass[0]+pass[1]-1)/pass[1], (side-pass[2]+pass[3]-1)/pass[3]
		samples += int64(h) * int64(1+8*w)
	}
	var zeros bytes.Buffer
	z, _ := zlib.NewWriterLevel(&zeros, zlib.BestCompression)
	for block := make([]byte, 1<<20); samples > 0; samples -= int64(len(block)) {
		z.Write(block[:min(samples, int64(len(block)))])
	}
	z.Close()
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, body []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		from := len(out)
		out = append(append(out, kind...), body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[from:]))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(side)), uint32(side))
	chunk("IHDR", append(size, 16, 6, 0, 0, 1))
	chunk("eXIf",
		[]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"))
	chunk("IDAT", zeros.Bytes())
	chunk("IEND", nil)
	return out
}

// peak runs do and returns the largest number of bytes in objects of the heap meanwhile, garbage
// included, beyond those before.
func peak(do func()) int64 {
	now := func() int64 {
		s := []gometrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		gometrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	runtime.GC()
	before, largest := now(), int64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				largest = max(largest, now()-before)
			}
		}
	}()
	do()
	close(done)
	<-ended
	return largest
}

// Many small files that take much memory are decoded within the budget, however many cores there
// are. PALI_LOAD=7071 in the environment does it with the largest image that is taken by default, and
// the default budget.
func TestDecodeMemory(t *testing.T) {
	side, requests, budget, bound := 1000, 16, int64(64<<20), int64(64<<20)
	if os.Getenv("PALI_LOAD") != "" {
		side, budget, bound = 7071, 0, 3<<30
	}
	file := costly(side)
	for _, cores := range []int{2, 64} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		e := newEngine(t, func(o *Options) { o.DecodeMemory, o.Timeout = budget, time.Hour })
		var wg sync.WaitGroup
		start := time.Now()
		most := peak(func() {
			for range requests {
				wg.Go(func() {
					img, release, err := e.Decode(t.Context(), file)
					if err != nil || img.Width != side {
						t.Error(err)
						return
					}
					release()
				})
			}
			wg.Wait()
		})
		t.Logf("%d cores: %d files of %d bytes at once: %d bytes at most, in %v", cores, requests, len(file), most,
			time.Since(start))
		if most > bound {
			t.Errorf("%d cores: %d bytes, want at most %d", cores, most, bound)
		}
	}
}

// What waits for memory for decoding, or for room for its pixels, ends with its context, is told so,
// and takes nothing from the others; what cannot be decoded by its header does not wait.
func TestDecodeWaits(t *testing.T) {
	e := newEngine(t, func(o *Options) { o.DecodeMemory = 1 << 20 })
	file, small := costly(300), grey(1).Data // 5 MB: more than the budget
	_, release, err := e.Decode(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	told := 0
	q := &Request{Model: toy("toy"), Images: []*Image{{Data: small}}, Prompt: "p", MaxTokens: 9,
		Accepted: func() { told++ }}
	if _, err := e.Generate(ctx, q, ignore); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Errorf("%v, told %d times", err, told)
	}
	var refused runner.InvalidRequestError
	for name, data := range map[string]string{"no image": "hello", "cut": string(file[:40]), "": ""} {
		if _, _, err := e.Decode(t.Context(), []byte(data)); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	release()
	if _, release, err := e.Decode(t.Context(), []byte(strings.Repeat("x", 10))); err == nil {
		release()
		t.Error("decoded")
	}
	ask(t, e, toy("toy"), 7, "what?")
	if _, release, err = e.Decode(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	release()
	if !e.images.memory.free.TryAcquire(1<<20) || !e.images.waiting.free.TryAcquire(e.images.waiting.size) {
		t.Error("something was not given back")
	}
}

// A request is accepted once, before it waits for its turn and not before it is refused.
func TestAccepted(t *testing.T) {
	e := newEngine(t, func(o *Options) { o.Queue = 1 })
	m := toy("toy")
	told := make(chan string, 9)
	request := func(name, prompt string, data []byte) *Request {
		return &Request{Model: m, Images: []*Image{{Data: data}}, Prompt: prompt, Resize: imageproc.Antialias,
			MaxTokens: 99,
			Accepted:  func() { told <- name }}
	}
	first := make(chan error, 1)
	go func() {
		_, err := e.Generate(t.Context(), request("first", "slow 20 "+strings.Repeat("a", 50), grey(1).Data), ignore)
		first <- err
	}()
	if name := <-told; name != "first" {
		t.Error(name)
	}
	if _, err := e.Generate(t.Context(), request("no image", "p", []byte("hello")), ignore); err == nil {
		t.Error("answered")
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := e.Generate(ctx, request("second", "p", grey(2).Data), ignore)
		second <- err
	}()
	if name := <-told; name != "second" {
		t.Error(name)
	}
	var full ErrQueueFull
	if _, err := e.Generate(t.Context(), request("third", "p", grey(3).Data), ignore); !errors.As(err, &full) {
		t.Error(err)
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-first; err != nil || len(told) > 0 {
		t.Errorf("%v, told %d times more", err, len(told))
	}
}
