package daemon

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func openSystem(t *testing.T) *System {
	t.Helper()
	dir := newDir(t)
	return openSystemIn(t, dir, "sqlite://"+filepath.Join(dir, "db"))
}

// newDir returns a folder with a keyset and an empty folder of connectors.
func newDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := keys.CreateKeysetFile(filepath.Join(dir, "keys.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "connectors"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openSystemIn(t testing.TB, dir, database string) *System {
	t.Helper()
	s, err := Open(t.Context(), config.Config{
		Issuer: "http://127.0.0.1:1", Database: sdk.Secret(database), SecretsKeyFile: filepath.Join(dir, "keys.json"),
		ConnectorsDir: filepath.Join(dir, "connectors"), KeepAttempts: 24 * time.Hour, KeepDecisions: 48 * time.Hour,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestOldRecordsArePruned(t *testing.T) {
	s := openSystem(t)
	for id, age := range map[provisioning.DecisionID]time.Duration{"d1": 49 * time.Hour, "d2": 47 * time.Hour} {
		d := provisioning.Decision{ID: id, Verdict: provisioning.VerdictPermit, DecidedAt: time.Now().Add(-age)}
		if err := s.Decisions.Add(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	s.prune(t.Context())
	if _, err := s.Decisions.Get(t.Context(), "d1"); !errors.Is(err, provisioning.ErrDecisionNotFound) {
		t.Errorf("old decision: %v, want it gone", err)
	}
	if _, err := s.Decisions.Get(t.Context(), "d2"); err != nil {
		t.Errorf("recent decision: %v, want it kept", err)
	}
	s.Config.KeepDecisions = 0
	s.prune(t.Context())
	if _, err := s.Decisions.Get(t.Context(), "d2"); err != nil {
		t.Errorf("decision without a retention: %v, want it kept", err)
	}
}

// A target whose connector is not there is compared when its time has come, once,
// and its report says why it is incomplete.
func TestScheduledReconciliation(t *testing.T) {
	s := openSystem(t)
	put := func(name provisioning.TargetName, every time.Duration) {
		t.Helper()
		if _, err := s.Targets.Put(t.Context(), provisioning.Target{Name: name, Connector: "nowhere", ReconcileEvery: every}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	last := func(name provisioning.TargetName) *provisioning.DriftReport {
		t.Helper()
		r, err := s.Reconciliations.Last(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put("daily", 24*time.Hour)
	put("never", 0)
	for range 2 {
		if err := s.reconcileDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first := last("daily")
	if first == nil || first.Complete || first.Incomplete == "" || last("never") != nil {
		t.Fatalf("daily = %+v, never = %+v; want an incomplete report and none", first, last("never"))
	}
	if err := s.reconcileDue(t.Context()); err != nil || !last("daily").StartedAt.Equal(first.StartedAt) {
		t.Errorf("compared twice within a day: %v", err)
	}
	now := time.Now()
	if claimed, err := s.Reconciliations.Claim(t.Context(), "never", "another process", now, now.Add(time.Hour), now); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	if _, err := s.Reconcile(t.Context(), "never", false); !errors.Is(err, ErrReconciling) {
		t.Errorf("beside another process: %v, want ErrReconciling", err)
	}
	if _, err := s.Reconcile(t.Context(), "nowhere", false); !errors.Is(err, provisioning.ErrTargetNotFound) {
		t.Errorf("unknown target: %v", err)
	}
}
