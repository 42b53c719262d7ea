package fake

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Add puts an account there, as somebody else would have, and returns its id.
func (s *Server) Add(user map[string]any) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(user)["id"].(string)
}

// AddUnmanaged makes the address that of somebody's personal account.
func (s *Server) AddUnmanaged(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outside = append(s.outside, strings.ToLower(address))
}

// User returns a copy of an account, nil if there is none of that id.
func (s *Server) User(id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.users[id])
}

// Users returns the ids of the accounts.
func (s *Server) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.users))
}

// Change changes an account behind everybody's back; nil removes it.
func (s *Server) Change(id string, change map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change == nil {
		s.drop(id)
		return
	}
	merge(s.users[id], change)
}

func (s *Server) add(user map[string]any) map[string]any {
	u := maps.Clone(user)
	u["id"], u["kind"], u["customerId"], u["creationTime"] = s.id(), "admin#directory#user", "C0fake", timestamp()
	u["primaryEmail"] = strings.ToLower(text(u, "primaryEmail"))
	if u["orgUnitPath"] == nil {
		u["orgUnitPath"] = "/"
	}
	u["suspended"] = u["suspended"] == true
	s.users[u["id"].(string)] = u
	return u
}

func (s *Server) drop(id string) {
	delete(s.users, id)
	for _, members := range s.groups {
		delete(members, id)
	}
}

func text(object map[string]any, member string) string {
	v, _ := object[member].(string)
	return v
}

// user finds by id, address or alias.
func (s *Server) user(key string) map[string]any {
	if u := s.users[key]; u != nil {
		return u
	}
	key = strings.ToLower(key)
	for _, u := range s.users {
		aliases, _ := u["aliases"].([]any)
		if text(u, "primaryEmail") == key || slices.Contains(aliases, any(key)) {
			return u
		}
	}
	return nil
}

// shown is an account as a request's projection shows it. Passwords never are.
func shown(u map[string]any, q request) map[string]any {
	out := maps.Clone(u)
	delete(out, "password")
	delete(out, "changePasswordAtNextLogin")
	query := q.r.URL.Query()
	switch {
	case query.Get("projection") == "full" || q.r.Method != http.MethodGet:
	case query.Get("projection") == "custom":
		all, _ := u["customSchemas"].(map[string]any)
		some := map[string]any{}
		for _, name := range strings.Split(query.Get("customFieldMask"), ",") {
			if all[name] != nil {
				some[name] = all[name]
			}
		}
		delete(out, "customSchemas")
		if len(some) > 0 {
			out["customSchemas"] = some
		}
	default:
		delete(out, "customSchemas")
	}
	return out
}

func (s *Server) getUser(w http.ResponseWriter, q request) {
	u := s.user(q.path["userKey"])
	if u == nil {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: userKey")
		return
	}
	respond(w, http.StatusOK, shown(u, q))
}

var searchClause = regexp.MustCompile(`^externalId='((?:[^'\\]|\\.)*)'$`)

func (s *Server) listUsers(w http.ResponseWriter, q request) {
	query := q.r.URL.Query()
	if query.Get("customer") != "my_customer" && query.Get("customer") != "C0fake" {
		refuse(w, http.StatusBadRequest, "badRequest", "Bad Request")
		return
	}
	wanted, all := "", query.Get("query") == ""
	if !all {
		match := searchClause.FindStringSubmatch(query.Get("query"))
		if match == nil {
			refuse(w, http.StatusBadRequest, "invalid", "Invalid Input: query")
			return
		}
		wanted = regexp.MustCompile(`\\(.)`).ReplaceAllString(match[1], "$1")
	}
	var found []map[string]any
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		if u := s.users[id]; all || hasExternalID(u, wanted) {
			found = append(found, shown(u, q))
		}
	}
	slices.SortFunc(found, func(a, b map[string]any) int {
		return cmp.Compare(text(a, "primaryEmail"), text(b, "primaryEmail"))
	})
	start, _ := strconv.Atoi(query.Get("pageToken"))
	size, err := strconv.Atoi(query.Get("maxResults"))
	if err != nil {
		size = 100
	}
	page := map[string]any{"kind": "admin#directory#users", "etag": `"fake"`}
	end := min(start+size, len(found))
	if end > start {
		page["users"] = found[start:end]
	}
	if end < len(found) {
		page["nextPageToken"] = strconv.Itoa(end)
	}
	respond(w, http.StatusOK, page)
}

func hasExternalID(u map[string]any, value string) bool {
	list, _ := u["externalIds"].([]any)
	return slices.ContainsFunc(list, func(e any) bool {
		entry, _ := e.(map[string]any)
		return strings.EqualFold(text(entry, "value"), value)
	})
}

// taken reports whether an address is somebody's, other than but.
func (s *Server) taken(address, but string) bool {
	u := s.user(address)
	_, group := s.groups[strings.ToLower(address)]
	return u != nil && u["id"] != but || group || slices.Contains(s.outside, strings.ToLower(address))
}

func (s *Server) insertUser(w http.ResponseWriter, q request) {
	address := text(q.body, "primaryEmail")
	switch status, reason, message := s.refusal(q.body); {
	case status != 0:
		refuse(w, status, reason, message)
	case slices.Contains(s.outside, strings.ToLower(address)) && q.r.URL.Query().Get("resolveConflictAccount") == "true":
		respond(w, http.StatusAccepted, map[string]any{})
	case s.taken(address, ""):
		refuse(w, http.StatusConflict, "duplicate", "Entity already exists.")
	case utf8.RuneCountInString(text(q.body, "password")) < 8:
		refuse(w, http.StatusBadRequest, "invalid", "Invalid Password")
	default:
		respond(w, http.StatusOK, shown(s.add(q.body), q))
	}
}

// refusal says what is wrong with the values of an account, status 0 if nothing.
func (s *Server) refusal(u map[string]any) (status int, reason, message string) {
	name, _ := u["name"].(map[string]any)
	_, domain, _ := strings.Cut(text(u, "primaryEmail"), "@")
	unit := text(u, "orgUnitPath")
	schemas, _ := u["customSchemas"].(map[string]any)
	switch {
	case u["primaryEmail"] != nil && !slices.Contains(s.options.Domains, strings.ToLower(domain)):
		return http.StatusForbidden, "forbidden", "Not Authorized to access this resource/api"
	case utf8.RuneCountInString(text(name, "givenName")) > 60:
		return http.StatusBadRequest, "invalid", "Invalid Given/Family Name: GivenName"
	case utf8.RuneCountInString(text(name, "familyName")) > 60:
		return http.StatusBadRequest, "invalid", "Invalid Given/Family Name: FamilyName"
	case unit != "" && unit != "/" && !slices.Contains(s.options.OrgUnits, unit):
		return http.StatusBadRequest, "invalid", "Invalid Input: INVALID_OU_ID"
	}
	for schema, values := range schemas {
		fields, known := s.options.Schemas[schema]
		object, _ := values.(map[string]any)
		for field := range object {
			known = known && slices.Contains(fields, field)
		}
		if !known {
			return http.StatusBadRequest, "invalid", "Invalid Input: custom_schema"
		}
	}
	return 0, "", ""
}

// merge is Google's update: what is not there stays, null clears, objects are
// merged and lists replaced.
func merge(into, change map[string]any) {
	for name, v := range change {
		sub, isObject := v.(map[string]any)
		old, wasObject := into[name].(map[string]any)
		switch {
		case v == nil:
			delete(into, name)
		case isObject && wasObject:
			old = maps.Clone(old)
			if merge(old, sub); len(old) == 0 {
				delete(into, name)
				continue
			}
			into[name] = old
		default:
			into[name] = v
		}
	}
}

func (s *Server) updateUser(w http.ResponseWriter, q request) {
	u := s.user(q.path["userKey"])
	if u == nil {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: userKey")
		return
	}
	id, old := text(u, "id"), text(u, "primaryEmail")
	address := strings.ToLower(text(q.body, "primaryEmail"))
	switch status, reason, message := s.refusal(q.body); {
	case status != 0:
		refuse(w, status, reason, message)
		return
	case address != "" && s.taken(address, id):
		refuse(w, http.StatusConflict, "duplicate", "Entity already exists.")
		return
	}
	if q.body["name"] != nil { // whether parts are merged is not said: the worst is that they are not
		delete(u, "name")
	}
	merge(u, q.body)
	if address != "" && address != old { // the old address stays as an alias
		aliases, _ := u["aliases"].([]any)
		u["aliases"] = append(slices.DeleteFunc(slices.Clone(aliases), func(a any) bool { return a == address }), old)
		u["primaryEmail"] = address
	}
	respond(w, http.StatusOK, shown(u, q))
}

func (s *Server) deleteUser(w http.ResponseWriter, q request) {
	u := s.user(q.path["userKey"])
	if u == nil {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: userKey")
		return
	}
	s.drop(text(u, "id"))
	w.WriteHeader(http.StatusNoContent)
}
