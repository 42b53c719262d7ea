package ldap

import (
	"context"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// Update changes the attributes named in req, and no others; the common name
// follows where it was made of them. What is as wanted already is not sent. An
// attribute that names the entry is changed by ModifyDN, before everything else.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	c, err := t.profile.newChange(req.Set, req.Clear)
	if err != nil {
		return sdk.Account{}, err
	}
	return t.retrying(ctx, req.ID, func(e *goldap.Entry) (*goldap.Entry, error) { return t.update(ctx, req.ID, e, c) })
}

// SetActive suspends or reactivates an account.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	if t.profile.suspend == nil {
		return sdk.Account{}, cannotSuspend()
	}
	return t.retrying(ctx, req.ID, func(e *goldap.Entry) (*goldap.Entry, error) { return t.activate(ctx, e, req.Active) })
}

func cannotSuspend() error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: "suspend_by", Message: "this directory is configured without a way to suspend accounts"}
}

// retrying reads the account and changes it. Entries are changed by name, and a
// name can change after it was read: then all starts over, once. An account is
// not there only when no entry has its id.
func (t *Target) retrying(ctx context.Context, id string, fn func(*goldap.Entry) (*goldap.Entry, error)) (sdk.Account, error) {
	for last := false; ; last = true {
		e, err := t.read(ctx, id)
		if err != nil {
			return sdk.Account{}, err
		}
		e, err = fn(e)
		switch {
		case err == nil:
			return t.profile.account(e)
		case !hasCode(err, goldap.LDAPResultNoSuchObject):
			return sdk.Account{}, err
		case last:
			return sdk.Account{}, &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.AsError(err).Effect, Message: "the entry's name keeps changing", Err: err}
		}
	}
}

// update returns the entry as it is afterwards.
func (t *Target) update(ctx context.Context, id string, e *goldap.Entry, wanted change) (*goldap.Entry, error) {
	c, err := t.completed(e, wanted)
	if err != nil {
		return nil, err
	}
	before, renamed := e, false
	values := append(t.valuesOf(e), c.values()...)
	if rdn, differs := renaming(e, c); differs {
		err := t.pool.do(ctx, call{name: "rename", writes: true, values: values, run: func(conn *goldap.Conn) error {
			return conn.ModifyDN(goldap.NewModifyDNRequest(e.DN, rdn, true, ""))
		}})
		if err != nil {
			return nil, err
		}
		renamed = true
		if e, err = t.read(ctx, id); err != nil {
			return nil, applied(err, "the entry was renamed")
		}
	}
	after, err := t.modify(ctx, e, c.against(e), values)
	if err != nil && renamed {
		return nil, applied(err, "the entry was renamed")
	}
	if err != nil {
		return nil, err
	}
	return after, t.moveMemberships(ctx, before, after)
}

// completed adds what follows from the change, and refuses what an entry cannot
// be without.
func (t *Target) completed(e *goldap.Entry, wanted change) (change, error) {
	c := change{}
	for name, value := range wanted {
		c[name] = value
	}
	had := func(declared string) string { return e.GetEqualFoldAttributeValue(t.profile.names[declared]) }
	has := func(declared string) string {
		if value, changed := c[t.profile.names[declared]]; changed {
			return value
		}
		return had(declared)
	}
	if has(nameLogin) == "" {
		return nil, invalidAttribute(nameLogin, "cannot be removed")
	}
	cn, given := c[nameCN]
	if derived := t.profile.commonName(has); given && cn == "" || !given && had(nameCN) == t.profile.commonName(had) && derived != had(nameCN) {
		c[nameCN] = derived
	}
	if sn, given := c[nameSN]; given && sn == "" && t.profile.demandsSurname() {
		c[nameSN] = has(nameCN)
	}
	return c, nil
}

// renaming returns the entry's new relative name; differs is false if the change
// leaves the name alone.
func renaming(e *goldap.Entry, c change) (rdn string, differs bool) {
	dn, err := goldap.ParseDN(e.DN)
	if err != nil || len(dn.RDNs) == 0 {
		return "", false
	}
	var parts []string
	for _, part := range dn.RDNs[0].Attributes {
		value := part.Value
		for name, wanted := range c {
			if strings.EqualFold(name, part.Type) && wanted != "" && wanted != value {
				value, differs = wanted, true
			}
		}
		parts = append(parts, part.Type+"="+escapeDN(value))
	}
	return strings.Join(parts, "+"), differs
}

// against returns what has to be sent so that the entry is as the change wants.
func (c change) against(e *goldap.Entry) []modification {
	var out []modification
	for _, name := range c.names() {
		current := e.GetEqualFoldAttributeValues(name)
		values := withFirst(current, c[name])
		if !slices.Equal(values, current) {
			out = append(out, modification{name, values})
		}
	}
	return out
}

// withFirst returns values of which the first is the given one, instead of the one
// that was. Further ones are somebody else's and stay. None remain of "".
func withFirst(values []string, first string) []string {
	if first == "" || len(values) == 0 {
		return present(first)
	}
	others := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == first })
	if len(others) == len(values) {
		others = others[1:]
	}
	return append([]string{first}, others...)
}

// modify replaces attributes and returns the entry as it is afterwards.
func (t *Target) modify(ctx context.Context, e *goldap.Entry, changes []modification, values []string) (*goldap.Entry, error) {
	if len(changes) == 0 {
		return e, nil
	}
	request := goldap.NewModifyRequest(e.DN, nil)
	for _, m := range changes {
		request.Replace(m.name, m.values)
	}
	err := t.pool.do(ctx, call{name: "modify", writes: true, values: values, run: func(conn *goldap.Conn) error { return conn.Modify(request) }})
	if err != nil {
		return nil, err
	}
	after, err := t.readDN(ctx, e.DN)
	if err != nil {
		return nil, applied(err, "the entry was changed")
	}
	return after, nil
}

// activate suspends or reactivates the entry.
func (t *Target) activate(ctx context.Context, e *goldap.Entry, active bool) (*goldap.Entry, error) {
	changes, err := t.profile.suspend.set(e, active)
	if err != nil {
		return nil, err
	}
	return t.modify(ctx, e, changes, t.valuesOf(e))
}
