package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

// benchEach runs a benchmark on both databases.
func benchEach(b *testing.B, f func(b *testing.B, db *sqldb.DB)) {
	b.Run("sqlite", func(b *testing.B) { f(b, sqldbtest.SQLite(b, store.Migrations())) })
	b.Run("postgres", func(b *testing.B) { f(b, sqldbtest.Postgres(b, store.Migrations())) })
}

func wish(b *testing.B, stores store.Stores, user string, trigger provisioning.Trigger) {
	b.Helper()
	w := provisioning.Wish{User: provisioning.UserID(user), Targets: []provisioning.TargetName{"dir"}, Trigger: trigger}
	if err := stores.Accounts.Want(b.Context(), w, time.Now()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBackground reports accounts per second against an instant target: a
// lookup and a create each, from due to in sync.
func BenchmarkBackground(b *testing.B) {
	benchEach(b, func(b *testing.B, db *sqldb.DB) {
		stores := bind(b, db)
		err := db.InTx(b.Context(), func(ctx context.Context) error {
			for i := range b.N {
				w := provisioning.Wish{User: provisioning.UserID(fmt.Sprintf("user%07d", i)), Targets: []provisioning.TargetName{"dir"}, Trigger: provisioning.TriggerBackground}
				if err := stores.Accounts.Want(ctx, w, time.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		i := newInstance(b, db, &instant{})
		b.ResetTimer()
		i.runner.Start(b.Context())
		for due := 1; due > 0; {
			<-time.After(time.Millisecond)
			if err := db.QueryRow(b.Context(), "SELECT COUNT(*) FROM (SELECT 1 FROM account WHERE target = 'dir' AND next_attempt_at > 0 LIMIT 1) due").Scan(&due); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		if err := i.runner.Stop(b.Context()); err != nil {
			b.Error(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accounts/s")
	})
}

// heard is an instant target that tells when it is first asked about a user.
type heard struct {
	instant
	asked chan time.Time
}

// Connect implements provisioning.Targets.
func (h *heard) Connect(ctx context.Context, t provisioning.Target) (provisioning.Conn, error) {
	c, err := h.instant.Connect(ctx, t)
	c.Target = h
	return c, err
}

// Lookup implements sdk.Target.
func (h *heard) Lookup(context.Context, sdk.LookupRequest) ([]sdk.Account, error) {
	h.asked <- time.Now()
	return nil, nil
}

// BenchmarkCommitToCall reports the time from the commit of the intent to the
// connector's first call, of sign-ins that come one after another.
func BenchmarkCommitToCall(b *testing.B) {
	benchEach(b, func(b *testing.B, db *sqldb.DB) {
		stores := bind(b, db)
		target := &heard{asked: make(chan time.Time, 1)}
		i := newInstance(b, db, target)
		i.runner.Start(b.Context())
		var took []time.Duration
		for n := 0; b.Loop(); n++ {
			wish(b, stores, fmt.Sprint("user", n), provisioning.TriggerSignIn)
			committed := time.Now()
			i.runner.Nudge()
			took = append(took, (<-target.asked).Sub(committed))
		}
		b.StopTimer()
		if err := i.runner.Stop(b.Context()); err != nil {
			b.Error(err)
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
	})
}

// fill puts users with an account in sync into the ledger, a batch at a time.
func fill(b *testing.B, db *sqldb.DB, users int) {
	b.Helper()
	const batch = 50_000
	for from := 0; from < users; from += batch {
		_, err := db.Exec(b.Context(), `INSERT INTO account (user_id, target, desired, desired_rev, applied_rev, state, external_id, created, sent,
				outcome, cause, fence, updated_at)
			SELECT 'user' || i, 'dir', 'present', 1, 1, 'in_sync', 'x' || i, TRUE, $3, 'created', 'sign_in', 1, $4
			FROM (WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) SELECT i FROM n) numbers`,
			from, min(from+batch, users), `{"owner":"`+strings.Repeat("d", 22)+`"}`, sqldb.Micros(time.Now()))
		if err != nil {
			b.Fatal(err)
		}
	}
	if db.Dialect() == sqldb.Postgres {
		// Now, and not by the server of its own accord while it is measured.
		if _, err := db.Exec(b.Context(), "VACUUM ANALYZE account"); err != nil {
			b.Fatal(err)
		}
	}
}

// unrecorded keeps no decision: what is left of a permit is the read.
type unrecorded struct{}

// Add implements provisioning.DecisionRecorder.
func (unrecorded) Add(context.Context, provisioning.Decision) error { return nil }

// BenchmarkPermitInSync is the gate's answer for users all over the ledger who
// are in sync: with the decision's commit, and without.
func BenchmarkPermitInSync(b *testing.B) {
	benchEach(b, func(b *testing.B, db *sqldb.DB) {
		bind(b, db)
		gate := newInstance(b, db, &instant{}).gate
		reading := gate.GateOptions
		reading.Decisions = unrecorded{}
		users, small := 0, time.Duration(0)
		for _, size := range []int{1_000, 1_000_000} {
			if users > 0 {
				if _, err := db.Exec(b.Context(), "DELETE FROM account"); err != nil {
					b.Fatal(err)
				}
			}
			fill(b, db, size)
			users = size
			b.Run(fmt.Sprintf("%d-users", size), func(b *testing.B) { permits(b, gate, size) })
			b.Run(fmt.Sprintf("%d-users-unrecorded", size), func(b *testing.B) {
				permits(b, provisioning.NewGate(reading), size)
				each := b.Elapsed() / time.Duration(b.N)
				if small == 0 {
					small = each
				}
				b.ReportMetric(float64(each)/float64(small), "x-of-1k")
			})
		}
	})
}

func permits(b *testing.B, gate *provisioning.Gate, users int) {
	const stride = 7919 // a prime: the walk comes by everybody, in no order of the index
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r := provisioning.Request{Client: "app", User: provisioning.UserID(fmt.Sprint("user", n*stride%users)), Grant: provisioning.GrantAuthorize}
		if _, d, err := gate.Permit(b.Context(), r); err != nil || d.Verdict != provisioning.VerdictPermit {
			b.Fatalf("permit = %+v, %v", d, err)
		}
	}
}
