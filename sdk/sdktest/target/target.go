package target

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// User is one user: a flat JSON object, with "id" and "name".
type User map[string]any

// Target is the fake. It is an http.Handler; its methods may be called
// concurrently.
type Target struct {
	token string
	mux   *http.ServeMux

	mu     sync.Mutex
	last   int
	users  map[string]User
	groups map[string][]string // of a user, by id
	known  []string            // groups there are
}

// New returns an empty target that takes requests with the token, and has the
// groups.
func New(token string, groups ...string) *Target {
	t := &Target{token: token, mux: http.NewServeMux(), users: map[string]User{}, groups: map[string][]string{}, known: groups}
	t.mux.HandleFunc("POST /users", t.create)
	t.mux.HandleFunc("GET /users", t.list)
	t.mux.HandleFunc("GET /users/{id}", t.get)
	t.mux.HandleFunc("PATCH /users/{id}", t.patch)
	t.mux.HandleFunc("DELETE /users/{id}", t.remove)
	t.mux.HandleFunc("PUT /users/{id}/groups", t.setGroups)
	return t
}

// Users returns every user, in the order they were made.
func (t *Target) Users() []User {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sorted(func(User) bool { return true })
}

// Groups returns the groups a user is in.
func (t *Target) Groups(id string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.groups[id])
}

// Add puts a user there, as somebody else would have, and returns its id.
func (t *Target) Add(u User) (id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.add(maps.Clone(u))
}

// ServeHTTP answers one request.
func (t *Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given, want := r.Header.Get("Authorization"), "Bearer "+t.token
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		refuse(w, http.StatusUnauthorized, "the token is wrong")
		return
	}
	t.mux.ServeHTTP(w, r)
}

func (t *Target) add(u User) string {
	t.last++
	id := fmt.Sprintf("u%06d", t.last)
	u["id"] = id
	t.users[id] = u
	return id
}

// sorted returns copies of the users that match. The caller holds mu.
func (t *Target) sorted(match func(User) bool) []User {
	found := []User{}
	for _, id := range slices.Sorted(maps.Keys(t.users)) {
		if match(t.users[id]) {
			found = append(found, maps.Clone(t.users[id]))
		}
	}
	return found
}

// taken reports whether another user has the name. The caller holds mu.
func (t *Target) taken(name any, but string) bool {
	return len(t.sorted(func(u User) bool { return u["name"] == name && u["id"] != but })) > 0
}

func (t *Target) create(w http.ResponseWriter, r *http.Request) {
	var u User
	if !decode(w, r, &u) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch name, _ := u["name"].(string); {
	case name == "":
		refuse(w, http.StatusBadRequest, "name is required")
	case t.taken(name, ""):
		refuse(w, http.StatusConflict, "the name is taken")
	default:
		id := t.add(u)
		respond(w, http.StatusCreated, t.users[id])
	}
}

// pageSize is how many users a page has when nobody says.
const pageSize = 100

func (t *Target) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	after, limit := query.Get("after"), pageSize
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n > 0 {
		limit = n
	}
	query.Del("after")
	query.Del("limit")
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.sorted(func(u User) bool {
		for name := range query {
			if u[name] != query.Get(name) {
				return false
			}
		}
		return u["id"].(string) > after
	})
	page := struct {
		Users []User `json:"users"`
		Next  string `json:"next,omitempty"`
	}{Users: found}
	if len(found) > limit {
		page.Users = found[:limit]
		page.Next, _ = page.Users[limit-1]["id"].(string)
	}
	respond(w, http.StatusOK, page)
}

func (t *Target) get(w http.ResponseWriter, r *http.Request) {
	t.onUser(w, r, func(u User) { respond(w, http.StatusOK, u) })
}

func (t *Target) patch(w http.ResponseWriter, r *http.Request) {
	var change User
	if !decode(w, r, &change) {
		return
	}
	t.onUser(w, r, func(u User) {
		if name, named := change["name"]; named && (name == "" || name == nil || t.taken(name, r.PathValue("id"))) {
			refuse(w, http.StatusConflict, "the name is taken or empty")
			return
		}
		delete(change, "id")
		maps.Copy(u, change)
		maps.DeleteFunc(u, func(_ string, v any) bool { return v == nil })
		respond(w, http.StatusOK, u)
	})
}

func (t *Target) remove(w http.ResponseWriter, r *http.Request) {
	t.onUser(w, r, func(User) {
		delete(t.users, r.PathValue("id"))
		delete(t.groups, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
}

func (t *Target) setGroups(w http.ResponseWriter, r *http.Request) {
	var groups []string
	if !decode(w, r, &groups) {
		return
	}
	t.onUser(w, r, func(User) {
		for _, g := range groups {
			if !slices.Contains(t.known, g) {
				refuse(w, http.StatusUnprocessableEntity, "there is no such group")
				return
			}
		}
		t.groups[r.PathValue("id")] = groups
		respond(w, http.StatusOK, groups)
	})
}

// onUser does something with the user the path names, or answers 404.
func (t *Target) onUser(w http.ResponseWriter, r *http.Request, do func(User)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u, ok := t.users[r.PathValue("id")]
	if !ok {
		refuse(w, http.StatusNotFound, "there is no such user")
		return
	}
	do(u)
}

// maxBody bounds a request.
const maxBody = 1 << 20

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON it must be")
		return false
	}
	return true
}

func respond(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, message string) {
	respond(w, code, map[string]string{"error": message})
}
