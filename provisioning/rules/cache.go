package rules

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
	"sync"
)

// Digest names one revision of a rule set by everything it is compiled from: the
// language, the options and the documents. Equal digests mean equal rule sets.
func Digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts { // lengths keep ("ab","c") and ("a","bc") apart
		io.WriteString(h, strconv.Itoa(len(p))+":"+p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Cache keeps the compiled rule sets that were asked for last, by their digest. It
// is safe for concurrent use. It keeps no decisions and no failures.
type Cache struct {
	mu      sync.Mutex
	size    int
	entries map[string]*list.Element
	recent  *list.List // of *cached, the latest in front
}

type cached struct {
	digest    string
	evaluator Compiled
}

// NewCache returns a cache of size rule sets, at least one.
func NewCache(size int) *Cache {
	return &Cache{size: max(size, 1), entries: map[string]*list.Element{}, recent: list.New()}
}

// Get returns the rule set of a digest, and compiles it if it is not there. Two
// callers may compile the same one at the same time; one of the results is kept.
func (c *Cache) Get(digest string, compile func() (Compiled, error)) (Compiled, error) {
	if e, ok := c.find(digest); ok {
		return e, nil
	}
	e, err := compile() // not under the lock: a large set must not hold up others
	if err != nil {
		return nil, err
	}
	return c.keep(digest, e), nil
}

// Len returns how many rule sets are kept.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}

func (c *Cache) find(digest string) (Compiled, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[digest]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(el)
	return el.Value.(*cached).evaluator, true
}

func (c *Cache) keep(digest string, e Compiled) Compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[digest]; ok {
		return el.Value.(*cached).evaluator
	}
	c.entries[digest] = c.recent.PushFront(&cached{digest, e})
	for c.recent.Len() > c.size {
		last := c.recent.Back()
		c.recent.Remove(last)
		delete(c.entries, last.Value.(*cached).digest)
	}
	return e
}
