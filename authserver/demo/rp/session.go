package rp

import (
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Cookies and how long they last.
const (
	browserCookie = "browser"
	sessionCookie = "session"
	loginTime     = 30 * time.Minute
	sessionTime   = 8 * time.Hour
	maxKept       = 10_000
)

// memory keeps values under keys nobody can guess, for a limited time. When it
// is full of live values the oldest gives way.
type memory[T any] struct {
	now      func() time.Time
	lifetime time.Duration

	mu   sync.Mutex
	kept map[string]entry[T]
}

type entry[T any] struct {
	value  T
	expiry time.Time
}

func newMemory[T any](now func() time.Time, lifetime time.Duration) *memory[T] {
	return &memory[T]{now: now, lifetime: lifetime, kept: map[string]entry[T]{}}
}

func (m *memory[T]) put(value T) (key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= maxKept {
		m.makeRoom()
	}
	key = rand.Text()
	m.kept[key] = entry[T]{value, m.now().Add(m.lifetime)}
	return key
}

func (m *memory[T]) makeRoom() {
	oldest := ""
	for key, e := range m.kept {
		if m.now().After(e.expiry) {
			delete(m.kept, key)
		} else if oldest == "" || e.expiry.Before(m.kept[oldest].expiry) {
			oldest = key
		}
	}
	if len(m.kept) >= maxKept {
		delete(m.kept, oldest)
	}
}

func (m *memory[T]) get(key string) (value T, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.kept[key]
	if !ok || m.now().After(e.expiry) {
		return value, false
	}
	return e.value, true
}

// take is get, once.
func (m *memory[T]) take(key string) (value T, ok bool) {
	value, ok = m.get(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, key)
	return value, ok
}

// setCookie sets a cookie of this application, or removes it with a negative
// age. Lax, because the way back from the server is a navigation from elsewhere.
func (a *App) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Value: value, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(a.options.BaseURL, "https://"),
	})
}

// cookieName keeps applications apart that run on one host: cookies do not heed
// the port.
func (a *App) cookieName(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(a.options.BaseURL))
	return fmt.Sprintf("rp_%08x_%s", h.Sum32(), name)
}

func (a *App) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}
