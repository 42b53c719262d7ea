package provisioning_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

// model drives one user through random events against a lab.
type model struct {
	*lab
	user   provisioning.UserID
	active bool
	held   []provisioning.Lease // claimed by workers that have not run yet
}

func (m *model) edit(t *rapid.T) {
	email := rapid.SampledFrom([]string{"", "a@example.com", "b@example.com"}).Draw(t, "email")
	groups := rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y"}}).Draw(t, "groups")
	m.people.edit(m.user, func(p *provisioning.Profile) { p.Email, p.Groups = email, groups })
	m.ok(m.lifecycle.Changed(m.Context(), m.user))
}

func (m *model) toggle(*rapid.T) {
	m.active = !m.active
	m.people.edit(m.user, func(p *provisioning.Profile) { p.Active = m.active })
	if m.active {
		m.ok(m.lifecycle.Enabled(m.Context(), m.user))
		return
	}
	m.ok(m.lifecycle.Disabled(m.Context(), m.user))
}

func (m *model) signIn(*rapid.T) { m.start(m.user) }

func (m *model) retry(*rapid.T) { m.ok(m.gate.Retry(m.Context(), request(m.user))) }

func (m *model) wait(t *rapid.T) {
	m.advance(time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second)
}

// take claims without running: a worker that is slow, or dead.
func (m *model) take(t *rapid.T) {
	m.held = append(m.held, m.claim(rapid.SampledFrom([]string{"w1", "w2"}).Draw(t, "worker"))...)
}

// run lets a worker that claimed run at last; its lease may be over.
func (m *model) run(t *rapid.T) {
	if len(m.held) == 0 {
		m.take(t)
	}
	if len(m.held) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.held)-1).Draw(t, "lease")
	lease := m.held[i]
	m.held = append(m.held[:i], m.held[i+1:]...)
	m.misbehave(t)
	if err := m.engine.Run(m.Context(), lease); err != nil && !errors.Is(err, provisioning.ErrLeaseLost) {
		m.Fatal(err)
	}
	m.world.mend()
}

// misbehave makes the n-th call of the next run fail, or lose its answer; a
// change may come in the middle.
func (m *model) misbehave(t *rapid.T) {
	n := rapid.IntRange(1, 6).Draw(t, "call")
	kind := rapid.SampledFrom([]sdk.Kind{"", sdk.KindTransient, sdk.KindInternal, sdk.KindOutcomeUnknown, sdk.KindRateLimited}).Draw(t, "kind")
	answered := rapid.Bool().Draw(t, "before the effect")
	meanwhile := rapid.Bool().Draw(t, "change meanwhile")
	count := 0
	m.world.before = func(string) error {
		count++
		if count == n && meanwhile {
			m.edit(t)
		}
		if count == n && kind != "" && answered {
			return &sdk.Error{Kind: kind, Effect: sdk.EffectNone}
		}
		return nil
	}
	m.world.after = func(string) error {
		if count == n && kind != "" && !answered {
			return &sdk.Error{Kind: kind, Effect: sdk.EffectUnknown}
		}
		return nil
	}
}

// settle ends the faults and lets the work end; a failed account is retried.
func (m *model) settle() {
	if !m.active {
		m.toggle(nil)
	}
	m.start(m.user)
	m.drain()
	if a := m.account(m.user); a.State == provisioning.StateFailed {
		m.ok(m.lifecycle.Retry(m.Context(), m.user, "dir"))
		m.drain()
	}
}

// Whatever happens in whatever order: at the end exactly one account is there,
// as desired, and the ledger says so.
func TestConvergesWhateverHappens(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		shared := newLab(t, db)
		users := 0
		rapid.Check(t, func(rt *rapid.T) {
			users++
			user := provisioning.UserID(fmt.Sprintf("user%d", users))
			shared.person(user)
			shared.world.noGet = rapid.Bool().Draw(rt, "no get")
			shared.world.hideActive = rapid.Bool().Draw(rt, "hidden active")
			shared.world.hideOwner = rapid.Bool().Draw(rt, "hidden owner")
			m := &model{lab: shared, user: user, active: true}
			rt.Repeat(map[string]func(*rapid.T){
				"edit": m.edit, "toggle": m.toggle, "sign in": m.signIn, "retry": m.retry,
				"wait": m.wait, "take": m.take, "run": m.run,
			})
			m.settle()
			if a := m.account(user); !a.Usable() {
				rt.Fatalf("account = %+v, want it in sync", a)
			}
			if wrong := m.wrong(user, true); wrong != "" {
				rt.Fatal(wrong)
			}
		})
	}, store.Migrations())
}
