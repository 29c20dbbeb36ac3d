package worker

// This file: frames on the connection. What comes in is bounded before it is allocated.

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

const (
	magic    = "PLW1"
	headSize = 16
	maxHead  = 1 << 20
)

// errFrame is wrapped by the error of bytes that are not a frame.
var errFrame = errors.New("worker: not a frame")

type frame struct {
	kind byte
	head []byte
	body []float32
}

// decode reads the frame's head into v.
func (f frame) decode(v any) error {
	if err := json.Unmarshal(f.head, v); err != nil {
		return fmt.Errorf("worker: a frame of kind %q: %w", f.kind, err)
	}
	return nil
}

// readFrame reads a frame; maxFloats, the bound of its body, is called once the header has arrived.
// At the end of the stream it returns io.EOF.
func readFrame(r io.Reader, maxFloats func() int) (f frame, err error) {
	var h [headSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return f, err
	}
	limit := maxFloats()
	head, body := binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	switch {
	case string(h[:4]) != magic || h[5] != 0 || h[6] != 0 || h[7] != 0:
		return f, fmt.Errorf("%w: %x", errFrame, h[:8])
	case head > maxHead:
		return f, fmt.Errorf("%w: a head of %d bytes, at most %d", errFrame, head, maxHead)
	case int64(body) > int64(limit):
		return f, fmt.Errorf("%w: a body of %d floats, at most %d", errFrame, body, limit)
	}
	f.kind, f.head = h[4], make([]byte, head)
	if _, err := io.ReadFull(r, f.head); err != nil {
		return f, unexpectedEOF(err)
	}
	if f.body, err = readFloats(r, int(body)); err != nil {
		return f, unexpectedEOF(err)
	}
	return f, nil
}

// unexpectedEOF returns err, an end of the stream as one that comes too early.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunk is how many floats are converted at a time.
const chunk = 1 << 14

// readFloats reads n floats. Memory grows with what arrives.
func readFloats(r io.Reader, n int) (out []float32, err error) {
	raw := make([]byte, 4*min(n, chunk))
	for len(out) < n {
		part := raw[:4*min(n-len(out), chunk)]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, err
		}
		for ; len(part) > 0; part = part[4:] {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(part)))
		}
	}
	return out, nil
}

// frames writes frames. Safe for concurrent use.
type frames struct {
	mu sync.Mutex
	w  io.Writer
}

// send writes one frame: head as JSON, or nothing if it is nil, then the parts of the body in
// order.
func (f *frames) send(kind byte, head any, body ...[]float32) error {
	var text []byte
	if head != nil {
		var err error
		if text, err = json.Marshal(head); err != nil {
			return fmt.Errorf("worker: a frame of kind %q: %w", kind, err)
		}
	}
	if len(text) > maxHead {
		return fmt.Errorf("worker: a head of %d bytes: at most %d", len(text), maxHead)
	}
	n := 0
	for _, part := range body {
		n += len(part)
	}
	b := append([]byte(magic), kind, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, text...)
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.w.Write(b); err != nil {
		return err
	}
	for _, part := range body {
		if err := f.floats(part); err != nil {
			return err
		}
	}
	return nil
}

func (f *frames) floats(v []float32) error {
	raw := make([]byte, 0, 4*min(len(v), chunk))
	for len(v) > 0 {
		n := min(len(v), chunk)
		for _, x := range v[:n] {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		if _, err := f.w.Write(raw); err != nil {
			return err
		}
		raw, v = raw[:0], v[n:]
	}
	return nil
}
