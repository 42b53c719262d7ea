package google

import (
	"maps"
	"strings"
	"sync"
	"time"
)

// maxRecent bounds what is remembered.
const maxRecent = 10_000

// recent remembers which accounts were asked for moments ago, by id and by
// address: that one of these is not found says nothing.
type recent struct {
	last  time.Duration // how long that holds
	now   func() time.Time
	mu    sync.Mutex
	since map[string]time.Time
}

func newRecent(last time.Duration, now func() time.Time) *recent {
	return &recent{last: last, now: now, since: map[string]time.Time{}}
}

func (r *recent) add(account string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.since) >= maxRecent {
		maps.DeleteFunc(r.since, func(_ string, at time.Time) bool { return now.Sub(at) > r.last })
	}
	if len(r.since) < maxRecent {
		r.since[strings.ToLower(account)] = now
	}
}

func (r *recent) has(account string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.since[strings.ToLower(account)]
	return known && r.now().Sub(at) < r.last
}

func (r *recent) forget(account string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.since, strings.ToLower(account))
}
