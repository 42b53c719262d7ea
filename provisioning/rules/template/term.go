package template

import (
	"encoding/xml"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// term is a condition that can be written in both languages.
type term interface {
	cel() string
	xacml() (string, error)
}

const (
	categoryUser    = "http://wso2.org/identity/user"
	categoryGroups  = "http://wso2.org/identity/provisioning"
	categoryRequest = "urn:anteroom:request"
	categoryAccount = "urn:anteroom:account"
	categoryClock   = "urn:oasis:names:tc:xacml:3.0:attribute-category:environment"

	fn1 = "urn:oasis:names:tc:xacml:1.0:function:"
	fn2 = "urn:oasis:names:tc:xacml:2.0:function:"
	fn3 = "urn:oasis:names:tc:xacml:3.0:function:"
	xsd = "http://www.w3.org/2001/XMLSchema#"

	typeIP   = "urn:oasis:names:tc:xacml:2.0:data-type:ipAddress"
	endOfDay = "24:00"
)

// field is a list of texts that rules may ask about.
type field struct{ path, category, id string }

func groups() field { return field{"user.groups", categoryGroups, categoryGroups + "/claim-group"} }

func roles() field { return field{"user.roles", categoryUser, "http://wso2.org/claims/roles"} }

// fields are the claims that are fields of ours, by the names of WSO2.
func fields() map[string]field {
	out := map[string]field{}
	for name, path := range map[string]string{
		"emailaddress": "[user.email]", "username": "[user.username]", "givenname": "[user.given_name]",
		"lastname": "[user.family_name]", "fullname": "[user.name]", "local": "[user.locale]", "mobile": "[user.phone_number]",
		"groups": "user.groups", "roles": "user.roles", "role": "user.roles",
	} {
		id := "http://wso2.org/claims/" + name
		out[id] = field{path, categoryUser, id}
	}
	return out
}

// claimOf returns the field that a claim is.
func claimOf(name string) field {
	if f, ok := fields()[name]; ok {
		return f
	}
	return field{"user.claims[?" + quote(name) + "].orValue([])", categoryUser, name}
}

// quote writes a string of CEL: its escapes are those of Go, for valid text.
func quote(s string) string { return strconv.QuoteToASCII(s) }

// has holds when a value is among those of a field.
type has struct {
	field field
	value string
}

func (t has) cel() string { return quote(t.value) + " in " + t.field.path }

func (t has) xacml() (string, error) {
	return apply(fn1+"string-is-in", text(t.value)+designator(t.field.category, t.field.id, xsd+"string")), nil
}

// inDomain holds for a mail address of a domain.
type inDomain string

func (t inDomain) cel() string {
	return "user.email.lowerAscii().endsWith(" + quote("@"+string(t)) + ")"
}

func (t inDomain) xacml() (string, error) {
	lower := apply(fn3+"map", function(fn1+"string-normalize-to-lower-case")+designator(categoryUser, "http://wso2.org/claims/emailaddress", xsd+"string"))
	return apply(fn3+"any-of", function(fn3+"string-ends-with")+text("@"+string(t))+lower), nil
}

// truth holds when a truth value is true.
type truth struct{ path, category, id string }

func verified() truth {
	return truth{"user.email_verified", categoryUser, "urn:anteroom:user:email-verified"}
}

func linked() truth {
	return truth{"account.linked", categoryAccount, "urn:anteroom:account:linked"}
}

func (t truth) cel() string { return t.path }

func (t truth) xacml() (string, error) {
	return apply(fn1+"boolean-one-and-only", designator(t.category, t.id, xsd+"boolean")), nil
}

// between holds from one time of day until before another, over midnight when that
// is the earlier one.
type between struct{ from, until string }

func (t between) cel() string { return "env.between(" + quote(t.from) + ", " + quote(t.until) + ")" }

// xacml ends a moment before: time-in-range takes in both its ends.
func (t between) xacml() (string, error) {
	end := "23:59:59.999999999"
	if until, err := time.Parse("15:04", t.until); err == nil {
		end = until.Add(-time.Nanosecond).Format("15:04:05.999999999")
	}
	now := apply(fn1+"time-one-and-only", designator(categoryClock, "urn:oasis:names:tc:xacml:1.0:environment:current-time", xsd+"time"))
	return apply(fn2+"time-in-range", now+literal(xsd+"time", t.from+":00")+literal(xsd+"time", end)), nil
}

// inNetwork holds for an address of the browser's.
type inNetwork string

func (t inNetwork) cel() string { return "request.ip.in_network(" + quote(string(t)) + ")" }

// xacml has no networks: it compares the text of an address.
func (t inNetwork) xacml() (string, error) {
	p, err := netip.ParsePrefix(string(t))
	if err != nil || !p.Addr().Is4() {
		return "", fmt.Errorf("%s: XACML can express networks of IPv4 only", string(t))
	}
	address := designator(categoryRequest, "urn:anteroom:request:ip", typeIP)
	return apply(fn3+"any-of", function(fn2+"ipAddress-regexp-match")+text(networkPattern(p))+address), nil
}

// networkPattern matches the addresses of a network of IPv4.
func networkPattern(p netip.Prefix) string {
	var parts []string
	for i, octet := range p.Addr().As4() {
		free := min(max(8*(i+1)-p.Bits(), 0), 8) // bits of this octet that are not the network's
		part := "[0-9]+"
		if free < 8 {
			var values []string
			for v := range 1 << free {
				values = append(values, strconv.Itoa(int(octet)+v))
			}
			part = "(" + strings.Join(values, "|") + ")"
		}
		parts = append(parts, part)
	}
	return "^" + strings.Join(parts, `\.`) + "$"
}

// always holds.
type always struct{}

func (always) cel() string            { return "true" }
func (always) xacml() (string, error) { return literal(xsd+"boolean", "true"), nil }

// not holds when its term does not.
type not struct{ term }

func (t not) cel() string { return "!" + t.term.cel() } // of terms without operators only

func (t not) xacml() (string, error) {
	inner, err := t.term.xacml()
	return apply(fn1+"not", inner), err
}

// anyOf holds when one of its terms does, allOf when each does.
type (
	anyOf []term
	allOf []term
)

func (t anyOf) cel() string            { return joined(t, " || ") }
func (t anyOf) xacml() (string, error) { return applied(fn1+"or", t) }
func (t allOf) cel() string            { return joined(t, " && ") }
func (t allOf) xacml() (string, error) { return applied(fn1+"and", t) }

func joined(terms []term, operator string) string {
	var parts []string
	for _, t := range terms {
		parts = append(parts, t.cel())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, operator) + ")"
}

func applied(id string, terms []term) (string, error) {
	var inner strings.Builder
	for _, t := range terms {
		s, err := t.xacml()
		if err != nil {
			return "", err
		}
		inner.WriteString(s)
	}
	return apply(id, inner.String()), nil
}

func apply(id, inner string) string {
	return "<Apply FunctionId=" + attribute(id) + ">" + inner + "</Apply>"
}

func function(id string) string { return "<Function FunctionId=" + attribute(id) + "/>" }

func literal(typ, value string) string {
	return "<AttributeValue DataType=" + attribute(typ) + ">" + escape(value) + "</AttributeValue>"
}

func text(value string) string { return literal(xsd+"string", value) }

func designator(category, id, typ string) string {
	return "<AttributeDesignator Category=" + attribute(category) + " AttributeId=" + attribute(id) +
		" DataType=" + attribute(typ) + ` MustBePresent="false"/>`
}

func attribute(s string) string { return `"` + escape(s) + `"` }

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
