// Package fake is an endpoint for tests, written as somebody on the other side
// would from the documentation alone: it verifies signatures by the text of
// Standard Webhooks and knows nothing of the connector.
package fake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Endpoint takes signed events and keeps accounts in memory. Its methods may be
// called concurrently.
type Endpoint struct {
	mu       sync.Mutex
	secret   string
	last     int
	people   map[string]map[string]any // by id: attributes
	inactive map[string]bool
	occupied map[string]bool  // logins of what is no account
	done     map[string]reply // by webhook-id
	seen     []Event
}

// Event is an event that was taken.
type Event struct {
	ID, Type string
}

// New returns an endpoint without accounts that knows the secret.
func New(secret string) *Endpoint {
	return &Endpoint{
		secret: secret, people: map[string]map[string]any{}, inactive: map[string]bool{}, occupied: map[string]bool{}, done: map[string]reply{},
	}
}

// Seen returns the events that were taken, in order.
func (e *Endpoint) Seen() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

// Know makes the endpoint know another secret.
func (e *Endpoint) Know(secret string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secret = secret
}

// Account is an account of the endpoint.
type Account struct {
	ID         string
	Attributes map[string]any
	Active     bool
}

// Accounts returns the accounts with the login.
func (e *Endpoint) Accounts(login string) []Account {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Account
	for _, id := range e.having("login", login) {
		out = append(out, Account{ID: id, Attributes: maps.Clone(e.people[id]), Active: !e.inactive[id]})
	}
	return out
}

// Put makes an account, as somebody else would have, and returns its id.
func (e *Endpoint) Put(attributes map[string]any) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.add(attributes, true)
}

// Remove takes an account away, as somebody else would have.
func (e *Endpoint) Remove(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(id)
}

// Occupy takes a login for what is no account.
func (e *Endpoint) Occupy(login string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.occupied[strings.ToLower(login)] = true
}

type reply struct {
	status int
	body   any
}

type message struct {
	Type      string
	Timestamp time.Time
	Operation *struct{ ID string }
	Data      struct {
		Key, Value, ID  string
		Attributes, Set map[string]any
		Clear           []string
		Active          bool
	}
}

// ServeHTTP answers one event.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || r.Method != http.MethodPost || !verifies(e.secret, r.Header, body, time.Now()) {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	key := r.Header.Get("webhook-id")
	e.seen = append(e.seen, Event{key, m.Type})
	answer, again := e.done[key]
	if !again {
		answer = e.handle(m)
		if m.Operation != nil && answer.status < 300 {
			e.done[key] = answer
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	_ = json.NewEncoder(w).Encode(answer.body)
}

// verifies is the check of Standard Webhooks, written from its text.
func verifies(secret string, h http.Header, body []byte, now time.Time) bool {
	seconds, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if age := now.Sub(time.Unix(seconds, 0)).Abs(); err != nil || age > 5*time.Minute {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), seconds, body)
	for _, given := range strings.Fields(h.Get("webhook-signature")) {
		version, text, _ := strings.Cut(given, ",")
		sum, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(sum, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func (e *Endpoint) handle(m message) reply {
	switch m.Type {
	case "ping":
		return reply{200, nil}
	case "account.lookup":
		return e.lookup(m.Data.Key, m.Data.Value)
	case "account.create":
		return e.create(m)
	}
	person, there := e.people[m.Data.ID]
	if !there {
		return reply{404, map[string]string{"error": "there is no such account"}}
	}
	switch m.Type {
	case "account.update":
		if e.taken(m.Data.Set, m.Data.ID) {
			return reply{409, map[string]string{"error": "taken"}}
		}
		maps.Copy(person, m.Data.Set)
		for _, name := range m.Data.Clear {
			person[name] = nil
		}
	case "account.set_active":
		e.inactive[m.Data.ID] = !m.Data.Active
	case "account.delete":
		e.forget(m.Data.ID)
		return reply{204, map[string]any{}}
	}
	return reply{200, e.tell(m.Data.ID)}
}

// having returns the ids of the accounts that have a value, in any case.
func (e *Endpoint) having(key, value string) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(e.people)) {
		if text, ok := e.people[id][key].(string); ok && strings.EqualFold(text, value) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (e *Endpoint) lookup(key, value string) reply {
	found := []any{}
	for _, id := range e.having(key, value) {
		found = append(found, e.tell(id))
	}
	return reply{200, map[string]any{"accounts": found}}
}

// taken reports whether a login or owner belongs to another account.
func (e *Endpoint) taken(attributes map[string]any, but string) bool {
	for _, key := range []string{"user_id", "login"} {
		value, _ := attributes[key].(string)
		others := slices.DeleteFunc(e.having(key, value), func(id string) bool { return id == but })
		if value != "" && (len(others) > 0 || key == "login" && e.occupied[strings.ToLower(value)]) {
			return true
		}
	}
	return false
}

func (e *Endpoint) create(m message) reply {
	if e.taken(m.Data.Attributes, "") {
		return reply{409, map[string]string{"error": "taken"}}
	}
	return reply{201, e.tell(e.add(m.Data.Attributes, m.Data.Active))}
}

func (e *Endpoint) add(attributes map[string]any, active bool) string {
	e.last++
	id := "A-" + strconv.Itoa(e.last)
	e.people[id], e.inactive[id] = attributes, !active
	return id
}

// forget drops an account, and what was answered about it: it may be made again
// by the same operation.
func (e *Endpoint) forget(id string) {
	delete(e.people, id)
	maps.DeleteFunc(e.done, func(_ string, r reply) bool { return fmt.Sprint(r.body.(map[string]any)["id"]) == id })
}

func (e *Endpoint) tell(id string) map[string]any {
	return map[string]any{"id": id, "attributes": maps.Clone(e.people[id]), "active": !e.inactive[id]}
}
