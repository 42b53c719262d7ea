package provisioning_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

func (l *lab) permit(r provisioning.Request) (provisioning.Permit, provisioning.Decision) {
	l.Helper()
	p, d, err := l.gate.Permit(l.Context(), r)
	l.ok(err)
	return p, d
}

// decided checks a verdict, and that the permit goes with it.
func (l *lab) decided(r provisioning.Request, verdict provisioning.Verdict, failure provisioning.FailureCode) provisioning.Decision {
	l.Helper()
	p, d := l.permit(r)
	if d.Verdict != verdict || d.Failure.Code != failure {
		l.Errorf("decision = %s %+v, want %s %q", d.Verdict, d.Failure, verdict, failure)
	}
	if p.Allows(r.Client, r.User) != (verdict == provisioning.VerdictPermit) {
		l.Errorf("verdict %s with permit %+v", verdict, p)
	}
	return d
}

func TestSignInLife(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLab(t, db)
		l.decided(request("ann"), provisioning.VerdictWait, "")
		if _, err := l.Accounts.Get(t.Context(), "ann", "dir"); !errors.Is(err, provisioning.ErrAccountNotFound) {
			t.Fatalf("asking for a permit made blocking work due: %v", err)
		}
		d := l.start("ann")
		if d.Verdict != provisioning.VerdictWait || d.Timeout != provisioning.DefaultTimeout || l.nudges != 1 {
			t.Errorf("start = %+v after %d nudges, want wait with the binding's timeout, nudged once", d, l.nudges)
		}
		l.drain()
		d = l.decided(request("ann"), provisioning.VerdictPermit, "")
		kept, err := l.Decisions.Get(t.Context(), d.ID)
		l.ok(err)
		if diff := cmp.Diff(d, kept); diff != "" {
			t.Errorf("recorded decision (-want +got):\n%s", diff)
		}
		all, err := l.Decisions.ByReference(t.Context(), "R-1")
		if l.ok(err); len(all) != 3 {
			t.Errorf("%d decisions with the reference, want 3", len(all))
		}
	}, store.Migrations())
}

func TestPermitIsForOneApplicationAndSubject(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	p, d := l.permit(request("ann"))
	switch {
	case !p.Allows("app", "ann") || p.Decision() != d.ID || d.ID == "":
		t.Errorf("permit = %+v, want one for app and ann with the decision", p)
	case p.Allows("app", "eve"), p.Allows("other", "ann"), p.Allows("app", ""), (provisioning.Permit{}).Allows("", ""):
		t.Error("the permit allows more than it was given for")
	}
}

func TestUserMustBeActive(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	exempt := request("ann")
	exempt.Exempt = true
	l.decided(exempt, provisioning.VerdictPermit, "")
	l.people.edit("ann", func(p *provisioning.Profile) { p.Active = false })
	for _, grant := range []provisioning.Grant{provisioning.GrantAuthorize, provisioning.GrantCode, provisioning.GrantRefresh} {
		r := request("ann")
		r.Grant = grant
		l.decided(r, provisioning.VerdictDeny, provisioning.FailureRefused)
	}
	l.decided(exempt, provisioning.VerdictDeny, provisioning.FailureRefused)
	l.decided(request("nobody"), provisioning.VerdictDeny, provisioning.FailureRefused)
}

// A target in ruins cannot lock the admin out.
func TestExemptIgnoresTargets(t *testing.T) {
	l := liteLab(t)
	l.world.failing("lookup", &sdk.Error{Kind: sdk.KindInvalid})
	l.start("ann")
	l.drain()
	r := request("ann")
	l.decided(r, provisioning.VerdictDeny, provisioning.FailureRefused)
	r.Exempt = true
	l.decided(r, provisioning.VerdictPermit, "")
}

func TestClientCredentials(t *testing.T) {
	l := liteLab(t)
	l.decided(provisioning.Request{Client: "app", Grant: provisioning.GrantClientCredentials}, provisioning.VerdictPermit, "")
	for _, r := range []provisioning.Request{
		{Client: "app", Grant: provisioning.GrantClientCredentials, User: "ann"},
		{Client: "app", Grant: provisioning.GrantAuthorize},
		{User: "ann", Grant: provisioning.GrantAuthorize},
		{},
	} {
		if p, _, err := l.gate.Permit(t.Context(), r); !errors.Is(err, provisioning.ErrRequest) || p.Allows(r.Client, r.User) {
			t.Errorf("permit for %+v: %+v, %v, want it refused as malformed", r, p, err)
		}
	}
}

// Non-blocking work is committed with the decision, or not at all.
func TestNonBlockingWorkCommitsWithTheDecision(t *testing.T) {
	l := liteLab(t)
	l.bind(func(b *provisioning.Binding) { b.Blocking = false })
	boom := errors.New("boom")
	err := l.db.InTx(t.Context(), func(ctx context.Context) error {
		if p, _, err := l.gate.Permit(ctx, request("ann")); err != nil || !p.Allows("app", "ann") {
			t.Errorf("permit = %+v, %v", p, err)
		}
		return boom
	})
	if _, accountErr := l.Accounts.Get(t.Context(), "ann", "dir"); !errors.Is(err, boom) || !errors.Is(accountErr, provisioning.ErrAccountNotFound) || l.nudges != 0 {
		t.Fatalf("after a rollback: %v, account %v, %d nudges; want nothing left", err, accountErr, l.nudges)
	}
	l.decided(request("ann"), provisioning.VerdictPermit, "")
	if l.nudges != 1 {
		t.Errorf("%d nudges after the commit, want 1", l.nudges)
	}
	l.drain()
	l.mirrors("ann", true)
}

func TestJITOff(t *testing.T) {
	for _, blocking := range []bool{true, false} {
		l := liteLab(t)
		l.bind(func(b *provisioning.Binding) { b.JITOutbound, b.Blocking = false, blocking })
		l.start("ann")
		if blocking {
			l.decided(request("ann"), provisioning.VerdictDeny, provisioning.FailureRefused)
		} else {
			l.decided(request("ann"), provisioning.VerdictPermit, "")
		}
		if _, err := l.Accounts.Get(t.Context(), "ann", "dir"); !errors.Is(err, provisioning.ErrAccountNotFound) {
			t.Errorf("blocking %v: sign-in made work due: %v", blocking, err)
		}
		l.ok(l.lifecycle.Registered(t.Context(), "ann", "app"))
		l.drain()
		l.decided(request("ann"), provisioning.VerdictPermit, "")
		l.mirrors("ann", true)
	}
}

func TestFailedThenRetriedByTheUser(t *testing.T) {
	l := liteLab(t)
	l.world.failing("create", &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "email"})
	l.start("ann")
	l.drain()
	d := l.decided(request("ann"), provisioning.VerdictDeny, provisioning.FailureRefused)
	if d.Failure.Text != provisioning.TextInvalid {
		t.Errorf("text = %s, want that the profile is invalid", d.Failure.Text)
	}
	if again := l.start("ann"); again.Verdict != provisioning.VerdictDeny || l.runDue() != 0 {
		t.Error("a new sign-in tried again what needs somebody")
	}
	l.world.mend()
	l.ok(l.gate.Retry(t.Context(), request("ann")))
	if d, err := l.gate.Look(t.Context(), request("ann")); err != nil || d.Verdict != provisioning.VerdictWait || d.ID != "" {
		t.Errorf("look after retry = %+v, %v, want wait, unrecorded", d, err)
	}
	l.drain()
	l.decided(request("ann"), provisioning.VerdictPermit, "")
}

func TestRetryDoesNotOverrideTheTargetsWish(t *testing.T) {
	l := liteLab(t)
	l.world.failing("create", &sdk.Error{Kind: sdk.KindRateLimited, Effect: sdk.EffectNone, RetryAfter: time.Minute})
	l.start("ann")
	l.runDue()
	l.ok(l.gate.Retry(t.Context(), request("ann")))
	if l.runDue() != 0 {
		t.Error("retry ran before the target allows")
	}
}

func TestHastenAtSignIn(t *testing.T) {
	l := liteLab(t)
	l.world.failing("lookup", down())
	l.start("ann")
	for range 5 { // until the next try is minutes away
		l.runDue()
		l.advance(l.account("ann").NextAttemptAt.Sub(l.Now()))
	}
	l.runDue()
	l.world.mend()
	if l.start("ann"); l.runDue() != 0 {
		t.Error("a sign-in right after a failure tried again")
	}
	l.advance(10 * time.Second)
	if l.start("ann"); l.runDue() != 1 {
		t.Error("a later sign-in did not try again")
	}
	l.decided(request("ann"), provisioning.VerdictPermit, "")
}

// A page that somebody watches goes on soon after the target came back, not when
// the backoff ends.
func TestLookingTriesAheadOfTime(t *testing.T) {
	l := liteLab(t)
	l.world.failing("lookup", down())
	l.start("ann")
	for range 5 {
		l.runDue()
		l.advance(l.account("ann").NextAttemptAt.Sub(l.Now()))
	}
	l.runDue()
	l.world.mend()
	look := func() {
		if _, err := l.gate.Look(t.Context(), request("ann")); err != nil {
			t.Fatal(err)
		}
	}
	if look(); l.runDue() != 0 {
		t.Error("a look right after a failure tried again")
	}
	l.advance(10 * time.Second)
	if look(); l.runDue() != 1 {
		t.Error("a later look did not try again")
	}
	l.decided(request("ann"), provisioning.VerdictPermit, "")
}

func TestOutOfTime(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	r := request("ann")
	r.WaitingSince = l.Now()
	l.advance(provisioning.DefaultTimeout - time.Microsecond)
	l.decided(r, provisioning.VerdictWait, "")
	l.advance(time.Microsecond)
	l.decided(r, provisioning.VerdictDeny, provisioning.FailureUnavailable)
	l.bind(func(b *provisioning.Binding) { b.OnCreateFailure = provisioning.FailureAllow })
	l.decided(r, provisioning.VerdictPermit, "")
}

func TestRefresh(t *testing.T) {
	l := liteLab(t)
	r := request("ann")
	r.Grant = provisioning.GrantRefresh
	l.decided(r, provisioning.VerdictDeny, provisioning.FailureRefused) // no account
	l.start("ann")
	l.decided(r, provisioning.VerdictWait, provisioning.FailureUnavailable) // not yet
	l.drain()
	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.decided(r, provisioning.VerdictPermit, "") // linked, an update is due
	l.bind(func(b *provisioning.Binding) { b.OnRefresh = provisioning.RefreshEnsure })
	l.decided(r, provisioning.VerdictWait, "")
	l.ok(l.Bindings.Delete(t.Context(), "app", "dir"))
	l.decided(r, provisioning.VerdictPermit, "") // nothing is bound any more
}

// counting counts what the gate asks of the ledger.
type counting struct {
	provisioning.GateLedger
	reads, writes int
}

// Standings implements provisioning.GateLedger.
func (c *counting) Standings(ctx context.Context, client provisioning.ClientID, user provisioning.UserID) ([]provisioning.Standing, error) {
	c.reads++
	return c.GateLedger.Standings(ctx, client, user)
}

// Want implements provisioning.GateLedger.
func (c *counting) Want(ctx context.Context, w provisioning.Wish, now time.Time) error {
	c.writes++
	return c.GateLedger.Want(ctx, w, now)
}

// Hasten implements provisioning.GateLedger.
func (c *counting) Hasten(ctx context.Context, user provisioning.UserID, targets []provisioning.TargetName, now time.Time) error {
	c.writes++
	return c.GateLedger.Hasten(ctx, user, targets, now)
}

func TestSecondSignInIsOneReadAndNoWork(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	nudged := l.nudges
	c := &counting{GateLedger: l.gate.Ledger}
	o := l.gate.GateOptions
	o.Ledger = c
	if _, d, err := provisioning.NewGate(o).Permit(t.Context(), request("ann")); err != nil || d.Verdict != provisioning.VerdictPermit {
		t.Fatalf("permit = %+v, %v", d, err)
	}
	if c.reads != 1 || c.writes != 0 || l.nudges != nudged {
		t.Errorf("%d reads, %d writes, %d nudges; want 1, 0, 0", c.reads, c.writes, l.nudges-nudged)
	}
	l.world.took()
	if l.runDue() != 0 {
		t.Error("work is due")
	}
}

func BenchmarkPermitInSync(b *testing.B) {
	l := liteLab(b)
	l.start("ann")
	l.drain()
	for b.Loop() {
		if _, _, err := l.gate.Permit(b.Context(), request("ann")); err != nil {
			b.Fatal(err)
		}
	}
}
