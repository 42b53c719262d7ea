package fake

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Join makes an account a member of a group, as somebody else would have.
func (s *Server) Join(group, id, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[strings.ToLower(group)][id] = role
}

// GroupsOf returns the groups an account is in.
func (s *Server) GroupsOf(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groupsOf(id)
}

func (s *Server) groupsOf(id string) []string {
	var out []string
	for _, g := range slices.Sorted(maps.Keys(s.groups)) {
		if s.groups[g][id] != "" {
			out = append(out, g)
		}
	}
	return out
}

func groupResource(address string) map[string]any {
	return map[string]any{"kind": "admin#directory#group", "id": "g" + strings.Map(alphanumeric, address), "email": address, "name": address}
}

func alphanumeric(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func (s *Server) listGroups(w http.ResponseWriter, q request) {
	u := s.user(q.r.URL.Query().Get("userKey"))
	if u == nil {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: userKey")
		return
	}
	page := map[string]any{"kind": "admin#directory#groups"}
	var groups []any
	for _, g := range s.groupsOf(text(u, "id")) {
		groups = append(groups, groupResource(g))
	}
	if groups != nil {
		page["groups"] = groups
	}
	respond(w, http.StatusOK, page)
}

// group answers for a group that is missing, and returns its members otherwise.
func (s *Server) group(w http.ResponseWriter, q request) (map[string]string, bool) {
	members, ok := s.groups[strings.ToLower(q.path["groupKey"])]
	if !ok {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: groupKey")
	}
	return members, ok
}

func (s *Server) getGroup(w http.ResponseWriter, q request) {
	if _, ok := s.group(w, q); ok {
		respond(w, http.StatusOK, groupResource(strings.ToLower(q.path["groupKey"])))
	}
}

func (s *Server) insertMember(w http.ResponseWriter, q request) {
	members, ok := s.group(w, q)
	if !ok {
		return
	}
	u := s.user(text(q.body, "email"))
	switch {
	case u == nil:
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: memberKey")
	case members[text(u, "id")] != "":
		refuse(w, http.StatusConflict, "duplicate", "Member already exists.")
	default:
		members[text(u, "id")] = text(q.body, "role")
		respond(w, http.StatusOK, map[string]any{"kind": "admin#directory#member", "id": u["id"], "email": u["primaryEmail"],
			"role": text(q.body, "role"), "type": "USER", "status": "ACTIVE"})
	}
}

func (s *Server) deleteMember(w http.ResponseWriter, q request) {
	members, ok := s.group(w, q)
	if !ok {
		return
	}
	u := s.user(q.path["memberKey"])
	if u == nil || members[text(u, "id")] == "" {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: memberKey")
		return
	}
	delete(members, text(u, "id"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getSchema(w http.ResponseWriter, q request) {
	fields, ok := s.options.Schemas[q.path["schemaKey"]]
	if !ok {
		refuse(w, http.StatusNotFound, "notFound", "Resource Not Found: userKey")
		return
	}
	var list []any
	for _, f := range fields {
		list = append(list, map[string]any{"fieldName": f, "fieldType": "STRING"})
	}
	respond(w, http.StatusOK, map[string]any{"kind": "admin#directory#schema", "schemaName": q.path["schemaKey"], "fields": list})
}
