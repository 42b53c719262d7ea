package provisioning_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// world is a downstream system in memory, with a connector that can be told to
// misbehave.
type world struct {
	mu       sync.Mutex
	accounts map[string]*sdk.Account
	next     int
	calls    map[string]int
	declared []sdk.Attribute
	// before and after are asked around every verb that runs; an error from after
	// means the verb was done and its answer lost.
	before, after func(verb string) error
	groups        map[string][]string // by account id, as last set
	loose         bool                // two accounts may have the same login
	refused       []string            // logins that no account has and none can be created with
	operations    []sdk.Operation     // of creates
	noGroups      bool
	noGet         bool
	noActive      bool
	hideOwner     bool // the connector cannot read the owner attribute
	hideActive    bool // the connector does not say whether an account is active
}

func newWorld() *world {
	fine := func(string) error { return nil }
	return &world{
		accounts: map[string]*sdk.Account{}, calls: map[string]int{}, groups: map[string][]string{}, before: fine, after: fine,
		declared: []sdk.Attribute{
			{Name: "owner", Type: sdk.AttributeString, Owner: true, Correlate: 1, CaseExact: true},
			{Name: "login", Type: sdk.AttributeString, Required: true, Correlate: 2, Source: "user.login"},
			{Name: "email", Type: sdk.AttributeString, Source: "user.email"},
			{Name: "groups", Type: sdk.AttributeString, MultiValued: true, Source: "user.groups"},
			{Name: "origin", Type: sdk.AttributeString, CreateOnly: true, Source: "claims.origin"},
		},
	}
}

// Connect implements provisioning.Targets.
func (w *world) Connect(context.Context, provisioning.Target) (provisioning.Conn, error) {
	c := provisioning.Conn{Target: w, Getter: w, ActiveSetter: w, Deleter: w, Description: sdk.Description{Attributes: w.declared}}
	if !w.noGroups {
		c.GroupSetter = w
	}
	if w.noGet {
		c.Getter = nil
	}
	if w.noActive {
		c.ActiveSetter = nil
	}
	return c, nil
}

// verb runs do between the hooks.
func (w *world) verb(name string, do func() error) error {
	w.mu.Lock()
	w.calls[name]++
	before, after := w.before, w.after
	w.mu.Unlock()
	if err := before(name); err != nil {
		return err
	}
	w.mu.Lock()
	err := do()
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return after(name)
}

func (w *world) shown(a *sdk.Account) sdk.Account {
	active := *a.Active
	out := sdk.Account{ID: a.ID, Attributes: maps.Clone(a.Attributes), Active: &active}
	if w.hideActive {
		out.Active = nil
	}
	if w.hideOwner {
		delete(out.Attributes, "owner")
	}
	return out
}

// Lookup implements sdk.Target.
func (w *world) Lookup(_ context.Context, r sdk.LookupRequest) ([]sdk.Account, error) {
	var out []sdk.Account
	err := w.verb("lookup", func() error {
		for _, a := range w.accounts {
			if strings.EqualFold(a.Attributes.String(r.Key), r.Value) {
				found := w.shown(a)
				found.Attributes[r.Key] = a.Attributes[r.Key]
				out = append(out, found)
			}
		}
		return nil
	})
	return out, err
}

// Create implements sdk.Target.
func (w *world) Create(_ context.Context, r sdk.CreateRequest) (sdk.Account, error) {
	var out sdk.Account
	err := w.verb("create", func() error {
		w.operations = append(w.operations, r.Operation)
		if slices.Contains(w.refused, r.Attributes.String("login")) {
			return &sdk.Error{Kind: sdk.KindConflict, Effect: sdk.EffectNone, Field: "login", Message: "the login was used before"}
		}
		for _, a := range w.accounts {
			if !w.loose && strings.EqualFold(a.Attributes.String("login"), r.Attributes.String("login")) {
				return &sdk.Error{Kind: sdk.KindConflict, Effect: sdk.EffectNone, Message: "the login is taken"}
			}
		}
		out = w.shown(w.insert(r.Attributes, r.Active))
		return nil
	})
	return out, err
}

func (w *world) refuse(logins ...string) { w.refused = logins }

func (w *world) insert(attributes sdk.Attributes, active bool) *sdk.Account {
	w.next++
	a := &sdk.Account{ID: fmt.Sprintf("x%d", w.next), Attributes: maps.Clone(attributes), Active: &active}
	w.accounts[a.ID] = a
	return a
}

func (w *world) change(verb, id string, do func(*sdk.Account)) (sdk.Account, error) {
	var out sdk.Account
	err := w.verb(verb, func() error {
		a := w.accounts[id]
		if a == nil {
			return &sdk.Error{Kind: sdk.KindNotFound, Effect: sdk.EffectNone, Message: "no such account"}
		}
		do(a)
		out = w.shown(a)
		return nil
	})
	return out, err
}

// Get implements sdk.Getter.
func (w *world) Get(_ context.Context, r sdk.GetRequest) (sdk.Account, error) {
	return w.change("get", r.ID, func(*sdk.Account) {})
}

// Update implements sdk.Target.
func (w *world) Update(_ context.Context, r sdk.UpdateRequest) (sdk.Account, error) {
	return w.change("update", r.ID, func(a *sdk.Account) {
		maps.Copy(a.Attributes, r.Set)
		for _, name := range r.Clear {
			delete(a.Attributes, name)
		}
	})
}

// SetActive implements sdk.ActiveSetter.
func (w *world) SetActive(_ context.Context, r sdk.SetActiveRequest) (sdk.Account, error) {
	return w.change("set_active", r.ID, func(a *sdk.Account) { *a.Active = r.Active })
}

// SetGroups implements sdk.GroupSetter.
func (w *world) SetGroups(_ context.Context, r sdk.SetGroupsRequest) error {
	return w.verb("set_groups", func() error {
		w.groups[r.ID] = r.Groups
		return nil
	})
}

// Delete implements sdk.Deleter.
func (w *world) Delete(_ context.Context, r sdk.DeleteRequest) error {
	return w.verb("delete", func() error {
		delete(w.accounts, r.ID)
		return nil
	})
}

// of returns the accounts whose owner is the user.
func (w *world) of(user provisioning.UserID) []sdk.Account {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []sdk.Account
	for _, a := range w.accounts {
		if a.Attributes.String("owner") == string(user) {
			active := *a.Active
			out = append(out, sdk.Account{ID: a.ID, Attributes: maps.Clone(a.Attributes), Active: &active})
		}
	}
	return out
}

// plant puts an account there that nobody asked us for.
func (w *world) plant(attributes sdk.Attributes, active bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.insert(attributes, active).ID
}

func (w *world) failing(verb string, err error) {
	w.before = func(v string) error {
		if v == verb {
			return err
		}
		return nil
	}
}

func (w *world) losing(verb string, err error) {
	w.after = func(v string) error {
		if v == verb {
			return err
		}
		return nil
	}
}

func (w *world) mend() {
	fine := func(string) error { return nil }
	w.before, w.after = fine, fine
}

// took returns the calls since the last took.
func (w *world) took() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.calls
	w.calls = map[string]int{}
	return out
}
