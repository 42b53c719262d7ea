// Package fake is a stand-in for Acme: users over REST, in memory. It shows what
// the connector believes of the real one; change both together.
package fake

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// Target is the stand-in, empty at first.
type Target struct {
	token string
	mux   http.ServeMux
	mu    sync.Mutex
	users map[string]User // by id
}

// User is a user by field name.
type User map[string]any

// New returns a Target that takes the token.
func New(token string) *Target {
	t := &Target{token: token, users: map[string]User{}}
	t.mux.HandleFunc("GET /users", t.search)
	t.mux.HandleFunc("POST /users", t.create)
	t.mux.HandleFunc("GET /users/{id}", t.onOne(func(User, User) {}))
	t.mux.HandleFunc("PATCH /users/{id}", t.onOne(merge))
	t.mux.HandleFunc("DELETE /users/{id}", t.onOne(func(u, _ User) { delete(t.users, u.text("id")) }))
	return t
}

// ServeHTTP implements [http.Handler].
func (t *Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+t.token {
		http.Error(w, "no such token", http.StatusUnauthorized)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mux.ServeHTTP(w, r)
}

// Users returns how many users there are.
func (t *Target) Users() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.users)
}

func (t *Target) search(w http.ResponseWriter, r *http.Request) {
	found := []User{}
	for _, u := range t.users {
		matches := true
		for name, values := range r.URL.Query() {
			matches = matches && strings.EqualFold(u.text(name), values[0])
		}
		if matches {
			found = append(found, u)
		}
	}
	answer(w, http.StatusOK, map[string]any{"users": found})
}

func (t *Target) create(w http.ResponseWriter, r *http.Request) {
	u := User{}
	if json.NewDecoder(r.Body).Decode(&u) != nil || u.text("login") == "" {
		answer(w, http.StatusUnprocessableEntity, User{"error": "login is required"})
		return
	}
	for _, other := range t.users {
		if strings.EqualFold(other.text("login"), u.text("login")) {
			answer(w, http.StatusConflict, User{"error": "login is taken"})
			return
		}
	}
	u["id"] = rand.Text()
	t.users[u.text("id")] = u
	answer(w, http.StatusCreated, u)
}

// onOne makes a handler of what is done to one user with the request's body.
func (t *Target) onOne(do func(user, body User)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, ok := t.users[r.PathValue("id")]
		if !ok {
			answer(w, http.StatusNotFound, User{"error": "no such user"})
			return
		}
		body := User{}
		_ = json.NewDecoder(r.Body).Decode(&body) // GET and DELETE have none
		do(u, body)
		answer(w, http.StatusOK, u)
	}
}

func merge(u, changes User) {
	for name, value := range changes {
		u[name] = value
	}
}

func (u User) text(name string) string {
	s, _ := u[name].(string)
	return s
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
