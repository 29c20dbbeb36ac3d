package engine

// This file: the cache of image embeddings: a second request about an image begins at the prompt.

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// cacheKey says which image was encoded by which model in which way.
type cacheKey [sha256.Size]byte

func cacheKeyOf(m *Model, data []byte, how imageproc.Resize) cacheKey {
	h := sha256.New()
	h.Write([]byte(m.Name + "\x00" + string(how) + "\x00"))
	h.Write(data)
	return cacheKey(h.Sum(nil))
}

// encoded is an entry of the cache: the embeddings [T,E] of an image, and its upright size in
// pixels.
type encoded struct {
	key           cacheKey
	width, height int
	embeddings    []float32
}

// cache keeps image embeddings in at most max bytes; the least recently used go first. Safe for
// concurrent use.
type cache struct {
	mu    sync.Mutex
	max   int64
	bytes int64
	order *list.List // of *encoded, the most recently used first
	byKey map[cacheKey]*list.Element
}

func newCache(max int64) *cache {
	return &cache{max: max, order: list.New(), byKey: map[cacheKey]*list.Element{}}
}

// bookkeeping is what an entry takes besides its embeddings, in bytes.
const bookkeeping = 256

// size returns the bytes that an entry takes.
func (e *encoded) size() int64 { return int64(4*len(e.embeddings)) + bookkeeping }

// ImageBytes returns the bytes that an image takes in the cache of embeddings.
func (m *Model) ImageBytes() int64 {
	return 4*int64(m.Vision.Tokens())*int64(m.Vision.ProjectionDim) + bookkeeping
}

// get returns the entry of an image, or nil. The caller does not change it.
func (c *cache) get(k cacheKey) *encoded {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.byKey[k]
	if !ok {
		return nil
	}
	c.order.MoveToFront(at)
	return at.Value.(*encoded)
}

// put adds an entry, and drops others if the cache is full. One that is larger than the whole cache
// is not added.
func (c *cache) put(e *encoded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[e.key]; ok || e.size() > c.max {
		return
	}
	c.byKey[e.key] = c.order.PushFront(e)
	for c.bytes += e.size(); c.bytes > c.max; {
		last := c.order.Remove(c.order.Back()).(*encoded)
		delete(c.byKey, last.key)
		c.bytes -= last.size()
	}
}

// size returns the number of entries, and their bytes.
func (c *cache) size() (n int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len(), c.bytes
}
