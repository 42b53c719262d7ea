package application

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// About tells people of an application (OpenID Connect Dynamic Client Registration 1.0
// section 2). Nothing of it is fetched.
type About struct {
	Contacts  []string `yaml:"contacts,omitempty" json:"contacts,omitempty"` // mail addresses, say
	ClientURI string   `yaml:"client_uri,omitempty" json:"client_uri,omitempty"`
	LogoURI   string   `yaml:"logo_uri,omitempty" json:"logo_uri,omitempty"`
	PolicyURI string   `yaml:"policy_uri,omitempty" json:"policy_uri,omitempty"` // shown where people are asked for consent
	TermsURI  string   `yaml:"tos_uri,omitempty" json:"tos_uri,omitempty"`       // the same
}

const maxContacts = 10

// MaxMaxAge bounds max_age, in seconds: ten years.
const MaxMaxAge = 10 * 365 * 24 * 60 * 60

func (a About) check(p *Problems) {
	if len(a.Contacts) > maxContacts {
		p.add("contacts", fmt.Sprintf("must be %d at most", maxContacts))
	}
	for i, c := range a.Contacts {
		if c == "" || len(c) > maxNameBytes {
			p.add(fmt.Sprintf("contacts[%d]", i), fmt.Sprintf("must be text of at most %d bytes", maxNameBytes))
		}
	}
	for _, uri := range []struct{ field, value string }{
		{"client_uri", a.ClientURI}, {"logo_uri", a.LogoURI}, {"policy_uri", a.PolicyURI}, {"tos_uri", a.TermsURI},
	} {
		if err := checkPageURI(uri.value); err != nil {
			p.add(uri.field, err.Error())
		}
	}
}

// checkPageURI wants a web page, "" for none. Unlike those that answers go to, it may
// have a fragment.
func checkPageURI(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("must be an absolute URI")
	}
	u.Fragment, u.RawFragment = "", ""
	return checkWebURI(u.String())
}

func (a Application) checkAssertionAlg(p *Problems) {
	switch {
	case a.AssertionAlg == "":
	case a.AuthMethod != AuthPrivateKeyJWT:
		p.add("token_endpoint_auth_signing_alg", "is for auth_method private_key_jwt")
	case !slices.Contains(AssertionAlgs(), jose.SignatureAlgorithm(a.AssertionAlg)):
		p.add("token_endpoint_auth_signing_alg", fmt.Sprintf("must be one of %v", AssertionAlgs()))
	}
}
