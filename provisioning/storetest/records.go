package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

func attempts(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	f.settle("ann", "x1", Epoch())
	f.ok(f.Accounts.Change(t.Context(), "ann", Epoch()))
	l := f.claim("w", Epoch())[0]
	begun := provisioning.Attempt{
		ID: "a1", User: "ann", Target: "dir", Rev: 2, OperationID: "op", Number: 1,
		Trigger: provisioning.TriggerSignIn, StartedAt: Epoch(), Calls: []provisioning.Call{}, Changed: []string{},
	}
	f.ok(f.Accounts.Begin(t.Context(), l, begun))
	if a := f.account("ann"); len(a.Sent) != 0 {
		t.Errorf("sent = %v while a run is under way, want it forgotten", a.Sent)
	}
	got, err := f.Attempts.ByAccount(t.Context(), "ann", "dir", 10)
	f.ok(err)
	f.equal("begun", []provisioning.Attempt{begun}, got)

	ended := begun
	ended.EndedAt, ended.Kind, ended.Detail = Epoch().Add(time.Second), sdk.KindTransient, "down"
	ended.Calls = []provisioning.Call{{Verb: "lookup", Key: "email", Took: time.Millisecond, Result: "transient", Detail: "down"}}
	ended.Changed = []string{"email"}
	a := l.Account
	a.Kind, a.CreateSent, a.Field = sdk.KindTransient, true, "email"
	f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 2, Account: a, Attempt: &ended}))
	got, err = f.Attempts.ByAccount(t.Context(), "ann", "dir", 10)
	f.ok(err)
	f.equal("ended", []provisioning.Attempt{ended}, got)
	if a := f.account("ann"); a.Kind != sdk.KindTransient || !a.CreateSent || a.Field != "email" {
		t.Errorf("account = %+v, want the failure kept", a)
	}
}

func decisions(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	var all []provisioning.Decision
	for i := range 3 {
		d := provisioning.Decision{
			ID: provisioning.DecisionID(fmt.Sprintf("d%d", i)),
			Request: provisioning.Request{
				Client: "app", User: "ann", Grant: provisioning.GrantAuthorize, SignIn: "s1", Reference: "R-1", Earlier: "d", Exempt: i == 2,
			},
			Verdict:   provisioning.VerdictWait,
			Failure:   provisioning.Failure{Code: provisioning.FailureUnavailable, Text: provisioning.TextBusy},
			DecidedAt: Epoch().Add(time.Duration(i) * time.Microsecond),
			Findings: []provisioning.Finding{{
				Target: "dir", Blocking: true, Verdict: provisioning.VerdictWait, Reason: "work is due", State: provisioning.StateRetrying,
				Kind: sdk.KindRateLimited, Progress: provisioning.ProgressRetrying, RetryAt: Epoch(), Failure: provisioning.FailureUnavailable,
				Text: provisioning.TextBusy, Would: provisioning.VerdictDeny,
			}},
		}
		f.ok(f.Decisions.Add(t.Context(), d))
		all = append(all, d)
	}
	one, err := f.Decisions.Get(t.Context(), "d1")
	f.ok(err)
	f.equal("get", all[1], one)
	for name, list := range map[string]func() ([]provisioning.Decision, error){
		"by reference": func() ([]provisioning.Decision, error) { return f.Decisions.ByReference(t.Context(), "R-1") },
		"by sign-in":   func() ([]provisioning.Decision, error) { return f.Decisions.BySignIn(t.Context(), "s1") },
	} {
		got, err := list()
		f.ok(err)
		f.equal(name, all, got)
	}
	_, err = f.Decisions.Get(t.Context(), "none")
	f.is(err, provisioning.ErrDecisionNotFound)
	if err := f.Decisions.Add(t.Context(), all[0]); !sqldb.IsUnique(err) {
		t.Errorf("adding a decision twice: %v, want a unique violation", err)
	}
}
