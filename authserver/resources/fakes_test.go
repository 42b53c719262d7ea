package resources

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/sdk"
)

// memory keeps resources in maps; writes counts what was stored.
type memory struct {
	goals   map[provisioning.TargetName]provisioning.Target
	bound   map[string]provisioning.Binding
	apps    map[provisioning.ClientID]application.Application
	users   map[string]user.User
	secrets map[string]sdk.Secret // passwords by login
	sets    map[string]provisioning.StoredRuleSet
	ups     map[string]federation.Upstream
	servers map[string]resourceserver.Server
	acts    []audit.Act
	writes  int
	fail    error // returned by the next write
}

func newBackend(t *testing.T) (*Backend, *memory) {
	m := &memory{map[provisioning.TargetName]provisioning.Target{}, map[string]provisioning.Binding{},
		map[provisioning.ClientID]application.Application{}, map[string]user.User{}, map[string]sdk.Secret{},
		map[string]provisioning.StoredRuleSet{}, map[string]federation.Upstream{}, map[string]resourceserver.Server{}, nil, 0, nil}
	return &Backend{
		Targets: targets{m}, Bindings: bindings{m}, Applications: apps{m}, RuleSets: sets{m}, Upstreams: upstreams{m}, ResourceServers: servers{m}, Users: people{m}, Connectors: m, Sectors: m, Audit: m,
		InTx: func(ctx context.Context, fn func(context.Context) error) error { return m.inTx(ctx, fn) },
		Getenv: func(name string) string {
			return map[string]string{"TOKEN": "tok-1", "TOKEN2": "tok-2", "CLIENT": "client-secret", "WEAK": "password"}[name]
		},
		ReadFile: func(name string) ([]byte, error) {
			text, ok := map[string]string{"pw": "correct horse battery\n", "conf/native.yaml": strings.ReplaceAll(nativeRules, "\n", "\r\n"), "conf/office.xml": strings.ReplaceAll(officePolicy, "\n", "\r\n"),
				"conf/huge": strings.Repeat("#", maxRuleSetBytes+1), "conf/mark.yaml": "\ufeff" + nativeRules, "conf/empty": " \n"}[name]
			if !ok {
				return nil, errors.New("no such file")
			}
			return []byte(text), nil
		},
	}, m
}

// inTx restores everything when fn fails, as a database would.
func (m *memory) inTx(ctx context.Context, fn func(context.Context) error) error {
	saved := *m
	saved.goals, saved.bound, saved.apps, saved.users = maps.Clone(m.goals), maps.Clone(m.bound), maps.Clone(m.apps), maps.Clone(m.users)
	saved.sets, saved.ups, saved.servers = maps.Clone(m.sets), maps.Clone(m.ups), maps.Clone(m.servers)
	err := fn(ctx)
	if err != nil {
		*m = saved
	}
	return err
}

func (m *memory) write() error {
	m.writes++
	return m.fail
}

type upstreams struct{ *memory }

func (m upstreams) List(context.Context) ([]federation.Upstream, error) {
	return slices.Collect(maps.Values(m.ups)), nil
}

func (m upstreams) Put(_ context.Context, u federation.Upstream) error {
	m.ups[u.Name] = u
	return m.write()
}

type servers struct{ *memory }

func (m servers) List(context.Context) ([]resourceserver.Server, error) {
	return slices.Collect(maps.Values(m.servers)), nil
}

func (m servers) Put(_ context.Context, s resourceserver.Server) error {
	m.servers[s.Identifier] = s
	return m.write()
}

type targets struct{ *memory }

func (m targets) List(context.Context) ([]provisioning.Target, error) {
	return slices.Collect(maps.Values(m.goals)), nil
}

func (m targets) Put(_ context.Context, t provisioning.Target) error {
	m.goals[t.Name] = t
	return m.write()
}

type bindings struct{ *memory }

func (m bindings) List(context.Context) ([]provisioning.Binding, error) {
	all := slices.Collect(maps.Values(m.bound))
	slices.SortFunc(all, func(a, b provisioning.Binding) int { return a.Position - b.Position })
	return all, nil
}

func (m bindings) Put(_ context.Context, b provisioning.Binding) error {
	m.bound[string(b.Client)+"/"+string(b.Target)] = b
	return m.write()
}

func (m bindings) Delete(_ context.Context, client provisioning.ClientID, target provisioning.TargetName) error {
	delete(m.bound, string(client)+"/"+string(target))
	return m.write()
}

type sets struct{ *memory }

func (m sets) List(context.Context) ([]provisioning.StoredRuleSet, error) {
	return slices.Collect(maps.Values(m.sets)), nil
}

func (m sets) Put(_ context.Context, s rules.RuleSet) error {
	s.Revision = m.sets[s.Name].Revision + 1
	m.sets[s.Name] = provisioning.StoredRuleSet{RuleSet: s}
	return m.write()
}

// Validate wants a base_url that does not say "bad".
func (m *memory) Validate(_ context.Context, connector string, cfg sdk.RawConfig) ([]sdk.Problem, error) {
	if connector != "scim2" {
		return nil, errors.New("there is no connector " + connector)
	}
	var values struct {
		BaseURL string `json:"base_url"`
	}
	if err := json.Unmarshal(cfg.Values, &values); err != nil || strings.Contains(values.BaseURL, "bad") {
		return []sdk.Problem{{Field: "base_url", Message: "is bad"}}, nil
	}
	return nil, nil
}

func (m *memory) CheckMapping(_ context.Context, t provisioning.Target) error {
	if t.Name == "nogroups" && t.Groups != nil {
		return ErrGroups
	}
	if len(t.Mapping) > 0 && t.Mapping[0].Attribute == "nope" {
		return errors.New("the connector has no attribute nope")
	}
	return nil
}

type apps struct{ *memory }

func (m apps) Get(_ context.Context, id provisioning.ClientID) (application.Application, error) {
	a, ok := m.apps[id]
	if !ok {
		return a, application.ErrNotFound
	}
	return a, nil
}

func (m apps) Put(_ context.Context, a application.Application) (application.Application, error) {
	if m.apps[a.ClientID].Revision != a.Revision {
		return a, application.ErrStale
	}
	a.Revision++
	m.apps[a.ClientID] = a
	return a, m.write()
}

func (m apps) List(_ context.Context, after provisioning.ClientID, _ int) ([]application.Application, error) {
	if after != "" {
		return nil, nil
	}
	return slices.Collect(maps.Values(m.apps)), nil
}

type people struct{ *memory }

func (m people) ByLogin(_ context.Context, login string) (user.User, error) {
	u, ok := m.users[strings.ToLower(login)]
	if !ok {
		return u, provisioning.ErrUserNotFound
	}
	return u, nil
}

func (m people) Import(_ context.Context, u user.User, password sdk.Secret) (user.User, error) {
	u.ID, u.Status = provisioning.UserID("id-"+u.Login), user.StatusActive
	m.users[strings.ToLower(u.Login)], m.secrets[u.Login] = u, password
	return u, m.write()
}

func (m people) Update(_ context.Context, id provisioning.UserID, change func(*user.User) error) (user.User, error) {
	for key, u := range m.users {
		if u.ID != id {
			continue
		}
		status := u.Status
		if err := change(&u); err != nil {
			return u, err
		}
		u.Status = status
		m.users[key] = u
		return u, m.write()
	}
	return user.User{}, provisioning.ErrUserNotFound
}

func (m people) SetActive(_ context.Context, id provisioning.UserID, active bool) error {
	for key, u := range m.users {
		if u.ID == id {
			u.Status = map[bool]user.Status{true: user.StatusActive, false: user.StatusDisabled}[active]
			m.users[key] = u
		}
	}
	return m.write()
}

func (m people) List(_ context.Context, q user.Query) ([]user.User, error) {
	return slices.Collect(maps.Values(m.users)), nil
}

// Check implements Sectors: the sector at refuse.example lists nobody.
func (m *memory) Check(_ context.Context, _, a application.Application) error {
	if strings.HasPrefix(a.SectorIdentifierURI, "https://refuse.example/") {
		return application.Problems{{Field: "redirect_uris[0]", Text: "is not listed at the sector_identifier_uri"}}
	}
	return nil
}

// Note implements Audit.
func (m *memory) Note(_ context.Context, act audit.Act) error {
	m.acts = append(m.acts, act)
	return nil
}
