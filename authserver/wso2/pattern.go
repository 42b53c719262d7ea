package wso2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/resources"
)

// What stands for a user store and a tenant that a file does not name: WSO2's own
// defaults.
const (
	defaultStore  = "PRIMARY"
	defaultTenant = "carbon.super"
)

// Pattern is how WSO2 makes the login of an account: parts such as {UD,UN}, joined by
// the separator, in lower case; and, with a domain, as an address in it.
type Pattern struct {
	Parts     string // "" is {UN}
	Separator string // "" is _; it is taken as it is
	Domain    string // "" for none
	Provider  string // the identity provider's name, for IDP
}

// Mapping returns the rule that gives an attribute what the pattern gives. As in WSO2
// the login is made once: a later change of the user does not rename the account. The
// assumed texts stand for what the file does not tell. The error says what cannot be
// carried over.
func (p Pattern) Mapping(attribute string) (rule resources.Mapping, assumed []string, err error) {
	texts := map[string]string{"UN": "user.login", "UD": quote(defaultStore), "TD": quote(defaultTenant), "IDP": quote(p.Provider)}
	var parts []string
	for _, token := range p.tokens() {
		text, known := texts[token]
		if !known {
			return rule, nil, fmt.Errorf("%s is no part of a pattern: UN, UD, TD and IDP are", show(strconv.Quote(token)))
		}
		parts = append(parts, text)
		if token == "UD" || token == "TD" {
			assumed = append(assumed, token+" is taken for "+text)
		}
	}
	if !slices.Contains(parts, texts["UN"]) {
		return rule, nil, fmt.Errorf("the pattern has no UN: everybody would get the same login")
	}
	separator := p.Separator
	if separator == "" {
		separator = "_"
	}
	login := "user.login.lower()"
	if len(parts) > 1 {
		login = fmt.Sprintf("[%s].join(%s).lower()", strings.Join(parts, ", "), quote(separator))
	}
	if p.Domain != "" {
		at := quote("@" + strings.ToLower(p.Domain))
		login = fmt.Sprintf("%s.endsWith(%s) ? %s : %s.replace('@', '.') + %s", login, at, login, login, at)
	}
	return resources.Mapping{Attribute: attribute, Expression: login, Apply: "on_create"}, assumed, nil
}

func (p Pattern) tokens() []string {
	text := strings.Trim(strings.TrimSpace(p.Parts), "{}")
	if text == "" {
		return []string{"UN"}
	}
	tokens := strings.Split(text, ",")
	for i, t := range tokens {
		tokens[i] = strings.TrimSpace(t)
	}
	return tokens
}

// quote writes a text of CEL.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}

// login is where a connector of WSO2 keeps the pattern, and what it makes.
type login struct {
	pattern, separator, domain string // keys
	attribute                  string
	others                     []resources.Mapping // the connector's defaults: a mapping is the whole mapping
}

func logins() map[string]login {
	from := func(attribute, source string) resources.Mapping {
		return resources.Mapping{Attribute: attribute, Source: source}
	}
	return map[string]login{
		"googleapps": {"google_prov_pattern", "google_prov_separator", "google_prov_domain_name", "primaryEmail", []resources.Mapping{
			from("name.givenName", "user.given_name"), from("name.familyName", "user.family_name"),
		}},
		"salesforce": {"sf-prov-pattern", "sf-prov-separator", "sf-prov-domainName", "Username", []resources.Mapping{
			from("LastName", "user.family_name"), from("FirstName", "user.given_name"), from("Email", "user.email"),
		}},
	}
}

// named reports whether the connector makes logins by a pattern of its own.
func (l login) named(c connector) bool {
	return c.value(l.domain) != "" || !slices.Equal(Pattern{Parts: c.value(l.pattern)}.tokens(), []string{"UN"})
}

// makeLogin gives the target the mapping of its pattern.
func (t *target) makeLogin(provider string) {
	l, ok := logins()[t.connector.kind]
	if !ok || !l.named(t.connector) {
		return
	}
	value := t.connector.value
	p := Pattern{Parts: value(l.pattern), Separator: value(l.separator), Domain: value(l.domain), Provider: provider}
	rule, assumed, err := p.Mapping(l.attribute)
	t.login = Line{Verdict: Carried, To: "mapping." + l.attribute}
	switch {
	case err != nil:
		t.login = Line{Verdict: Decide, Note: err.Error()}
		return
	case len(assumed) > 0:
		t.login.Verdict, t.login.Note = Decide, strings.Join(assumed, ", ")+": put your own in"
	}
	t.Mapping = append([]resources.Mapping{rule}, l.others...)
}

// ofPattern decides on a key that is part of a pattern; ok is false for any other.
func (t *target) ofPattern(key string) (line Line, ok bool) {
	l, ok := logins()[t.connector.kind]
	switch {
	case !ok || !slices.Contains([]string{l.pattern, l.separator, l.domain}, key):
		return Line{}, false
	case !l.named(t.connector):
		return Line{Key: key, Verdict: NotNeeded, Note: "logins are plain user names here; the default of " + l.attribute + " is the user's address"}, true
	}
	line = t.login
	line.Key = key
	return line, true
}
