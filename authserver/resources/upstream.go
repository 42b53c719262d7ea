package resources

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/sdk"
)

// Upstream is an OpenID provider that users may sign in with. Fields left out take
// the documented defaults.
type Upstream struct {
	Name       string     `yaml:"name" json:"name"`
	Issuer     string     `yaml:"issuer" json:"issuer"`
	ClientID   string     `yaml:"client_id" json:"client_id"`
	Secret     *SecretRef `yaml:"secret,omitempty" json:"secret,omitempty"`
	AuthMethod string     `yaml:"auth_method,omitempty" json:"auth_method,omitempty"`
	Scopes     []string   `yaml:"scopes,omitempty" json:"scopes,omitempty"`
	// Claims is complete when present: a field left out is not taken over.
	Claims   map[string]string `yaml:"claims,omitempty" json:"claims,omitempty"`
	UserInfo *bool             `yaml:"userinfo,omitempty" json:"userinfo,omitempty"`
	Button   string            `yaml:"button,omitempty" json:"button,omitempty"`
	Domains  []string          `yaml:"domains,omitempty" json:"domains,omitempty"`
	JIT      string            `yaml:"jit,omitempty" json:"jit,omitempty"`
	Editable []string          `yaml:"editable" json:"editable"` // an empty list is no default
	Logout   bool              `yaml:"logout,omitempty" json:"logout,omitempty"`
	Disabled bool              `yaml:"disabled,omitempty" json:"disabled,omitempty"`
}

// upstream returns the domain's upstream. The secret is resolved already.
func (u Upstream) upstream(secret sdk.Secret) federation.Upstream {
	out := federation.New(u.Name)
	out.Issuer, out.ClientID, out.ClientSecret = u.Issuer, u.ClientID, secret
	out.Domains, out.Enabled = u.Domains, !u.Disabled
	out.Logout = u.Logout
	if u.UserInfo != nil {
		out.UserInfo = *u.UserInfo
	}
	if u.AuthMethod != "" {
		out.AuthMethod = federation.AuthMethod(u.AuthMethod)
	}
	if u.Scopes != nil {
		out.Scopes = u.Scopes
	}
	if u.Claims != nil {
		out.Claims = u.Claims
	}
	if u.Editable != nil {
		out.Editable = u.Editable
	}
	if u.Button != "" {
		out.Button = u.Button
	}
	if u.JIT != "" {
		out.JIT = federation.JIT(u.JIT)
	}
	return out
}

// exportUpstream is the inverse, with the secret left where it is.
func exportUpstream(u federation.Upstream) Upstream {
	return Upstream{
		Name: u.Name, Issuer: u.Issuer, ClientID: u.ClientID, Secret: &SecretRef{Stored: true}, AuthMethod: string(u.AuthMethod),
		Scopes: u.Scopes, Claims: u.Claims, UserInfo: &u.UserInfo, Button: u.Button, Domains: u.Domains, JIT: string(u.JIT),
		Editable: append([]string{}, u.Editable...), Logout: u.Logout, Disabled: !u.Enabled,
	}
}

// check leaves what the domain checks to the plan, which knows the secret.
func (u Upstream) check(path string, p *Problems) {
	checkName(path+"name", u.Name, p)
	checkRef(path+"secret", u.Secret, p)
}

func (p *planner) upstreams(upstreams []Upstream) {
	owners := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p.state.upstreams)) {
		for _, domain := range p.state.upstreams[name].Domains {
			owners[domain] = name
		}
	}
	for _, u := range upstreams { // they may hand domains over to each other
		maps.DeleteFunc(owners, func(_, owner string) bool { return owner == u.Name })
	}
	for i, u := range upstreams {
		path := fmt.Sprintf("upstreams[%d].", i)
		p.upstream(path, u)
		for j, domain := range u.Domains {
			if owner, ok := owners[domain]; ok {
				p.problems.add(fmt.Sprintf("%sdomains[%d]", path, j), "%q is a domain of upstream %q already", domain, owner)
			}
			owners[domain] = u.Name
		}
	}
}

func (p *planner) upstream(path string, u Upstream) {
	current, known := p.state.upstreams[u.Name]
	secret := current.ClientSecret // left out, it stays
	if u.Secret != nil && !u.Secret.Stored {
		before := len(p.problems)
		secret, _ = p.backend.resolve(path+"secret", *u.Secret, &p.problems)
		if len(p.problems) > before {
			return
		}
	}
	wanted := u.upstream(secret)
	for _, problem := range wanted.Check() {
		p.problems.add(path+problem.Field, "%s", problem.Text)
	}
	c := compareUpstreams(current, known, wanted)
	p.add(c, func(ctx context.Context, b *Backend) error { return b.Upstreams.Put(ctx, wanted) })
}

func compareUpstreams(current federation.Upstream, known bool, wanted federation.Upstream) *Change {
	var old any
	if known {
		old = exportUpstream(current)
	}
	c := compare("upstream", wanted.Name, old, exportUpstream(wanted))
	if c != nil {
		c.Fields = slices.DeleteFunc(c.Fields, func(f FieldChange) bool { return f.Path == "secret.stored" })
	}
	if current.ClientSecret == wanted.ClientSecret {
		return c
	}
	if c == nil {
		c = &Change{Action: ActionUpdate, Kind: "upstream", Name: wanted.Name}
	}
	f := FieldChange{Path: "secret", New: wanted.ClientSecret.String() + " (set)"}
	if known {
		f.Old = current.ClientSecret.String()
	}
	c.Fields = append(c.Fields, f)
	return c
}
