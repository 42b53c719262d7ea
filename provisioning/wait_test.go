package provisioning_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// shelf is a ledger with one row, for tests of time.
type shelf struct {
	provisioning.GateLedger
	mu      sync.Mutex
	account provisioning.Account
	err     error
	looks   int
}

// Standings implements provisioning.GateLedger.
func (s *shelf) Standings(context.Context, provisioning.ClientID, provisioning.UserID) ([]provisioning.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	b := provisioning.NewBinding("app", "dir")
	b.Blocking = true
	a := s.account
	return []provisioning.Standing{{Binding: b, Account: &a}}, s.err
}

func (s *shelf) set(edit func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(s)
}

type everybody struct{}

// Active implements provisioning.UserStatus.
func (everybody) Active(context.Context, provisioning.UserID) (bool, error) { return true, nil }

func waiting(n *provisioning.Notifier) (*provisioning.Gate, *shelf) {
	s := &shelf{account: provisioning.Account{Desired: provisioning.DesiredPresent, DesiredRev: 1, State: provisioning.StatePending}}
	return provisioning.NewGate(provisioning.GateOptions{Ledger: s, Users: everybody{}, Now: time.Now, Notifier: n}), s
}

func done(s *shelf) {
	s.account.State, s.account.AppliedRev, s.account.ExternalID = provisioning.StateInSync, 1, "x1"
}

func TestWaitSeesAnotherInstancesResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, s := waiting(nil)
		start := time.Now()
		time.AfterFunc(5*time.Second, func() { s.set(done) })
		d, err := gate.Wait(t.Context(), request("ann"))
		if took := time.Since(start); err != nil || d.Verdict != provisioning.VerdictPermit || took > 6*time.Second {
			t.Errorf("wait = %s, %v after %s; want permit within a second of the result", d.Verdict, err, took)
		}
		if s.looks > 10 {
			t.Errorf("looked %d times in 5 s", s.looks)
		}
	})
}

func TestWaitIsWokenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &provisioning.Notifier{}
		gate, s := waiting(n)
		start := time.Now()
		for range 3 {
			go func() { // others who wait for the same user, and for another
				_, _ = gate.Wait(t.Context(), request("ann"))
			}()
		}
		time.AfterFunc(1100*time.Millisecond, func() {
			s.set(done)
			n.Notify("eve")
			n.Notify("ann")
		})
		d, err := gate.Wait(t.Context(), request("ann"))
		if took := time.Since(start); err != nil || d.Verdict != provisioning.VerdictPermit || took != 1100*time.Millisecond {
			t.Errorf("wait = %s, %v after %s; want permit at once", d.Verdict, err, took)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, _ := waiting(&provisioning.Notifier{})
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		d, err := gate.Wait(ctx, request("ann"))
		if err != nil || d.Verdict != provisioning.VerdictWait {
			t.Errorf("wait = %s, %v; want the last decision and no error", d.Verdict, err)
		}
	})
}

func TestWaitReportsALedgerFailure(t *testing.T) {
	gate, s := waiting(nil)
	boom := errors.New("boom")
	s.set(func(s *shelf) { s.err = boom })
	if _, err := gate.Wait(t.Context(), request("ann")); !errors.Is(err, boom) {
		t.Errorf("wait = %v, want the ledger's failure", err)
	}
}
