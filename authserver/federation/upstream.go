package federation

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// JIT says what becomes of somebody who signs in for the first time.
type JIT string

// The policies. The zero value is JITOff.
const (
	JITOn      JIT = "true"    // a user is made
	JITConfirm JIT = "confirm" // a user is made once they have seen what the upstream tells
	JITOff     JIT = "false"   // nobody is let in without a link
)

// AuthMethod is how we authenticate at the upstream's token endpoint (OpenID Connect
// Core 1.0 section 9).
type AuthMethod string

// The methods.
const (
	AuthBasic AuthMethod = "client_secret_basic"
	AuthPost  AuthMethod = "client_secret_post"
)

// Upstream is an OpenID provider that users may sign in with.
type Upstream struct {
	Name         string
	Issuer       string // exactly as in its tokens
	ClientID     string
	ClientSecret sdk.Secret
	AuthMethod   AuthMethod
	Scopes       []string
	// Claims maps fields of a user, or "claims.<name>", to the upstream's claims. It
	// is complete: a field that is left out stays as it is.
	Claims map[string]string
	// UserInfo asks the UserInfo endpoint, if there is one, for claims that the ID
	// token lacks. In the code flow that is most of them (OpenID Connect Core 1.0
	// section 5.4).
	UserInfo bool
	Button   string   // what people read
	Domains  []string // of e-mail addresses whose owners sign in here, in lower case
	JIT      JIT
	// Editable are fields that users write themselves, with [JITConfirm]: "login",
	// "email", "given_name", "family_name". They are never the upstream's to change.
	Editable []string
	Logout   bool // who signs out here is signed out there, too
	Enabled  bool
	Revision int64 // grows with every change
}

// New returns an upstream with the defaults.
func New(name string) Upstream {
	return Upstream{
		Name: name, Button: name, AuthMethod: AuthBasic, Scopes: []string{"openid", "profile", "email"}, JIT: JITOff, UserInfo: true, Enabled: true,
		Editable: DefaultEditable(),
		Claims: map[string]string{
			fieldLogin: "preferred_username", fieldEmail: "email", fieldGivenName: "given_name", fieldFamilyName: "family_name",
			fieldName: "name", fieldLocale: "locale",
		},
	}
}

// DefaultEditable is what users may write unless the upstream says otherwise.
func DefaultEditable() []string { return slices.Clone(confirmable[:]) }

// The fields of a user that claims can be mapped to, beside "claims.<name>".
const (
	fieldLogin      = "login"
	fieldEmail      = "email"
	fieldGivenName  = "given_name"
	fieldFamilyName = "family_name"
	fieldName       = "name"
	fieldLocale     = "locale"
	fieldPhone      = "phone_number"
	fieldGroups     = "groups"
	claimPrefix     = "claims."
)

var fields = [...]string{fieldLogin, fieldEmail, fieldGivenName, fieldFamilyName, fieldName, fieldLocale, fieldPhone, fieldGroups}

// Problem is one thing wrong with an upstream.
type Problem struct {
	Field string // as in resources.yaml, such as "domains[1]"
	Text  string
}

type problems []Problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, Problem{field, fmt.Sprintf(format, args...)})
}

var domainPattern = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)

// Check returns everything wrong with the upstream.
func (u Upstream) Check() []Problem {
	var p problems
	if err := checkURL(u.Issuer, false); err != nil {
		p.add("issuer", "%v", err)
	}
	if u.ClientID == "" {
		p.add("client_id", "required")
	}
	if u.ClientSecret == "" {
		p.add("secret", "required")
	}
	if u.AuthMethod != AuthBasic && u.AuthMethod != AuthPost {
		p.add("auth_method", "%q is not one of %s, %s", u.AuthMethod, AuthBasic, AuthPost)
	}
	if u.JIT != JITOn && u.JIT != JITConfirm && u.JIT != JITOff {
		p.add("jit", "%q is not one of %s, %s, %s", u.JIT, JITOn, JITConfirm, JITOff)
	}
	if !slices.Contains(u.Scopes, "openid") {
		p.add("scopes", "must hold openid")
	}
	u.checkLists(&p)
	return p
}

func (u Upstream) checkLists(p *problems) {
	for _, field := range slices.Sorted(maps.Keys(u.Claims)) {
		name, own := strings.CutPrefix(field, claimPrefix)
		if own && name == "" || !own && !slices.Contains(fields[:], field) {
			p.add("claims."+field, "is not one of %s, %s<name>", strings.Join(fields[:], ", "), claimPrefix)
		} else if u.Claims[field] == "" {
			p.add("claims."+field, "name the upstream's claim")
		}
	}
	makes := u.JIT == JITOn || u.JIT == JITConfirm
	if makes && u.Claims[fieldLogin] == "" && !u.leaves(fieldLogin) {
		p.add("claims.login", "required with jit")
	}
	for i, f := range u.Editable {
		if !slices.Contains(confirmable[:], f) || slices.Index(u.Editable, f) < i {
			p.add(fmt.Sprintf("editable[%d]", i), "must be one of %s, once", strings.Join(confirmable[:], ", "))
		}
	}
	for i, d := range u.Domains {
		if !domainPattern.MatchString(d) {
			p.add(fmt.Sprintf("domains[%d]", i), "must be a domain in lower case, such as example.com")
		}
	}
}

// checkURL takes https, and http on loopback only; a query only where it is allowed.
func checkURL(raw string, query bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("must be an absolute URL such as https://login.example.com")
	case !query && (u.RawQuery != "" || u.ForceQuery):
		return fmt.Errorf("must have no query")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fmt.Errorf("must be https (http only on loopback)")
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// ByDomain returns the upstream for a login that is an e-mail address of one of its
// domains; false if there is none.
func ByDomain(upstreams []Upstream, login string) (Upstream, bool) {
	at := strings.LastIndexByte(login, '@')
	if at < 1 {
		return Upstream{}, false
	}
	domain := strings.ToLower(strings.TrimSpace(login[at+1:]))
	i := slices.IndexFunc(upstreams, func(u Upstream) bool { return slices.Contains(u.Domains, domain) })
	if i < 0 {
		return Upstream{}, false
	}
	return upstreams[i], true
}

// label is what people read.
func (u Upstream) label() string { return cmp.Or(u.Button, u.Name) }
