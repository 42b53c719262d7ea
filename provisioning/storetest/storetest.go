package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/store"
)

// Epoch is when the suites' time begins: whole microseconds, as stored.
func Epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// Sealer is a store.Sealer for tests. It hides nothing, but notices a ciphertext
// that was moved to another row.
type Sealer struct{}

const sealMark = "\x00sealed\x00"

// Seal joins the data to its place.
func (Sealer) Seal(plaintext, aad []byte) ([]byte, error) {
	return append(append(append([]byte(nil), aad...), sealMark...), plaintext...), nil
}

// Open checks the place.
func (Sealer) Open(ciphertext, aad []byte) ([]byte, error) {
	prefix := string(aad) + sealMark
	if len(ciphertext) < len(prefix) || string(ciphertext[:len(prefix)]) != prefix {
		return nil, errors.New("sealed for another place")
	}
	return ciphertext[len(prefix):], nil
}

// Suite runs the conformance suites on fresh databases that open returns.
func Suite(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("targets", func(t *testing.T) { targets(t, open) })
	t.Run("bindings", func(t *testing.T) { bindings(t, open) })
	t.Run("accounts", func(t *testing.T) { accounts(t, open) })
	t.Run("census", func(t *testing.T) { census(t, open) })
	t.Run("sweeps", func(t *testing.T) { sweeps(t, open) })
	t.Run("leases", func(t *testing.T) { leases(t, open) })
	t.Run("reservations", func(t *testing.T) { reservations(t, open) })
	t.Run("health", func(t *testing.T) { health(t, open) })
	t.Run("attempts", func(t *testing.T) { attempts(t, open) })
	t.Run("decisions", func(t *testing.T) { decisions(t, open) })
	t.Run("sign-ins", func(t *testing.T) { signIns(t, open) })
	t.Run("attempt retention", func(t *testing.T) { attemptRetention(t, open) })
	t.Run("decision retention", func(t *testing.T) { decisionRetention(t, open) })
	t.Run("reconciliations", func(t *testing.T) { reconciliations(t, open) })
	t.Run("rule sets", func(t *testing.T) { ruleSets(t, open) })
	t.Run("matching", func(t *testing.T) { matching(t, open) })
}

// fixture is one database with the target "dir" in it.
type fixture struct {
	*testing.T
	store.Stores
	db *sqldb.DB
}

func setUp(t *testing.T, open func(t *testing.T) *sqldb.DB) fixture {
	t.Helper()
	db := open(t)
	f := fixture{t, store.New(db, Sealer{}), db}
	f.putTarget(provisioning.Target{Name: "dir", Connector: "scim2", MaxConcurrency: provisioning.MaxConcurrency})
	return f
}

func (f fixture) putTarget(target provisioning.Target) provisioning.Target {
	f.Helper()
	got, err := f.Targets.Put(f.Context(), target, Epoch())
	f.ok(err)
	return got
}

func (f fixture) want(user provisioning.UserID, at time.Time) {
	f.Helper()
	f.ok(f.Accounts.Want(f.Context(), provisioning.Wish{User: user, Client: "app", Targets: []provisioning.TargetName{"dir"}, Trigger: provisioning.TriggerSignIn}, at))
}

func (f fixture) account(user provisioning.UserID) provisioning.Account {
	f.Helper()
	a, err := f.Accounts.Get(f.Context(), user, "dir")
	f.ok(err)
	return a
}

// claim leases every due account of dir for a minute.
func (f fixture) claim(owner string, at time.Time) []provisioning.Lease {
	f.Helper()
	got, err := f.Accounts.Claim(f.Context(), "dir", owner, at, at.Add(time.Minute), 100)
	f.ok(err)
	return got
}

// settle brings the account to in_sync under the external id.
func (f fixture) settle(user provisioning.UserID, externalID string, at time.Time) provisioning.Account {
	f.Helper()
	f.want(user, at)
	for _, l := range f.claim("settler", at) {
		a := l.Account
		a.State, a.ExternalID, a.AppliedRev, a.Attempts = provisioning.StateInSync, externalID, a.DesiredRev, 0
		a.NextAttemptAt, a.UpdatedAt, a.Sent = time.Time{}, at, map[string]string{"email": "digest"}
		f.ok(f.Accounts.Finish(f.Context(), l, provisioning.Result{Rev: a.DesiredRev, Account: a}))
	}
	return f.account(user)
}

func (f fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("error = %v, want %v", err, want)
	}
}

func (f fixture) equal(what string, want, got any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
