package webhook_test

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

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	older  = "whsec_bGFzdCB5ZWFyJ3Mgc2VjcmV0IG9mIHRoZSBlbmRwb2ludA=="
)

// endpoint is what somebody on the other side would write: it knows the
// connector by its documentation only.
type endpoint struct {
	secret string

	mu       sync.Mutex
	last     int
	people   map[string]map[string]any // by id: attributes
	inactive map[string]bool
	done     map[string]reply // by webhook-id
	seen     []string         // types, in order
	headers  []http.Header
}

type reply struct {
	status int
	body   any
}

func newEndpoint() *endpoint {
	return &endpoint{secret: secret, people: map[string]map[string]any{}, inactive: map[string]bool{}, done: map[string]reply{}}
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

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || r.Method != http.MethodPost || !verifies(e.secret, r.Header, body, time.Now()) {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen, e.headers = append(e.seen, m.Type), append(e.headers, r.Header)
	key := r.Header.Get("webhook-id")
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

func (e *endpoint) handle(m message) reply {
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
		maps.Copy(person, m.Data.Set)
		for _, name := range m.Data.Clear {
			delete(person, name)
		}
	case "account.set_active":
		e.inactive[m.Data.ID] = !m.Data.Active
	case "account.delete":
		delete(e.people, m.Data.ID)
		maps.DeleteFunc(e.done, func(_ string, r reply) bool { return fmt.Sprint(r.body.(map[string]any)["id"]) == m.Data.ID })
		return reply{204, map[string]any{}}
	}
	return reply{200, e.tell(m.Data.ID)}
}

func (e *endpoint) lookup(key, value string) reply {
	found := []any{}
	for _, id := range slices.Sorted(maps.Keys(e.people)) {
		if strings.EqualFold(fmt.Sprint(e.people[id][key]), value) {
			found = append(found, e.tell(id))
		}
	}
	return reply{200, map[string]any{"accounts": found}}
}

func (e *endpoint) create(m message) reply {
	for _, key := range []string{"user_id", "login"} {
		value := fmt.Sprint(m.Data.Attributes[key])
		if found := e.lookup(key, value).body.(map[string]any)["accounts"].([]any); len(found) > 0 {
			return reply{409, map[string]string{"error": "taken: " + value}}
		}
	}
	e.last++
	id := "A-" + strconv.Itoa(e.last)
	e.people[id], e.inactive[id] = m.Data.Attributes, !m.Data.Active
	return reply{201, e.tell(id)}
}

func (e *endpoint) tell(id string) map[string]any {
	return map[string]any{"id": id, "attributes": maps.Clone(e.people[id]), "active": !e.inactive[id]}
}
