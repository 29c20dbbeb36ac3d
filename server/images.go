package server

// This file: image embeddings that are kept. Before it: images that were encoded. After it: the next question about the same image, which begins at
// prefill.

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// key says which image was encoded by which model in which way.
type key [sha256.Size]byte

func keyOf(m *Model, data []byte, how imageproc.Resize) key {
	h := sha256.New()
	h.Write([]byte(m.Name + "\x00" + string(how) + "\x00"))
	h.Write(data)
	return key(h.Sum(nil))
}

// encoded are the image embeddings [T,E] of an image, and its size as it is seen.
type encoded struct {
	key           key
	width, height int
	rows          []float32
}

// images keeps image embeddings, the last used longest, in so many bytes. Safe for concurrent use.
type images struct {
	mu    sync.Mutex
	most  int64
	bytes int64
	order *list.List // of *encoded, the last used first
	byKey map[key]*list.Element
}

func newImages(most int64) *images {
	return &images{most: most, order: list.New(), byKey: map[key]*list.Element{}}
}

// size is what an entry takes, with a little for its bookkeeping.
func (e *encoded) size() int64 { return int64(4*len(e.rows)) + 256 }

// get returns what is kept of an image, or nil. It is not to be changed.
func (c *images) get(k key) *encoded {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.byKey[k]
	if !ok {
		return nil
	}
	c.order.MoveToFront(at)
	return at.Value.(*encoded)
}

// put keeps an image, and forgets others where there is no room.
func (c *images) put(e *encoded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[e.key]; ok || e.size() > c.most {
		return
	}
	c.byKey[e.key] = c.order.PushFront(e)
	for c.bytes += e.size(); c.bytes > c.most; {
		last := c.order.Remove(c.order.Back()).(*encoded)
		delete(c.byKey, last.key)
		c.bytes -= last.size()
	}
}

// kept is how many images are kept, and in how many bytes.
func (c *images) kept() (n int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len(), c.bytes
}
