package ldap

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// Check tries, in order, to resolve, reach, trust, sign in to and read from the
// directory, and whether it knows what is configured. It writes nothing, so it
// cannot tell whether bind_dn may. Steps after a failure are skipped. The error
// is always nil: failures are in the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	return sdk.Probes(ctx, nil,
		t.probe("dns", t.checkDNS, "Check the host name in url and this machine's name servers."),
		t.probe("tcp", t.checkTCP, "Check the port in url and the firewalls in between."),
		t.probe("tls", t.checkTLS, "Give the issuer in ca_certificates and the certificate's name in server_name, or have the certificate corrected; for ldap:// the directory must offer StartTLS."),
		t.probe("credentials", t.checkCredentials, "Check bind_dn and bind_password, and that the account is neither locked nor expired."),
		t.probe("permission", t.checkPermission, "Check the name, and allow bind_dn to read and write beneath it."),
		t.probe("schema", t.checkSchema, "Choose another attribute or class, or have the directory's schema extended."),
	), nil
}

// probe tries one thing for as long as a request may take, and says of a failure
// of the network what is known of it.
func (t *Target) probe(name string, try func(context.Context) (string, error), fix string) sdk.Probe {
	return sdk.Probe{Name: name, Fix: fix, Try: func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, t.pool.timeout)
		defer cancel()
		detail, err := try(ctx)
		if sdk.KindOf(err) == sdk.KindInternal {
			err = sdk.Transient(explain(err), err)
		}
		return detail, err
	}}
}

func (t *Target) checkDNS(ctx context.Context) (string, error) {
	host := t.pool.dialer.address.host
	if net.ParseIP(host) != nil {
		return "url has an IP address", nil
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", err
	}
	return "resolves to " + addresses[0], nil
}

func (t *Target) checkTCP(ctx context.Context) (string, error) {
	conn, err := t.pool.dialer.dial(ctx)
	if err != nil {
		return "", err
	}
	return "connected to " + conn.RemoteAddr().String(), conn.Close()
}

func (t *Target) checkTLS(ctx context.Context) (string, error) {
	d := t.pool.dialer
	if !d.encrypted() {
		return "not used: the directory is on this machine", nil
	}
	raw, err := d.dial(ctx)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	conn, err := d.secure(ctx, raw)
	if err != nil {
		return "", err
	}
	detail := "TLS"
	if secured, ok := conn.(*tls.Conn); ok {
		detail = tls.VersionName(secured.ConnectionState().Version)
	}
	return detail, nil
}

func (t *Target) checkCredentials(ctx context.Context) (string, error) {
	s, err := t.pool.dialer.connect(ctx)
	if err != nil {
		return "", t.pool.unconnected(err)
	}
	s.close()
	return "the directory accepts them", nil
}

// checkPermission reads every entry that is configured, and one account.
func (t *Target) checkPermission(ctx context.Context) (string, error) {
	named := []struct{ field, dn string }{
		{"base_dn", t.config.BaseDN}, {"new_accounts_dn", t.config.NewAccountsDN}, {"group_base_dn", t.config.GroupBaseDN},
	}
	for _, n := range named {
		if n.dn == "" {
			continue
		}
		found, err := t.search(ctx, query{base: n.dn, field: n.field, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", reads: []string{"1.1"}})
		if err == nil && len(found) == 0 {
			err = sdk.Forbidden(n.field + " may not be read")
		}
		if err != nil {
			return "", err
		}
	}
	found, err := t.search(ctx, t.people(t.profile.people))
	if err != nil && !hasCode(err, goldap.LDAPResultSizeLimitExceeded) {
		return "", err
	}
	for _, e := range found {
		if _, err := t.profile.account(e); err != nil {
			return "", err
		}
	}
	return "entries can be read; writing was not tried", nil
}

// checkSchema looks the configured names up in the directory's schema (RFC 4512,
// 4.2).
func (t *Target) checkSchema(ctx context.Context) (string, error) {
	root, err := t.readOne(ctx, "", "subschemaSubentry")
	if err != nil {
		return "", err
	}
	where := root.GetEqualFoldAttributeValue("subschemaSubentry")
	if where == "" {
		return "the directory does not tell its schema", nil
	}
	schema, err := t.readOne(ctx, where, "attributeTypes", "objectClasses")
	if err != nil {
		return "", err
	}
	types := namesIn(schema.GetEqualFoldAttributeValues("attributeTypes"))
	classes := namesIn(schema.GetEqualFoldAttributeValues("objectClasses"))
	for _, a := range t.demandedAttributes() {
		if !types[strings.ToLower(a.name)] {
			return "", sdk.Invalid(a.field, "the directory knows no attribute "+a.name)
		}
	}
	for _, class := range append(slices.Clone(t.profile.classes), t.demandedGroupClass()...) {
		if !classes[strings.ToLower(class)] {
			return "", sdk.Invalid("object_classes", "the directory knows no object class "+class)
		}
	}
	return "attributes and object classes are known", nil
}

// demanded is an attribute that must exist, and the field that names it.
type demanded struct{ field, name string }

func (t *Target) demandedAttributes() []demanded {
	p := t.profile
	out := []demanded{
		{"owner_attribute", p.names[nameOwner]}, {"login_attribute", p.names[nameLogin]}, {"named_by", p.naming}, {"profile", p.id},
	}
	if p.suspend != nil {
		field := "suspend_by"
		if t.config.SuspendBy == suspendByAttribute {
			field = "suspend_attribute"
		}
		out = append(out, demanded{field, p.suspend.reads()[0]})
	}
	if t.config.GroupBaseDN != "" {
		out = append(out, demanded{"group_member", p.member})
	}
	return out
}

func (t *Target) demandedGroupClass() []string {
	if t.config.GroupBaseDN == "" {
		return nil
	}
	return []string{t.profile.groupClass()}
}

func (t *Target) readOne(ctx context.Context, dn string, reads ...string) (*goldap.Entry, error) {
	found, err := t.search(ctx, query{base: dn, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", reads: reads, large: true})
	if err == nil && len(found) == 0 {
		err = sdk.Forbidden("the directory's schema may not be read")
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// namesIn returns the lower-case names of schema definitions such as
// "( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )" (RFC 4512, 4.1).
func namesIn(definitions []string) map[string]bool {
	out := map[string]bool{}
	for _, d := range definitions {
		_, rest, found := strings.Cut(d, " NAME ")
		if !found {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		list, isList := strings.CutPrefix(rest, "(")
		if isList {
			rest, _, _ = strings.Cut(list, ")")
		}
		quoted := strings.Split(rest, "'")
		for i := 1; i < len(quoted); i += 2 {
			out[strings.ToLower(quoted[i])] = true
			if !isList {
				break
			}
		}
	}
	return out
}
