package ldap

import (
	"cmp"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// profile is how a directory names things.
type profile struct {
	ad      bool
	names   map[string]string // LDAP name by declared name
	classes []string          // of new accounts
	naming  string            // LDAP name of the attribute new accounts are named by
	id      string            // LDAP name of the immutable id
	people  string            // filter
	suspend suspension
	member  string // attribute of a group that names its members
}

func newProfile(cfg Config) profile {
	p := profile{ad: cfg.Profile == profileAD, names: map[string]string{}}
	for _, a := range attributes() {
		p.names[a.Name] = a.openldap
		if p.ad {
			p.names[a.Name] = a.ad
		}
	}
	p.names[nameOwner] = cfg.OwnerAttribute
	if p.ad {
		p.classes, p.naming, p.id, p.member = []string{"user"}, "cn", "objectGUID", "member"
		p.people = "(&(objectClass=user)(!(objectClass=computer)))"
		p.suspend = accountControl{}
		return p
	}
	p.names[nameLogin] = cfg.LoginAttribute
	p.classes, p.naming, p.id, p.member = cfg.ObjectClasses, cfg.LoginAttribute, "entryUUID", cfg.GroupMember
	if cfg.NamedBy == namedByCN {
		p.naming = "cn"
	}
	p.people = "(objectClass=" + goldap.EscapeFilter(cfg.ObjectClasses[0]) + ")"
	switch cfg.SuspendBy {
	case suspendByPolicy:
		p.suspend = valueSuspension{attribute: "pwdAccountLockedTime", suspended: lockedForever}
	case suspendByAttribute:
		p.suspend = valueSuspension{attribute: cfg.SuspendAttribute, suspended: cfg.SuspendValue, whenActive: cfg.ActiveValue}
	}
	return p
}

// fields returns the declared names by lower-case LDAP name.
func (p profile) fields() map[string]string {
	out := map[string]string{}
	for name, ldapName := range p.names {
		if ldapName != "" {
			out[strings.ToLower(ldapName)] = name
		}
	}
	return out
}

// reads are the LDAP attributes an account is read with.
func (p profile) reads() []string {
	out := []string{p.id}
	for _, name := range p.names {
		if name != "" {
			out = append(out, name)
		}
	}
	if p.suspend != nil {
		out = append(out, p.suspend.reads()...)
	}
	return out
}

// byValue is the filter for accounts whose attribute has the value.
func (p profile) byValue(ldapName, value string) string {
	return "(&" + p.people + "(" + ldapName + "=" + goldap.EscapeFilter(value) + "))"
}

// groupClass is the object class of groups whose members are named by p.member.
func (p profile) groupClass() string {
	switch {
	case p.ad:
		return "group"
	case strings.EqualFold(p.member, memberUID):
		return "posixGroup"
	case strings.EqualFold(p.member, "uniqueMember"):
		return "groupOfUniqueNames"
	}
	return "groupOfNames"
}

// account is the entry as the host sees it. Of several values the first is it.
func (p profile) account(e *goldap.Entry) (sdk.Account, error) {
	id := p.idOf(e)
	if id == "" {
		return sdk.Account{}, sdk.Unsupported("the directory returned an entry without " + p.id + ": may bind_dn read it?")
	}
	a := sdk.Account{ID: id, Attributes: sdk.Attributes{}}
	for name, ldapName := range p.names {
		if ldapName != "" {
			a.Attributes[name] = nil
			if values := e.GetEqualFoldAttributeValues(ldapName); len(values) > 0 {
				a.Attributes[name] = values[0]
			}
		}
	}
	if p.suspend != nil {
		active := p.suspend.active(e)
		a.Active = &active
	}
	return a, nil
}

// commonName is the name of a person for whom none is given. value returns
// attributes by declared name.
func (p profile) commonName(value func(declared string) string) string {
	if p.ad { // it names the entry there, and has to be as unique as the login
		return value(nameLogin)
	}
	full := strings.TrimSpace(value(nameGiven) + " " + value(nameSN))
	return cmp.Or(value(nameDisplay), full, value(nameLogin))
}
