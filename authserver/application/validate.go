package application

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
)

// The grant types an application may use.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628
)

// New returns an application with the defaults: a confidential web application
// with the code flow. Redirect URIs and the secret are still missing.
func New(id provisioning.ClientID, name string) Application {
	return Application{
		ClientID: id, Name: name, Type: TypeWeb, AuthMethod: AuthBasic, Enabled: true,
		GrantTypes: []string{GrantAuthorizationCode, GrantRefreshToken},
		Scopes:     []string{"openid", "profile", "email", "offline_access"},
		IDTokenAlg: AlgRS256,
	}
}

// Problem says what is wrong with one field.
type Problem struct {
	Field string `json:"field"` // path in the application: "redirect_uris[0]"
	Text  string `json:"text"`
}

// Problems is everything that is wrong with an application.
type Problems []Problem

// Error lists the problems with their fields.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.Field + ": " + problem.Text
	}
	return strings.Join(texts, "; ")
}

func (p *Problems) add(field, text string) { *p = append(*p, Problem{field, text}) }

const (
	maxNameBytes = 200
	maxURIBytes  = 2000
)

var (
	clientIDSyntax = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)
	// scopeSyntax is a scope-token of RFC 6749 section 3.3.
	scopeSyntax = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,128}$`)
)

// Validate reports every problem of the application as [Problems], nil if there
// is none.
func (a Application) Validate() error {
	var p Problems
	a.checkIdentity(&p)
	a.checkRedirectURIs(&p)
	a.checkAuthMethod(&p)
	a.checkGrantTypes(&p)
	a.checkScopes(&p)
	a.checkSettings(&p)
	a.checkClientKeys(&p)
	p.checkSigningAlg("id_token_alg", a.IDTokenAlg)
	if a.InitiateLoginURI != "" {
		if err := checkWebURI(a.InitiateLoginURI); err != nil {
			p.add("initiate_login_uri", err.Error())
		}
	}
	if len(p) == 0 {
		return nil
	}
	return p
}

func (a Application) checkIdentity(p *Problems) {
	if !clientIDSyntax.MatchString(string(a.ClientID)) {
		p.add("client_id", "must be 1 to 128 letters, digits or . _ ~ -")
	}
	if a.ClientID == Console {
		p.add("client_id", "is the server's own console")
	}
	if strings.TrimSpace(a.Name) == "" || len(a.Name) > maxNameBytes {
		p.add("name", fmt.Sprintf("must be given, with at most %d bytes", maxNameBytes))
	}
	if a.Type != TypeWeb && a.Type != TypeNative {
		p.add("type", "must be web or native")
	}
}

func (a Application) checkRedirectURIs(p *Problems) {
	if len(a.RedirectURIs) == 0 && slices.Contains(a.GrantTypes, GrantAuthorizationCode) {
		p.add("redirect_uris", "the authorization_code grant needs at least one")
	}
	seen := map[string]bool{}
	for i, raw := range a.RedirectURIs {
		field := fmt.Sprintf("redirect_uris[%d]", i)
		if err := a.checkRedirectURI(raw); err != nil {
			p.add(field, err.Error())
		}
		if seen[raw] {
			p.add(field, "is there twice")
		}
		seen[raw] = true
	}
}

// checkRedirectURI follows RFC 6749 section 3.1.2 and RFC 8252 section 7: https
// everywhere, http on loopback only, a private-use scheme in reverse domain
// notation for native applications.
func (a Application) checkRedirectURI(raw string) error {
	u, err := parseURI(raw)
	if err != nil {
		return err
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return checkWebURL(u)
	}
	if a.Type != TypeNative {
		return errors.New("must use https (http on a loopback address only)")
	}
	if !strings.Contains(u.Scheme, ".") {
		return errors.New("a private scheme must be a reversed domain name, such as com.example.app")
	}
	return nil
}

func checkWebURI(raw string) error {
	u, err := parseURI(raw)
	if err != nil {
		return err
	}
	return checkWebURL(u)
}

func parseURI(raw string) (*url.URL, error) {
	if len(raw) > maxURIBytes {
		return nil, fmt.Errorf("is longer than %d bytes", maxURIBytes)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return nil, errors.New("must be plain ASCII without spaces or backslashes")
	}
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() {
		return nil, errors.New("must be an absolute URI")
	}
	if strings.Contains(raw, "#") {
		return nil, errors.New("must not have a fragment")
	}
	if u.User != nil {
		return nil, errors.New("must not have a user name")
	}
	return u, nil
}

func checkWebURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case host == "":
		return errors.New("must have a host")
	case strings.Contains(host, "*"):
		return errors.New("must not have a wildcard")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(host):
		return nil
	default:
		return errors.New("must use https (http on a loopback address only)")
	}
}

// checkOrigin wants an origin as browsers write it (RFC 6454 section 6.2): it is
// compared character by character.
func checkOrigin(raw string) error {
	u, err := parseURI(raw)
	if err != nil {
		return err
	}
	if err := checkWebURL(u); err != nil {
		return err
	}
	standard := u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80"
	if raw != u.Scheme+"://"+u.Host || u.Host != strings.ToLower(u.Host) || standard || strings.HasSuffix(u.Host, ":") {
		return errors.New("must be an origin as browsers send it: scheme, host in lower case and port, without a standard port, path or slash")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a Application) checkAuthMethod(p *Problems) {
	switch a.AuthMethod {
	case AuthBasic, AuthPost:
		if !isSecretHash(a.SecretHash) {
			p.add("secret", "is needed by auth_method "+string(a.AuthMethod))
		}
	case AuthNone, AuthPrivateKeyJWT:
		if a.SecretHash != "" {
			p.add("secret", "must be absent with auth_method "+string(a.AuthMethod))
		}
	default:
		p.add("auth_method", "must be client_secret_basic, client_secret_post, private_key_jwt or none")
	}
}

func (a Application) checkGrantTypes(p *Problems) {
	known := []string{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantDeviceCode}
	if len(a.GrantTypes) == 0 {
		p.add("grant_types", "must name at least one")
	}
	for i, g := range a.GrantTypes {
		field := fmt.Sprintf("grant_types[%d]", i)
		if !slices.Contains(known, g) {
			p.add(field, "must be one of "+strings.Join(known, ", "))
		}
		if slices.Contains(a.GrantTypes[:i], g) {
			p.add(field, "is there twice")
		}
	}
	if slices.Contains(a.GrantTypes, GrantRefreshToken) && !slices.Contains(a.GrantTypes, GrantAuthorizationCode) && !slices.Contains(a.GrantTypes, GrantDeviceCode) {
		p.add("grant_types", "refresh_token needs authorization_code or "+GrantDeviceCode)
	}
	if slices.Contains(a.GrantTypes, GrantClientCredentials) && a.AuthMethod == AuthNone {
		p.add("grant_types", "client_credentials needs a client that authenticates")
	}
}

// CheckScope says what is wrong with the name of a scope, nil if nothing is.
func CheckScope(scope string) error {
	if !scopeSyntax.MatchString(scope) {
		return errors.New("must be printable ASCII without spaces, quotes or backslashes")
	}
	return nil
}

func (a Application) checkScopes(p *Problems) {
	for i, s := range a.Scopes {
		field := fmt.Sprintf("scopes[%d]", i)
		if err := CheckScope(s); err != nil {
			p.add(field, err.Error())
		}
		if slices.Contains(a.Scopes[:i], s) {
			p.add(field, "is there twice")
		}
	}
}
