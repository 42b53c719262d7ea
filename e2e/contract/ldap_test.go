package contract_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/contract"
	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

const noDelay = "LDAP has no answer that asks to come back later"

func ldapServer(name string, start func(*testing.T) contract.System) contract.Server {
	return contract.Server{
		Name: name, Connector: ldap.Connector(), Start: start, Long: true,
		Changes: "givenName", Clears: "telephoneNumber", Mapping: withTelephone(ldap.Connector()),
		Login: func(name string) string { return name },
		Excluded: map[string]string{
			"429, Retry-After in seconds": noDelay,
			"429, Retry-After as a date":  noDelay,
		},
	}
}

func withTelephone(c sdk.Connector) []provisioning.AttributeMapping {
	out := withPhone(c)
	out[0].Attribute = "telephoneNumber"
	return out
}

func openLDAP() contract.Server {
	return ldapServer("OpenLDAP slapd", func(t *testing.T) contract.System {
		s := ldapservers.Slapd(t)
		d := ldapDirectory{
			server: s, id: "entryUUID", login: "uid", class: "groupOfNames", groups: ldapservers.Groups,
			config: map[string]any{
				"start_tls": false, "bind_dn": s.BindDN, "base_dn": s.BaseDN,
				"group_base_dn": ldapservers.Groups, "group_placeholder_dn": ldapservers.Placeholder,
			},
			dial: func() (net.Conn, error) { return net.Dial("tcp", s.Addr) },
		}
		return d.connected(t, ldapservers.Root)
	})
}

func sambaAD() contract.Server {
	return ldapServer("Samba AD DC", func(t *testing.T) contract.System {
		s := ldapservers.Samba(t)
		own, ca := ldapservers.Certificate(t, "127.0.0.1")
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(s.CA))
		d := ldapDirectory{
			server: s, id: "objectGUID", login: "sAMAccountName", class: "group", groups: s.BaseDN, own: &own,
			config: map[string]any{
				"profile": "ad", "bind_dn": s.BindDN, "base_dn": s.BaseDN, "group_base_dn": s.BaseDN, "ca_certificates": ca,
			},
			dial: func() (net.Conn, error) { return tls.Dial("tcp", s.TLSAddr, &tls.Config{RootCAs: roots}) },
		}
		return d.connected(t, s.BindDN)
	})
}

// ldapDirectory is an LDAP server, looked at with rights above the connector's.
type ldapDirectory struct {
	server           ldapservers.Server
	id, login, class string
	groups           string
	own              *tls.Certificate // of the link, for TLS
	config           map[string]any
	dial             func() (net.Conn, error)
	conn             *goldap.Conn
}

func (d ldapDirectory) connected(t *testing.T, name string) ldapDirectory {
	t.Helper()
	raw, err := d.dial()
	if err != nil {
		t.Fatal(err)
	}
	d.conn = goldap.NewConn(raw, d.own != nil)
	d.conn.Start()
	t.Cleanup(func() { _ = d.conn.Close() })
	if err := d.conn.Bind(name, d.server.Password); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d ldapDirectory) ad() bool { return d.own != nil }

// Link implements contract.System.
func (d ldapDirectory) Link(t *testing.T) (contract.Link, sdk.RawConfig) {
	link := contract.NewLDAPLink(t, d.own, d.dial)
	config := map[string]any{"url": "ldap://" + link.Addr}
	if d.ad() {
		config["url"] = "ldaps://" + link.Addr
	}
	for name, value := range d.config {
		config[name] = value
	}
	values, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return link, sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"bind_password": sdk.Secret(d.server.Password)}}
}

func (d ldapDirectory) search(t *testing.T, filter string) []*goldap.Entry {
	t.Helper()
	found, err := d.conn.Search(goldap.NewSearchRequest(ldapservers.Suffix, goldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"*", "+"}, nil))
	if err != nil {
		t.Fatalf("search %s: %v", filter, err)
	}
	return found.Entries
}

// idOf is the id as tools print it.
func (d ldapDirectory) idOf(e *goldap.Entry) string {
	if !d.ad() {
		return e.GetAttributeValue(d.id)
	}
	b := e.GetRawAttributeValue(d.id)
	return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:])
}

// byID finds the entry whose id tools print so.
func (d ldapDirectory) byID(t *testing.T, id string) *goldap.Entry {
	t.Helper()
	for _, e := range d.search(t, "(objectClass=person)") {
		if d.idOf(e) == id {
			return e
		}
	}
	t.Fatalf("there is no entry %s", id)
	return nil
}

// Accounts implements contract.System.
func (d ldapDirectory) Accounts(t *testing.T, login string) []contract.Account {
	t.Helper()
	var out []contract.Account
	for _, e := range d.search(t, "("+d.login+"="+login+")") {
		out = append(out, contract.Account{
			ID: d.idOf(e), Login: e.GetAttributeValue(d.login), Owner: e.GetAttributeValue("employeeNumber"), Active: d.active(e),
			Values: map[string]string{"givenName": e.GetAttributeValue("givenName"), "telephoneNumber": e.GetAttributeValue("telephoneNumber")},
		})
	}
	return out
}

// active is what the directory itself goes by.
func (d ldapDirectory) active(e *goldap.Entry) bool {
	if d.ad() {
		return e.GetAttributeValue("userAccountControl") == "512"
	}
	return e.GetAttributeValue("pwdAccountLockedTime") == ""
}

// Put implements contract.System.
func (d ldapDirectory) Put(t *testing.T, a contract.Account) string {
	t.Helper()
	add := goldap.NewAddRequest("cn="+a.Login+","+d.server.BaseDN, nil)
	attributes := map[string]string{
		d.login: a.Login, "employeeNumber": a.Owner, "cn": a.Login, "sn": "Lovelace", "mail": "older." + a.Login + "@example.com",
		"objectClass": "inetOrgPerson", "givenName": a.Values["givenName"], "telephoneNumber": a.Values["telephoneNumber"],
	}
	if d.ad() {
		attributes["objectClass"], attributes["userAccountControl"] = "user", "512"
	}
	for name, value := range attributes {
		if value != "" {
			add.Attribute(name, []string{value})
		}
	}
	if err := d.conn.Add(add); err != nil {
		t.Fatalf("put %s: %v", a.Login, err)
	}
	return d.Accounts(t, a.Login)[0].ID
}

// Remove implements contract.System.
func (d ldapDirectory) Remove(t *testing.T, id string) {
	t.Helper()
	if err := d.conn.Del(goldap.NewDelRequest(d.byID(t, id).DN, nil)); err != nil {
		t.Fatal(err)
	}
}

// Occupy implements contract.System: what has the login is no person.
func (d ldapDirectory) Occupy(t *testing.T, _ contract.Link, login string) {
	t.Helper()
	add := goldap.NewAddRequest(d.login+"="+login+","+d.server.BaseDN, nil)
	add.Attribute("objectClass", []string{"account"})
	if d.ad() {
		add = goldap.NewAddRequest("cn=occupied by "+login+","+d.server.BaseDN, nil)
		add.Attribute("objectClass", []string{"group"})
		add.Attribute(d.login, []string{login})
	}
	if err := d.conn.Add(add); err != nil {
		t.Fatal(err)
	}
}

// MakeGroup implements contract.Groups.
func (d ldapDirectory) MakeGroup(t *testing.T, name string) string {
	t.Helper()
	add := goldap.NewAddRequest("cn="+name+","+d.groups, nil)
	add.Attribute("objectClass", []string{d.class})
	if !d.ad() {
		add.Attribute("member", []string{ldapservers.Placeholder})
	}
	if err := d.conn.Add(add); err != nil {
		t.Fatal(err)
	}
	return name
}

// Members implements contract.Groups.
func (d ldapDirectory) Members(t *testing.T, group string) []string {
	t.Helper()
	people := map[string]string{}
	for _, e := range d.search(t, "(objectClass=person)") {
		people[strings.ToLower(e.DN)] = d.idOf(e)
	}
	var out []string
	for _, e := range d.search(t, "(&(objectClass="+d.class+")(cn="+group+"))") {
		for _, member := range e.GetAttributeValues("member") {
			if id := people[strings.ToLower(member)]; id != "" {
				out = append(out, id)
			}
		}
	}
	return out
}
