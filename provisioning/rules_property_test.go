package provisioning_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
)

// ruledModel is a model of somebody in two applications of one target, whose rules
// change all the time.
type ruledModel struct {
	model
	first, second string // what permits; "" asks no rules
	bound         bool   // the second application
	onLoss        provisioning.LossPolicy
	belongs       bool
	found         string // id of an account that was there before, "" for none
}

func newRuledModel(t *rapid.T, l *lab, user provisioning.UserID) *ruledModel {
	m := &ruledModel{model: model{lab: l, user: user, active: true}, first: "true"}
	m.onLoss = rapid.SampledFrom([]provisioning.LossPolicy{provisioning.LossKeep, provisioning.LossSuspend, provisioning.LossDelete}).Draw(t, "on_loss")
	m.advance(2 * provisioning.DeprovisionWindow) // what the one before lost no longer counts
	m.person(user)
	if rapid.Bool().Draw(t, "there before") {
		m.found = m.world.plant(map[string]any{"login": string(user)}, true)
	}
	if m.belongs = rapid.Bool().Draw(t, "belongs"); m.belongs {
		m.ok(m.lifecycle.Registered(m.Context(), user, "app"))
	}
	m.bindings()
	return m
}

// bindings stores both bindings with their rules, and lets what follows begin.
func (m *ruledModel) bindings() {
	m.binding("app", m.first)
	if m.bound {
		m.binding("other", m.second)
	} else if err := m.Bindings.Delete(m.Context(), "other", "dir"); err != nil && !errors.Is(err, provisioning.ErrBindingNotFound) {
		m.Fatal(err)
	}
	belong := members{}
	if m.belongs && m.active {
		belong["app"] = []provisioning.UserID{m.user}
	}
	m.sweep(belong)
}

func (m *ruledModel) binding(client provisioning.ClientID, when string) {
	b := provisioning.NewBinding(client, "dir")
	b.Blocking, b.OnLoss = true, m.onLoss
	if when != "" {
		name := "set-" + string(client)
		_, err := m.RuleSets.Put(m.Context(), native(name, when), m.Now())
		m.ok(err)
		b.EnableRules, b.RuleSets = true, []string{name}
	}
	m.ok(m.Bindings.Put(m.Context(), b))
}

const isX = "'x' in user.groups"

func (m *ruledModel) flip(t *rapid.T) {
	answers := []string{"true", "false", noClaim, isX, "!(" + isX + ")", ""}
	m.first = rapid.SampledFrom(answers).Draw(t, "rules of the first")
	m.bound = rapid.Bool().Draw(t, "bound")
	m.second = rapid.SampledFrom(answers).Draw(t, "rules of the second")
	m.bindings()
}

// enter signs in to an application, as far as that goes without waiting.
func (m *ruledModel) enter(t *rapid.T) {
	r := request(m.user)
	if m.bound && rapid.Bool().Draw(t, "second") {
		r = elsewhere(m.user)
	}
	d, err := m.gate.Look(m.Context(), r)
	m.ok(err)
	if d.Verdict == provisioning.VerdictPermit {
		_, _, err = m.gate.Permit(m.Context(), r)
	} else {
		_, err = m.gate.Start(m.Context(), r)
	}
	m.ok(err)
}

// die runs what is due in a process that dies on the way.
func (m *ruledModel) die(t *rapid.T) { m.runKilled(rapid.IntRange(0, 12).Draw(t, "points")) }

// permits is what a condition comes to for the user, and whether it comes to
// something.
func (m *ruledModel) permits(when string) (permit, decided bool) {
	p, err := m.people.Profile(m.Context(), m.user)
	m.ok(err)
	x := len(p.Groups) > 0 && p.Groups[0] == "x"
	switch when {
	case noClaim:
		return false, false
	case isX:
		return x, true
	case "false":
		return false, true
	case "true", "":
		return true, true
	default:
		return !x, true
	}
}

// endByChange changes the user a last time, does what is due without a sign-in, and
// says what is wrong.
func (m *ruledModel) endByChange(t *rapid.T) string {
	row, err := m.Accounts.Get(m.Context(), m.user, "dir")
	if errors.Is(err, provisioning.ErrAccountNotFound) {
		return m.unharmed() // nobody ever asked for one
	}
	m.ok(err)
	before := m.world.of(m.user)
	m.edit(t)
	m.finishWork()
	own, decided := m.permits(m.first)
	other, known := m.permits(m.second)
	if row.Client == "other" {
		if !m.bound {
			return m.unharmed()
		}
		own, decided, other, known = other, known, own, decided
	} else if !m.bound {
		other, known = false, true
	}
	asks := map[provisioning.ClientID]string{"app": m.first, "other": m.second}[row.Client] != ""
	switch after := m.world.of(m.user); {
	case own && (asks || row.Desired == provisioning.DesiredPresent):
		if wrong := m.wrong(m.user, true); wrong != "" {
			return "permitted: " + wrong
		}
	case own || other || !decided || !known:
		// as it was, or as the other application's rules have it
	case m.onLoss != provisioning.LossKeep:
		return m.lost()
	default:
		if diff := cmp.Diff(before, after); diff != "" {
			return "kept, and changed (-before +after):\n" + diff
		}
	}
	return m.unharmed()
}

// end lets the user sign in a last time, does what is due, and says what is wrong.
func (m *ruledModel) end() string {
	m.finishWork()
	before := m.world.of(m.user)
	d, _ := m.signsIn(request(m.user), 8)
	_, d, err := m.gate.Permit(m.Context(), request(m.user))
	m.ok(err)
	m.finishWork()
	permit, decided := m.permits(m.first)
	second, knows := m.permits(m.second)
	granted := m.bound && (second || !knows)
	switch after := m.world.of(m.user); {
	case !decided:
		if d.Verdict != provisioning.VerdictDeny {
			return fmt.Sprintf("without a decision the verdict is %s", d.Verdict)
		}
		return m.unharmed()
	case permit:
		if wrong := m.wrong(m.user, true); wrong != "" || d.Verdict != provisioning.VerdictPermit {
			return fmt.Sprintf("permitted: %s %s", d.Verdict, wrong)
		}
		return m.unharmed()
	case d.Verdict != provisioning.VerdictPermit:
		return fmt.Sprintf("denied, which is to be skipped: %s", d.Verdict)
	case granted || m.onLoss == provisioning.LossKeep:
		if len(after) < len(before) {
			return fmt.Sprintf("kept: there were %d accounts, now %d", len(before), len(after))
		}
		return m.unharmed()
	default:
		return m.lost()
	}
}

// finishWork does what is due within an hour; what rules give no decision on stays due
// for days.
func (m *ruledModel) finishWork() {
	for end := m.Now().Add(time.Hour); ; {
		if m.runDue() > 0 {
			continue
		}
		due, err := m.Accounts.Due(m.Context())
		m.ok(err)
		next, there := due["dir"]
		if !there || next.At.After(end) {
			return
		}
		m.advance(next.At.Sub(m.Now()))
	}
}

// lost says what is wrong with an account that nobody grants. One that was there before
// and is not linked, because whoever adopted it died, is let go as it is.
func (m *ruledModel) lost() string {
	row, err := m.Accounts.Get(m.Context(), m.user, "dir")
	if err != nil && !errors.Is(err, provisioning.ErrAccountNotFound) {
		m.Fatal(err)
	}
	for _, a := range m.world.of(m.user) {
		if a.ID == m.found && a.ID != row.ExternalID {
			continue
		}
		if m.onLoss == provisioning.LossDelete || m.onLoss == provisioning.LossSuspend && *a.Active {
			return fmt.Sprintf("lost by %s, and there is %+v, active %t", m.onLoss, a, *a.Active)
		}
	}
	return m.unharmed()
}

// unharmed says what must never be: an account too many, or one gone that was there
// before.
func (m *ruledModel) unharmed() string {
	if all := m.world.of(m.user); len(all) > 1 {
		return fmt.Sprintf("doubled: %+v", all)
	}
	if m.found != "" && m.world.accounts[m.found] == nil {
		return "deleted what was there before"
	}
	return ""
}

// leave disables and then deletes the user, whatever the rules say.
func (m *ruledModel) leave() string {
	m.toggle(nil)
	m.finishWork()
	for _, a := range m.world.of(m.user) {
		if row := m.account(m.user); *a.Active && row.ExternalID == a.ID {
			return fmt.Sprintf("disabled, and %+v is active; the ledger has %+v", a, row)
		}
	}
	m.ok(m.lifecycle.Deleted(m.Context(), m.user))
	m.people.remove(m.user)
	m.finishWork()
	if row, err := m.Accounts.Get(m.Context(), m.user, "dir"); err == nil && (!row.InSync() || row.Desired != provisioning.DesiredAbsent) {
		return fmt.Sprintf("deleted, and the ledger has %+v", row)
	}
	return m.unharmed()
}

// Whatever rules say, in whatever order, and whoever dies meanwhile: in the end there
// is an account if and only if their last answer and the policies say so, there is
// never a second one, what was there before is never deleted, and nothing is stuck.
func TestRulesConvergeWhateverHappens(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		shared := newLab(t, db)
		users := 0
		rapid.Check(t, func(rt *rapid.T) {
			users++
			m := newRuledModel(rt, shared, provisioning.UserID(fmt.Sprintf("user%d", users)))
			rt.Repeat(map[string]func(*rapid.T){
				"edit": m.edit, "toggle": m.toggle, "sign in": m.enter, "flip": m.flip, "flip and edit": func(rt *rapid.T) { m.flip(rt); m.edit(rt) },
				"retry": m.retry, "wait": m.wait, "take": m.take, "run": m.run, "die": m.die,
			})
			if !m.active {
				m.toggle(nil)
			}
			end := m.end
			if rapid.Bool().Draw(rt, "ends by a change") {
				end = func() string { return m.endByChange(rt) }
			}
			if wrong := end(); wrong != "" {
				a, _ := m.Accounts.Get(m.Context(), m.user, "dir")
				rt.Fatalf("first %q, second %q (%t), on_loss %s: %s; the ledger has %+v", m.first, m.second, m.bound, m.onLoss, wrong, a)
			}
			if wrong := m.leave(); wrong != "" {
				rt.Fatalf("first %q, second %q (%t), on_loss %s: %s", m.first, m.second, m.bound, m.onLoss, wrong)
			}
		})
	}, store.Migrations())
}
