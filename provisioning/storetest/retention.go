package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// attempt writes down an attempt of ann's that began at a time, and ended a
// second later if it ended.
func (f fixture) attempt(id string, user provisioning.UserID, at time.Time, ended bool) {
	f.Helper()
	var end int64
	if ended {
		end = sqldb.Micros(at.Add(time.Second))
	}
	_, err := f.db.Exec(f.Context(), `INSERT INTO attempt (id, user_id, target, rev, operation_id, number, cause, started_at, ended_at)
		VALUES ($1, $2, 'dir', 1, 'op', 1, 'sign_in', $3, $4)`, id, user, sqldb.Micros(at), end)
	f.ok(err)
}

func (f fixture) attemptIDs(users ...provisioning.UserID) []provisioning.AttemptID {
	f.Helper()
	var out []provisioning.AttemptID
	for _, user := range users {
		list, err := f.Attempts.ByAccount(f.Context(), user, "dir", 1000)
		f.ok(err)
		for _, a := range list {
			out = append(out, a.ID)
		}
	}
	return out
}

func attemptRetention(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	f.want("ann", Epoch())
	f.want("bob", Epoch())
	f.attempt("a1", "ann", Epoch(), true)
	f.attempt("a2", "ann", Epoch(), false) // the process died
	f.attempt("a3", "ann", Epoch().Add(time.Hour), true)
	f.attempt("b1", "bob", Epoch(), true) // his last
	f.attempt("c1", "cid", Epoch(), true) // an account that is gone
	f.attempt("d1", "ann", Epoch().Add(time.Hour), true)
	deleted := f.pruneAttempts(Epoch().Add(time.Hour), 2)
	f.equal("left", []provisioning.AttemptID{"d1", "a3", "b1"}, f.attemptIDs("ann", "bob", "cid"))
	if deleted != 3 {
		t.Errorf("deleted %d attempts, want 3", deleted)
	}
	if n := f.pruneAttempts(Epoch().Add(time.Hour), 2); n != 0 {
		t.Errorf("deleted %d more, want none", n)
	}
}

func (f fixture) pruneAttempts(before time.Time, limit int) int {
	f.Helper()
	total, after := 0, provisioning.AttemptID("")
	for {
		next, n, err := f.Attempts.Prune(f.Context(), after, before, limit)
		f.ok(err)
		if total += n; next == "" {
			return total
		}
		after = next
	}
}

func decisionRetention(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	for i := range 7 {
		f.ok(f.Decisions.Add(t.Context(), provisioning.Decision{
			ID: provisioning.DecisionID(fmt.Sprint("d", i)), Request: provisioning.Request{Client: "app", User: "ann", SignIn: "s"},
			Verdict: provisioning.VerdictPermit, DecidedAt: Epoch().Add(time.Duration(i) * time.Hour),
		}))
	}
	asked := 0
	live := func(_ context.Context, old []provisioning.DecisionRef) (map[provisioning.DecisionID]bool, error) {
		for _, d := range old {
			if d.Client != "app" || d.User != "ann" {
				t.Errorf("asked for %+v", d)
			}
		}
		asked += len(old)
		return map[provisioning.DecisionID]bool{"d2": true}, nil
	}
	total, after := 0, provisioning.DecisionID("")
	for done := false; !done; done = after == "" {
		next, n, err := f.Decisions.Prune(t.Context(), after, Epoch().Add(5*time.Hour), 2, live)
		f.ok(err)
		after, total = next, total+n
	}
	left, err := f.Decisions.BySignIn(t.Context(), "s")
	f.ok(err)
	var ids []provisioning.DecisionID
	for _, d := range left {
		ids = append(ids, d.ID)
	}
	f.equal("left", []provisioning.DecisionID{"d2", "d5", "d6"}, ids)
	if total != 4 || asked != 5 {
		t.Errorf("deleted %d of %d asked for, want 4 of 5", total, asked)
	}
}

func reconciliations(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	claim := func(owner string, now, since time.Time) bool {
		t.Helper()
		ok, err := f.Reconciliations.Claim(t.Context(), "dir", owner, now, now.Add(time.Hour), since)
		f.ok(err)
		return ok
	}
	day := 24 * time.Hour
	if last, err := f.Reconciliations.Last(t.Context(), "dir"); last != nil || err != nil {
		t.Errorf("last = %+v, %v before the first", last, err)
	}
	if !claim("a", Epoch(), Epoch().Add(-day)) || claim("b", Epoch(), Epoch()) {
		t.Error("want the first claim to hold, and no second beside it")
	}
	f.is(f.Reconciliations.Finish(t.Context(), "b", provisioning.DriftReport{Target: "dir"}), provisioning.ErrLeaseLost)
	report := provisioning.DriftReport{
		Target: "dir", StartedAt: Epoch(), EndedAt: Epoch(), Complete: true, Listed: 3, Counts: map[provisioning.DriftKind]int{provisioning.DriftMissing: 1},
		Drifts: []provisioning.Drift{{Kind: provisioning.DriftMissing, User: "ann"}},
	}
	f.ok(f.Reconciliations.Finish(t.Context(), "a", report))
	got, err := f.Reconciliations.Last(t.Context(), "dir")
	f.ok(err)
	report.Drifts = nil
	f.equal("last", &report, got)
	later := Epoch().Add(time.Minute)
	if claim("b", later, later.Add(-day)) {
		t.Error("claimed again within the day")
	}
	if !claim("b", later, later) { // by hand
		t.Error("not claimed by hand")
	}
	if !claim("c", later.Add(2*time.Hour), later.Add(2*time.Hour)) {
		t.Error("not claimed after its owner died")
	}
	f.ok(f.Reconciliations.Abandon(t.Context(), "dir", "c"))
	f.ok(f.Targets.Delete(t.Context(), "dir"))
}

func matching(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	for i := range 5 {
		f.settle(provisioning.UserID(fmt.Sprint("u", i)), fmt.Sprint("x", i), Epoch())
	}
	f.want("new", Epoch())
	users := func(rows []provisioning.Account, err error) (out []provisioning.UserID) {
		t.Helper()
		f.ok(err)
		for _, a := range rows {
			out = append(out, a.User)
		}
		return out
	}
	f.equal("linked", []provisioning.UserID{"u2", "u3"}, users(f.Accounts.Linked(t.Context(), "dir", "u1", 2)))
	f.equal("end", []provisioning.UserID(nil), users(f.Accounts.Linked(t.Context(), "dir", "u4", 2)))
	f.equal("matching", []provisioning.UserID{"u1", "new"}, users(f.Accounts.Matching(t.Context(), "dir", []string{"x1", "x9"}, []provisioning.UserID{"new"})))
	f.equal("elsewhere", []provisioning.UserID(nil), users(f.Accounts.Matching(t.Context(), "other", []string{"x1"}, nil)))
	if _, err := f.Accounts.Matching(t.Context(), "dir", make([]string, provisioning.MatchLimit+1), nil); err == nil {
		t.Error("more keys than the limit were taken")
	}
}
