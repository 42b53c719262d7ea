package provisioning

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// beats is a ledger that answers heartbeats.
type beats struct {
	Ledger
	n   atomic.Int32
	err func(n int32) error
}

// Extend implements Ledger.
func (b *beats) Extend(context.Context, Lease, time.Time) error { return b.err(b.n.Add(1)) }

func beating(t *testing.T, answer func(n int32) error) (context.Context, *beats, *held, func()) {
	t.Helper()
	b := &beats{err: answer}
	e := &Engine{EngineOptions: EngineOptions{Ledger: b, Now: time.Now, Lease: DefaultLease}}
	ctx, h, stop := e.keep(t.Context(), Lease{Until: time.Now().Add(DefaultLease)})
	return ctx, b, h, stop
}

func TestHeartbeatKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, b, h, stop := beating(t, func(int32) error { return nil })
		<-time.After(5*time.Minute + time.Second)
		if b.n.Load() != 30 || ctx.Err() != nil || h.budget(time.Now()) < 25*time.Second {
			t.Errorf("%d beats, ctx %v, budget %s; want the lease alive", b.n.Load(), ctx.Err(), h.budget(time.Now()))
		}
		stop()
		<-time.After(time.Minute)
		if b.n.Load() != 30 {
			t.Error("the heart beats on after stop")
		}
	})
}

func TestLostLeaseEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, _, _, stop := beating(t, func(n int32) error {
			if n == 2 {
				return ErrLeaseLost
			}
			return nil
		})
		defer stop()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrLeaseLost) || time.Since(start) != 2*heartbeatEvery(DefaultLease) {
			t.Errorf("ended by %v after %s, want the lost lease at the second beat", context.Cause(ctx), time.Since(start))
		}
	})
}

// A database that does not answer ends the run before the lease does.
func TestUnextendedLeaseEndsTheRunInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, _, _, stop := beating(t, func(int32) error { return errors.New("database is away") })
		defer stop()
		<-ctx.Done()
		if took := time.Since(start); took > DefaultLease-leaseMargin(DefaultLease) || took < heartbeatEvery(DefaultLease) {
			t.Errorf("ended after %s, want between the first beat and the lease's end", took)
		}
	})
}

// A database that hangs is one that does not answer.
func TestHangingDatabaseEndsTheRunInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := &hanging{}
		e := &Engine{EngineOptions: EngineOptions{Ledger: b, Now: time.Now, Lease: DefaultLease}}
		ctx, _, stop := e.keep(t.Context(), Lease{Until: time.Now().Add(DefaultLease)})
		defer stop()
		<-ctx.Done()
		if took := time.Since(start); took > DefaultLease-leaseMargin(DefaultLease) {
			t.Errorf("ended after %s, want before the lease's end", took)
		}
	})
}

// hanging is a ledger that never answers.
type hanging struct{ Ledger }

// Extend implements Ledger.
func (*hanging) Extend(ctx context.Context, _ Lease, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestBudgetLeavesAMargin(t *testing.T) {
	now := time.Now()
	margin := leaseMargin(DefaultLease)
	for left, want := range map[time.Duration]time.Duration{
		DefaultLease: DefaultLease - margin, time.Hour: maxCall, margin: 0, time.Second: time.Second - margin,
	} {
		h := &held{lease: DefaultLease, until: now.Add(left)}
		if got := h.budget(now); got != want {
			t.Errorf("budget with %s left = %s, want %s", left, got, want)
		}
	}
}
