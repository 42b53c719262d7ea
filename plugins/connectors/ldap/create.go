package ldap

import (
	"cmp"
	"context"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// Create makes a new entry and reads its id. In Active Directory it is made
// suspended first, and becomes active once it has a password: a random one,
// which nobody knows. When only that fails, the entry stands.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	c, err := t.profile.newChange(req.Attributes, nil)
	if err != nil {
		return sdk.Account{}, err
	}
	if !req.Active && t.profile.suspend == nil {
		return sdk.Account{}, cannotSuspend()
	}
	add, err := t.entry(c, req.Active)
	if err != nil {
		return sdk.Account{}, err
	}
	err = t.pool.do(ctx, call{name: "add", writes: true, values: c.values(), run: func(conn *goldap.Conn) error { return conn.Add(add) }})
	if hasCode(err, goldap.LDAPResultNoSuchObject) {
		return sdk.Account{}, sdk.Invalid("new_accounts_dn", "there is no such entry to put accounts into")
	}
	if err != nil {
		return sdk.Account{}, err
	}
	e, err := t.readDN(ctx, add.DN)
	if err != nil {
		return sdk.Account{}, unread(err)
	}
	if t.profile.suspend != nil && t.profile.suspend.active(e) != req.Active {
		if e, err = t.activate(ctx, e, req.Active); err != nil {
			return sdk.Account{}, applied(err, "the entry was made")
		}
	}
	account, err := t.profile.account(e)
	if err != nil {
		return sdk.Account{}, unread(err)
	}
	return account, nil
}

// unread is the error for an entry that was made and whose id is not known.
func unread(cause error) error {
	return &sdk.Error{
		Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown, Err: cause,
		Message: "the directory took the entry, but it could not be read: " + sdk.AsError(cause).Message,
	}
}

// readDN reads the entry with a name.
func (t *Target) readDN(ctx context.Context, dn string) (*goldap.Entry, error) {
	found, err := t.search(ctx, query{base: dn, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", reads: t.profile.reads()})
	if err == nil && len(found) != 1 {
		err = notFound()
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// entry is the new entry, with what its classes demand.
func (t *Target) entry(c change, active bool) (*goldap.AddRequest, error) {
	p := t.profile
	if c[p.names[nameLogin]] == "" {
		return nil, invalidAttribute(nameLogin, "is required")
	}
	if c[nameCN] == "" {
		c[nameCN] = p.commonName(c.value(p))
	}
	if c[nameSN] == "" && p.demandsSurname() {
		c[nameSN] = c[nameCN]
	}
	base := cmp.Or(t.config.NewAccountsDN, t.config.BaseDN)
	add := goldap.NewAddRequest(p.naming+"="+escapeDN(c[p.naming])+","+base, nil)
	add.Attribute("objectClass", p.classes)
	for _, name := range c.names() {
		if c[name] != "" {
			add.Attribute(name, []string{c[name]})
		}
	}
	if p.suspend != nil {
		for name, value := range p.suspend.initial(active) {
			if value != "" {
				add.Attribute(name, []string{value})
			}
		}
	}
	return add, nil
}

// demandsSurname reports whether new accounts have a class that demands sn (RFC
// 4519, 3.12).
func (p profile) demandsSurname() bool {
	return !p.ad && slices.ContainsFunc(p.classes, func(class string) bool {
		switch strings.ToLower(class) {
		case "person", "organizationalperson", "inetorgperson":
			return true
		}
		return false
	})
}

// names are the LDAP names in the change, sorted.
func (c change) names() []string {
	var out []string
	for name := range c {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// value returns what the change sets, by declared name.
func (c change) value(p profile) func(string) string {
	return func(declared string) string { return c[p.names[declared]] }
}

// Delete removes an account from the groups that are managed, and then for good.
// One that is not there is a success.
func (t *Target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	err := t.deleteOnce(ctx, req.ID)
	if hasCode(err, goldap.LDAPResultNoSuchObject) { // renamed since it was read, or gone
		err = t.deleteOnce(ctx, req.ID)
	}
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

func (t *Target) deleteOnce(ctx context.Context, id string) error {
	e, err := t.read(ctx, id)
	if err != nil {
		return err
	}
	if err := t.leaveAll(ctx, e); err != nil {
		return err
	}
	return t.pool.do(ctx, call{name: "delete", writes: true, values: t.valuesOf(e), run: func(conn *goldap.Conn) error {
		return conn.Del(goldap.NewDelRequest(e.DN, nil))
	}})
}

// valuesOf are the user's values in an entry, to be kept out of messages.
func (t *Target) valuesOf(e *goldap.Entry) []string {
	out := []string{e.DN}
	for _, name := range t.profile.names {
		if name != "" {
			out = append(out, e.GetEqualFoldAttributeValues(name)...)
		}
	}
	return out
}
