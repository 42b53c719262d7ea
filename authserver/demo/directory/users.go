package directory

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
)

// users keeps accounts in memory, as elimity-com/scim wants them. userName is
// unique without regard to case.
type users struct {
	now func() time.Time

	mu   sync.Mutex
	last int
	rows []*user // by time of creation
}

type user struct {
	id                string
	attributes        scim.ResourceAttributes // never modified once here
	created, modified time.Time
	revision          int
}

var _ scim.ResourceHandler = (*users)(nil)

func newUsers(now func() time.Time) *users { return &users{now: now} }

// Create implements [scim.ResourceHandler].
func (u *users) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.taken(attributes, "") {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	u.last++
	now := u.now().UTC()
	row := &user{id: strconv.Itoa(u.last), attributes: attributes, created: now, modified: now, revision: 1}
	u.rows = append(u.rows, row)
	return row.resource(), nil
}

// Get implements [scim.ResourceHandler].
func (u *users) Get(_ *http.Request, id string) (scim.Resource, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	row, err := u.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return row.resource(), nil
}

// GetAll implements [scim.ResourceHandler].
func (u *users) GetAll(_ *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []scim.Resource
	for _, row := range u.rows {
		if params.FilterValidator == nil || params.FilterValidator.PassesFilter(row.filterable()) == nil {
			found = append(found, row.resource())
		}
	}
	from := min(params.StartIndex-1, len(found))
	to := min(from+params.Count, len(found))
	return scim.Page{TotalResults: len(found), Resources: append([]scim.Resource{}, found[from:to]...)}, nil
}

// Replace implements [scim.ResourceHandler].
func (u *users) Replace(_ *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	row, err := u.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return u.store(row, attributes)
}

// Patch implements [scim.ResourceHandler].
func (u *users) Patch(_ *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	row, err := u.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	patched := deepCopy(map[string]any(row.attributes)).(map[string]any)
	for _, op := range operations {
		if err := apply(patched, op); err != nil {
			return scim.Resource{}, err
		}
	}
	return u.store(row, patched)
}

// Delete implements [scim.ResourceHandler].
func (u *users) Delete(_ *http.Request, id string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	row, err := u.find(id)
	if err != nil {
		return err
	}
	u.rows = slices.DeleteFunc(u.rows, func(r *user) bool { return r == row })
	return nil
}

func (u *users) store(row *user, attributes scim.ResourceAttributes) (scim.Resource, error) {
	if u.taken(attributes, row.id) {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	row.attributes, row.modified = attributes, u.now().UTC()
	row.revision++
	return row.resource(), nil
}

func (u *users) find(id string) (*user, error) {
	for _, row := range u.rows {
		if row.id == id {
			return row, nil
		}
	}
	return nil, errors.ScimErrorResourceNotFound(id)
}

// taken reports whether another account than id has the userName.
func (u *users) taken(attributes scim.ResourceAttributes, id string) bool {
	return slices.ContainsFunc(u.rows, func(row *user) bool {
		return row.id != id && strings.EqualFold(text(row.attributes, "userName"), text(attributes, "userName"))
	})
}

func (u *users) accounts() []Account {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]Account, 0, len(u.rows))
	for _, row := range u.rows {
		out = append(out, row.account())
	}
	return out
}

// resource is read after mu was let go, so it must not point into the row.
func (r *user) resource() scim.Resource {
	created, modified := r.created, r.modified
	return scim.Resource{
		ID: r.id, Attributes: r.attributes,
		Meta: scim.Meta{Created: &created, LastModified: &modified, Version: `W/"` + strconv.Itoa(r.revision) + `"`},
	}
}

// filterable is what filters see.
func (r *user) filterable() map[string]any {
	out := map[string]any{"id": r.id}
	for name, value := range r.attributes {
		out[name] = value
	}
	return out
}

func (r *user) account() Account {
	active, given := r.attributes["active"].(bool)
	a := Account{
		ID: r.id, ExternalID: text(r.attributes, "externalId"), UserName: text(r.attributes, "userName"),
		DisplayName: text(r.attributes, "displayName"), Active: active || !given, Created: r.created,
	}
	emails, _ := r.attributes["emails"].([]any)
	for _, e := range emails {
		entry, _ := e.(map[string]any)
		if primary, _ := entry["primary"].(bool); primary || a.Email == "" {
			a.Email = text(entry, "value")
		}
	}
	return a
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}
