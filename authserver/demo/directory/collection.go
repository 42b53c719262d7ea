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

// collection keeps users or groups in memory, as elimity-com/scim wants them. Their
// names are unique without regard to case.
type collection struct {
	name string // attribute that is the name
	now  func() time.Time

	mu   sync.Mutex
	last int
	rows []*entry // by time of creation
}

type entry struct {
	id                string
	attributes        scim.ResourceAttributes // never modified once here
	created, modified time.Time
	revision          int
}

var _ scim.ResourceHandler = (*collection)(nil)

func newUsers(now func() time.Time) *collection { return &collection{name: "userName", now: now} }

func newGroups(now func() time.Time) *collection { return &collection{name: "displayName", now: now} }

// Create implements [scim.ResourceHandler].
func (c *collection) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken(attributes, "") {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	c.last++
	now := c.now().UTC()
	made := &entry{id: strconv.Itoa(c.last), attributes: attributes, created: now, modified: now, revision: 1}
	c.rows = append(c.rows, made)
	return made.resource(), nil
}

// Get implements [scim.ResourceHandler].
func (c *collection) Get(_ *http.Request, id string) (scim.Resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, err := c.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return row.resource(), nil
}

// GetAll implements [scim.ResourceHandler].
func (c *collection) GetAll(_ *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []scim.Resource
	for _, row := range c.rows {
		if params.FilterValidator == nil || params.FilterValidator.PassesFilter(row.filterable()) == nil {
			found = append(found, row.resource())
		}
	}
	from := min(params.StartIndex-1, len(found))
	to := min(from+params.Count, len(found))
	return scim.Page{TotalResults: len(found), Resources: append([]scim.Resource{}, found[from:to]...)}, nil
}

// Replace implements [scim.ResourceHandler].
func (c *collection) Replace(_ *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, err := c.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return c.store(row, attributes)
}

// Patch implements [scim.ResourceHandler].
func (c *collection) Patch(_ *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, err := c.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	patched := deepCopy(map[string]any(row.attributes)).(map[string]any)
	for _, op := range operations {
		if err := apply(patched, op); err != nil {
			return scim.Resource{}, err
		}
	}
	return c.store(row, patched)
}

// Delete implements [scim.ResourceHandler].
func (c *collection) Delete(_ *http.Request, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, err := c.find(id)
	if err != nil {
		return err
	}
	c.rows = slices.DeleteFunc(c.rows, func(r *entry) bool { return r == row })
	return nil
}

func (c *collection) store(row *entry, attributes scim.ResourceAttributes) (scim.Resource, error) {
	if c.taken(attributes, row.id) {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	row.attributes, row.modified = attributes, c.now().UTC()
	row.revision++
	return row.resource(), nil
}

func (c *collection) find(id string) (*entry, error) {
	for _, row := range c.rows {
		if row.id == id {
			return row, nil
		}
	}
	return nil, errors.ScimErrorResourceNotFound(id)
}

// taken reports whether another than id has the name.
func (c *collection) taken(attributes scim.ResourceAttributes, id string) bool {
	return slices.ContainsFunc(c.rows, func(row *entry) bool {
		return row.id != id && strings.EqualFold(text(row.attributes, c.name), text(attributes, c.name))
	})
}

func (c *collection) accounts() []Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Account, 0, len(c.rows))
	for _, row := range c.rows {
		out = append(out, row.account())
	}
	return out
}

// resource is read after mu was let go, so it must not point into the row.
func (r *entry) resource() scim.Resource {
	created, modified := r.created, r.modified
	return scim.Resource{
		ID: r.id, Attributes: r.attributes,
		Meta: scim.Meta{Created: &created, LastModified: &modified, Version: `W/"` + strconv.Itoa(r.revision) + `"`},
	}
}

// filterable is what filters see.
func (r *entry) filterable() map[string]any {
	out := map[string]any{"id": r.id}
	for name, value := range r.attributes {
		out[name] = value
	}
	return out
}

func (r *entry) account() Account {
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
