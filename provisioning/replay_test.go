package provisioning_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// signIn signs somebody in from an address: the gate is asked until it permits or
// denies. Each is a sign-in of its own.
func (l *lab) signIn(user provisioning.UserID, reference, ip string) {
	l.Helper()
	l.advance(time.Second)
	r := request(user)
	r.SignIn, r.Reference, r.Facts = "s-"+reference, reference, provisioning.Facts{IP: ip, Scopes: []string{"openid"}}
	for range 2 {
		d, err := l.gate.Start(l.Context(), r)
		l.ok(err)
		if d.Verdict != provisioning.VerdictWait {
			return
		}
		l.drain()
	}
	l.Fatalf("%s still waits", user)
}

// replay asks a draft about what has been, and sees to it that nothing is written.
func (l *lab) replay(when string, edit func(*provisioning.Rehearsal)) provisioning.ReplayReport {
	l.Helper()
	draft, err := l.rules.Draft(native("", when))
	l.ok(err)
	r := provisioning.Rehearsal{Draft: draft, Examples: 10}
	edit(&r)
	before := sqldbtest.Dump(l, l.db)
	out, err := l.simulator().Replay(l.Context(), r)
	l.ok(err)
	if diff := cmp.Diff(before, sqldbtest.Dump(l, l.db)); diff != "" {
		l.Errorf("a replay wrote (-before +after):\n%s", diff)
	}
	return out
}

func all(*provisioning.Rehearsal) {}

func TestReplay(t *testing.T) {
	each(t, func(l *lab) {
		for _, user := range []provisioning.UserID{"ann", "ben", "cid", "dan"} {
			l.person(user)
		}
		l.signIn("ann", "R-0", "192.0.2.7") // before there are rules
		l.rule("'staff' in user.groups", func(b *provisioning.Binding) { b.OnRuleDeny = provisioning.RuleRefuse })
		l.signIn("ann", "R-1", "192.0.2.7")
		l.signIn("ben", "R-2", "192.0.2.7")
		l.signIn("ben", "R-3", "198.51.100.1") // elsewhere
		l.people.edit("cid", func(p *provisioning.Profile) { p.Groups = nil })
		l.signIn("cid", "R-4", "192.0.2.7")
		l.signIn("dan", "R-5", "192.0.2.7")
		l.people.remove("dan")
		l.world.took()

		got := l.replay("request.ip == '192.0.2.7'", all)
		want := []provisioning.ReplayCount{
			{Then: provisioning.RuleDeny, Draft: provisioning.RulePermit, Count: 1},
			{Then: provisioning.RulePermit, Draft: provisioning.RuleDeny, Count: 1},
			{Then: provisioning.RuleNone, Draft: provisioning.RulePermit, Count: 1},
			{Then: provisioning.RulePermit, Draft: provisioning.RulePermit, Count: 2},
		}
		if diff := cmp.Diff(want, got.Counts); diff != "" || got.SignIns != 6 || got.Gone != 1 || got.Asked != 5 || got.Refused != 1 {
			l.Errorf("report = %+v (-want +got):\n%s", got, diff)
		}
		var examples []string
		for _, x := range got.Examples {
			examples = append(examples, fmt.Sprintf("%s %s %s %s %s, %s %d %s, refused %v", x.Reference, x.Login, x.Target, x.Then, x.Draft, x.ThenRules[0].Set, x.ThenRules[0].Revision, x.DraftRules[0].Decision, x.Refused))
		}
		if diff := cmp.Diff([]string{
			"R-4 cid dir deny permit, set 1 Permit, refused false",
			"R-3 ben dir permit deny, set 1 NotApplicable, refused true",
		}, examples); diff != "" {
			l.Errorf("examples (-want +got):\n%s", diff)
		}
		l.calls(map[string]int{})
	})
}

// Rules are asked what they would have been asked: at the time of the sign-in, and for
// an account that was not there yet.
func TestReplayIsOfThen(t *testing.T) {
	l := liteLab(t)
	l.signIn("ann", "R-1", "")
	l.signIn("ann", "R-2", "")
	then := l.Now().Add(-time.Second)
	l.advance(time.Hour)
	for when, permits := range map[string]string{
		fmt.Sprintf("env.now <= timestamp(%q)", then.Format(time.RFC3339)): "R-2",
		"request.operation == 'update'":                                    "R-1",
		"account.linked":                                                   "R-1",
		"request.trigger != 'jit'":                                         "R-2 R-1",
	} {
		changed := ""
		for _, x := range l.replay(when, all).Examples {
			changed += " " + x.Reference
		}
		if changed != " "+permits {
			t.Errorf("%s: denies%s, want %s", when, changed, permits)
		}
	}
}

func TestReplayIsBounded(t *testing.T) {
	l := liteLab(t)
	for i := range 7 {
		l.signIn("ann", fmt.Sprintf("R-%d", i), "")
	}
	since := l.Now().Add(-time.Second) // of the last two
	for name, c := range map[string]struct {
		edit     func(*provisioning.Rehearsal)
		signIns  int
		examples int
	}{
		"all":      {all, 7, 7},
		"last":     {func(r *provisioning.Rehearsal) { r.Last = 3 }, 3, 3},
		"since":    {func(r *provisioning.Rehearsal) { r.Since = since }, 2, 2},
		"examples": {func(r *provisioning.Rehearsal) { r.Examples = 1 }, 7, 1},
		"other":    {func(r *provisioning.Rehearsal) { r.Client = "other" }, 0, 0},
	} {
		got := l.replay("false", c.edit)
		if got.SignIns != c.signIns || len(got.Examples) != c.examples || got.Refused != 0 {
			t.Errorf("%s: report = %+v, want %d sign-ins and %d examples", name, got, c.signIns, c.examples)
		}
	}
}

func TestReplayOfAnUnusedDraft(t *testing.T) {
	l := liteLab(t)
	draft, err := l.rules.Draft(native("nowhere", "true"))
	l.ok(err)
	if got, err := l.simulator().Replay(t.Context(), provisioning.Rehearsal{Draft: draft}); err != nil || got.SignIns != 0 {
		t.Errorf("without sign-ins: %+v, %v", got, err)
	}
	l.signIn("ann", "R-1", "")
	if _, err := l.simulator().Replay(t.Context(), provisioning.Rehearsal{Draft: draft}); !errors.Is(err, provisioning.ErrDraftUnused) {
		t.Errorf("replay = %v, want %v", err, provisioning.ErrDraftUnused)
	}
}
