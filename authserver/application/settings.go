package application

import (
	"fmt"
	"slices"
)

// Settings are what an application chooses of the protocol. Each left out is its
// zero value, which is the default. The names are those of OpenID Connect client
// metadata where it has one.
type Settings struct {
	// PostLogoutRedirectURIs are where a browser may go after the user signed out
	// (OpenID Connect RP-Initiated Logout 1.0 section 3.1).
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris,omitempty" json:"post_logout_redirect_uris,omitempty"`
}

func (a Application) checkSettings(p *Problems) {
	for i, raw := range a.PostLogoutRedirectURIs {
		field := fmt.Sprintf("post_logout_redirect_uris[%d]", i)
		if err := a.checkRedirectURI(raw); err != nil {
			p.add(field, err.Error())
		}
		if slices.Contains(a.PostLogoutRedirectURIs[:i], raw) {
			p.add(field, "is there twice")
		}
	}
}
