package cli

import (
	"context"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/federation"
)

type upstreamCommands struct {
	List upstreamListCommand `cmd:"" help:"List upstreams with the redirect URI to register at each."`
}

type upstreamView struct {
	Name        string            `json:"name"`
	Issuer      string            `json:"issuer"`
	ClientID    string            `json:"client_id"`
	RedirectURI string            `json:"redirect_uri"`
	AuthMethod  string            `json:"auth_method"`
	Scopes      []string          `json:"scopes"`
	Claims      map[string]string `json:"claims"`
	UserInfo    bool              `json:"userinfo"`
	Button      string            `json:"button"`
	Domains     []string          `json:"domains"`
	JIT         federation.JIT    `json:"jit"`
	Editable    []string          `json:"editable"`
	Logout      bool              `json:"logout"`
	// PostLogoutRedirectURI is registered at the upstream with logout.
	PostLogoutRedirectURI string `json:"post_logout_redirect_uri"`
	Enabled               bool   `json:"enabled"`
	Revision              int64  `json:"revision"`
}

type upstreamListCommand struct{}

// Run lists upstreams, without their secrets.
func (upstreamListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		upstreams, err := s.Upstreams.List(ctx)
		if err != nil {
			return err
		}
		view := func(u federation.Upstream) upstreamView {
			return upstreamView{
				Name: u.Name, Issuer: u.Issuer, ClientID: u.ClientID, RedirectURI: federation.RedirectURI(s.Config.Issuer, u.Name),
				AuthMethod: string(u.AuthMethod), Scopes: u.Scopes, Claims: u.Claims, UserInfo: u.UserInfo, Button: u.Button,
				Domains: append([]string{}, u.Domains...), JIT: u.JIT, Editable: append([]string{}, u.Editable...),
				Logout: u.Logout, PostLogoutRedirectURI: federation.LogoutRedirectURI(s.Config.Issuer), Enabled: u.Enabled, Revision: u.Revision,
			}
		}
		return r.print(list(upstreams, view), func(w io.Writer) {
			row(w, "NAME", "ISSUER", "REDIRECT URI", "DOMAINS", "JIT", "ENABLED")
			for _, u := range upstreams {
				row(w, u.Name, u.Issuer, view(u).RedirectURI, strings.Join(u.Domains, " "), u.JIT, yes(u.Enabled))
			}
		})
	})
}
