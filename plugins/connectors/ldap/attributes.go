package ldap

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
)

// attribute ties a declared attribute to its LDAP name in either profile, ""
// where the profile has none. The names of owner and login are configured.
type attribute struct {
	sdk.Attribute
	openldap string
	ad       string
}

// Names of declared attributes this package knows by heart.
const (
	nameOwner     = "owner"
	nameLogin     = "login"
	namePrincipal = "principal"
	nameCN        = "cn"
	nameSN        = "sn"
	nameGiven     = "givenName"
	nameDisplay   = "displayName"
)

// attributes is the table of everything this connector reads and writes.
func attributes() []attribute {
	text := func(name, openldap, ad, source, help string) attribute {
		return attribute{sdk.Attribute{Name: name, CaseExact: true, Source: source, Help: help}, openldap, ad}
	}
	mail := text("mail", "mail", "mail", "user.email", "")
	mail.CaseExact = false
	return []attribute{
		{Attribute: sdk.Attribute{Name: nameOwner, Correlate: 1, Owner: true, CaseExact: true, Source: "user.id", Help: "Anteroom's id of the user, kept in owner_attribute"}},
		{Attribute: sdk.Attribute{Name: nameLogin, Required: true, Correlate: 2, Source: "user.login", Help: "login_attribute; for ad sAMAccountName, of at most 20 characters"}, ad: "sAMAccountName"},
		{Attribute: sdk.Attribute{Name: namePrincipal, Correlate: 3, Help: "userPrincipalName; ad only"}, ad: "userPrincipalName"},
		text(nameCN, "cn", "cn", "", "Common name; without it made of the other names, or for ad of the login"),
		text(nameGiven, "givenName", "givenName", "user.given_name", ""),
		text(nameSN, "sn", "sn", "user.family_name", "Surname; where the directory demands one the common name stands in"),
		text(nameDisplay, "displayName", "displayName", "user.name", ""),
		mail,
		text("telephoneNumber", "telephoneNumber", "telephoneNumber", "", ""),
		text("mobile", "mobile", "mobile", "", ""),
		text("title", "title", "title", "", "Such as Vice President"),
		text("department", "departmentNumber", "department", "", ""),
		text("employeeType", "employeeType", "employeeType", "", ""),
		text("description", "description", "description", "", ""),
		text("preferredLanguage", "preferredLanguage", "preferredLanguage", "", "Such as en-US"),
		text("uidNumber", "uidNumber", "uidNumber", "", "Needs posixAccount among object_classes, as the next three"),
		text("gidNumber", "gidNumber", "gidNumber", "", ""),
		text("homeDirectory", "homeDirectory", "unixHomeDirectory", "", ""),
		text("loginShell", "loginShell", "loginShell", "", ""),
	}
}

// declared returns the table as the host sees it.
func declared() []sdk.Attribute {
	var out []sdk.Attribute
	for _, a := range attributes() {
		out = append(out, a.Attribute)
	}
	return out
}

// change is what is to be set and removed, by LDAP name; "" removes.
type change map[string]string

// newChange checks names and values. An empty string removes, for LDAP has no
// empty values (RFC 4512, 2.5.1 and most syntaxes). The error is
// [sdk.KindInvalid] with the field.
func (p profile) newChange(set sdk.Attributes, remove []string) (change, error) {
	c := change{}
	for _, name := range remove {
		ldapName, err := p.known(name)
		if err != nil {
			return nil, err
		}
		c[ldapName] = ""
	}
	for name, value := range set {
		ldapName, err := p.known(name)
		if err != nil {
			return nil, err
		}
		text, isString := value.(string)
		if value != nil && !isString {
			return nil, invalidAttribute(name, "must be a string")
		}
		if problem := p.valueProblem(name, text); problem != "" {
			return nil, invalidAttribute(name, problem)
		}
		c[ldapName] = text
	}
	return c, nil
}

func (p profile) known(name string) (ldapName string, err error) {
	ldapName, declared := p.names[name]
	switch {
	case !declared:
		return "", invalidAttribute(name, "is not an attribute of this connector")
	case ldapName == "":
		return "", invalidAttribute(name, "does not exist in this profile")
	}
	return ldapName, nil
}

// maxSAMAccountName is the longest login Active Directory takes of a user, in
// characters; what would be lost of a longer one is not for us to decide.
const maxSAMAccountName = 20

func (p profile) valueProblem(name, text string) string {
	switch {
	case !utf8.ValidString(text):
		return "must be valid UTF-8"
	case strings.ContainsRune(text, 0):
		return "must not contain a null character"
	case !p.ad || name != nameLogin:
		return ""
	case utf8.RuneCountInString(text) > maxSAMAccountName:
		return fmt.Sprintf("must have at most %d characters in Active Directory", maxSAMAccountName)
	case strings.ContainsAny(text, "\"/\\[]:;|=,+*?<>") || strings.HasSuffix(text, "."):
		return `must contain none of " / \ [ ] : ; | = , + * ? < > and not end with a dot in Active Directory`
	}
	return ""
}

func invalidAttribute(name, problem string) error { return sdk.Invalid(name, "attribute "+problem) }

// values are the user's values in the change, to be kept out of messages.
func (c change) values() []string {
	var out []string
	for _, v := range c {
		if v != "" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}
