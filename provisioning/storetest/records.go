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

// signIns checks which decisions began a sign-in, a page at a time.
func signIns(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	at := func(minute int) time.Time { return Epoch().Add(time.Duration(minute) * time.Minute) }
	for i, r := range []provisioning.Request{
		{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize, SignIn: "s0"},
		{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize, SignIn: "s0"}, // the same one, later
		{Client: "app", User: "ann", Grant: provisioning.GrantCode, Earlier: "d1"},
		{Client: "other", User: "ben", Grant: provisioning.GrantAuthorize, SignIn: "s3"},
		{Client: "app", User: "ben", Grant: provisioning.GrantAuthorize, SignIn: "s4", Facts: provisioning.Facts{IP: "192.0.2.7"}},
		{Client: "app", Grant: provisioning.GrantClientCredentials},
		{Client: "console", User: "ann", Grant: provisioning.GrantAuthorize, SignIn: "s6", Exempt: true},
		{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}, // two that belong to no sign-in
		{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize},
	} {
		f.ok(f.Decisions.Add(t.Context(), provisioning.Decision{
			ID: provisioning.DecisionID(fmt.Sprintf("d%d", i)), Request: r, Verdict: provisioning.VerdictPermit, DecidedAt: at(i),
		}))
	}
	for _, c := range []struct {
		filter provisioning.SignInFilter
		want   string
	}{
		{provisioning.SignInFilter{Limit: 10}, "[d8 d7 d4 d3 d0]"},
		{provisioning.SignInFilter{Limit: 2}, "[d8 d7]"},
		{provisioning.SignInFilter{Limit: 2, Before: "d7"}, "[d4 d3]"},
		{provisioning.SignInFilter{Limit: 2, Before: "d3"}, "[d0]"},
		{provisioning.SignInFilter{Limit: 10, Client: "app"}, "[d8 d7 d4 d0]"},
		{provisioning.SignInFilter{Limit: 10, Since: at(4)}, "[d8 d7 d4]"},
		{provisioning.SignInFilter{Limit: 1, Client: "app", Since: at(3), Before: "d7"}, "[d4]"},
	} {
		got, err := f.Decisions.SignIns(t.Context(), c.filter)
		f.ok(err)
		var ids []provisioning.DecisionID
		for _, d := range got {
			ids = append(ids, d.ID)
		}
		f.equal(fmt.Sprintf("%+v", c.filter), c.want, fmt.Sprint(ids))
	}
	one, err := f.Decisions.SignIns(t.Context(), provisioning.SignInFilter{Limit: 1, Before: "d7"})
	f.ok(err)
	f.equal("facts", provisioning.Facts{IP: "192.0.2.7"}, one[0].Request.Facts)
}
