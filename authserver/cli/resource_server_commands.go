package cli

import (
	"cmp"
	"context"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

type resourceServerCommands struct {
	List resourceServerListCommand `cmd:"" help:"List resource servers."`
	Show resourceServerShowCommand `cmd:"" help:"Show a resource server."`
}

type resourceServerView struct {
	Identifier    string                  `json:"identifier"`
	Scopes        []string                `json:"scopes"`
	Applications  []provisioning.ClientID `json:"applications"`  // which may ask for tokens
	Introspection []provisioning.ClientID `json:"introspection"` // which may introspect them
	TokenFormat   application.TokenFormat `json:"token_format"`
	TokenAlg      string                  `json:"token_alg,omitempty"` // of JWTs
	TokenLifetime string                  `json:"token_lifetime,omitempty"`
	Enabled       bool                    `json:"enabled"`
}

func viewResourceServer(s resourceserver.Server) resourceServerView {
	v := resourceServerView{
		Identifier: s.Identifier, Scopes: append([]string{}, s.Scopes...), Applications: append([]provisioning.ClientID{}, s.Applications...),
		Introspection: append([]provisioning.ClientID{}, s.Introspection...), TokenFormat: cmp.Or(s.TokenFormat, application.TokenOpaque), TokenLifetime: s.TokenLifetime, Enabled: !s.Disabled,
	}
	if v.TokenFormat == application.TokenJWT {
		v.TokenAlg = s.Alg()
	}
	return v
}

type resourceServerListCommand struct{}

// Run lists the resource servers.
func (resourceServerListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		all, err := s.ResourceServers.List(ctx)
		if err != nil {
			return err
		}
		return r.print(list(all, viewResourceServer), func(w io.Writer) {
			row(w, "IDENTIFIER", "SCOPES", "APPLICATIONS", "ENABLED")
			for _, v := range all {
				row(w, v.Identifier, dash(strings.Join(v.Scopes, " ")), dash(words(v.Applications)), yes(!v.Disabled))
			}
		})
	})
}

type resourceServerShowCommand struct {
	Identifier string `arg:"" help:"Its identifier, a URI."`
}

// Run shows one resource server.
func (c resourceServerShowCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		found, err := s.ResourceServers.Get(ctx, c.Identifier)
		if err != nil {
			return err
		}
		v := viewResourceServer(found)
		return r.print(v, func(w io.Writer) {
			row(w, "identifier", v.Identifier)
			row(w, "scopes", dash(strings.Join(v.Scopes, " ")))
			row(w, "applications", dash(words(v.Applications)))
			row(w, "introspection", dash(words(v.Introspection)))
			row(w, "token format", strings.TrimSpace(string(v.TokenFormat)+" "+v.TokenAlg))
			row(w, "token lifetime", dash(v.TokenLifetime))
			row(w, "enabled", yes(v.Enabled))
		})
	})
}

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = string(e)
	}
	return strings.Join(out, " ")
}
