//go:build faultpoints

package faultpoint

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/runner"
	"github.com/anteroom-id/anteroom/sdk"
)

// Faults is what the environment asks to go wrong.
type Faults struct {
	at     Point
	signal syscall.Signal
	skew   time.Duration
	once   sync.Once
}

// New reads the environment. It panics when that makes no sense: the test that
// set it would wait in vain.
func New(getenv func(string) string) *Faults {
	f := &Faults{}
	if text := getenv(Env); text != "" {
		point, action, _ := strings.Cut(text, ":")
		signals := map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}
		signal, known := signals[action]
		if !known {
			panic(fmt.Sprintf("%s: %q is neither kill nor stop", Env, action))
		}
		f.at, f.signal = Point(point), signal
	}
	if text := getenv(SkewEnv); text != "" {
		var err error
		if f.skew, err = time.ParseDuration(text); err != nil {
			panic(fmt.Sprintf("%s: %v", SkewEnv, err))
		}
	}
	return f
}

// pass is called at a point.
func (f *Faults) pass(p Point) {
	if p != f.at {
		return
	}
	f.once.Do(func() {
		fmt.Fprintln(os.Stderr, "fault point reached:", p)
		// To this very thread: another might take the signal while this one goes on.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_ = syscall.Tgkill(os.Getpid(), syscall.Gettid(), f.signal)
	})
}

// around passes the two points around do.
func (f *Faults) around(what string, do func() error) error {
	f.pass(Before(what))
	err := do()
	f.pass(After(what))
	return err
}

// Clock returns now, wrong by the skew.
func (f *Faults) Clock(now func() time.Time) func() time.Time {
	return func() time.Time { return now().Add(f.skew) }
}

// Tx returns t with points around the commits of its transactions.
func (f *Faults) Tx(what string, t provisioning.Tx) provisioning.Tx { return tx{t, f, what} }

type tx struct {
	provisioning.Tx
	faults *Faults
	what   string
}

// InTx implements provisioning.Tx.
func (t tx) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	err := t.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		t.faults.pass(Before(t.what))
		return nil
	})
	if err == nil {
		t.faults.pass(After(t.what))
	}
	return err
}

// Ledger returns l with points around its writes.
func (f *Faults) Ledger(l provisioning.Ledger) provisioning.Ledger { return ledger{l, f} }

type ledger struct {
	provisioning.Ledger
	faults *Faults
}

// Begin implements provisioning.Ledger.
func (d ledger) Begin(ctx context.Context, l provisioning.Lease, a provisioning.Attempt) error {
	return d.faults.around(Begin, func() error { return d.Ledger.Begin(ctx, l, a) })
}

// Creating implements provisioning.Ledger.
func (d ledger) Creating(ctx context.Context, l provisioning.Lease) error {
	return d.faults.around(Creating, func() error { return d.Ledger.Creating(ctx, l) })
}

// Finish implements provisioning.Ledger.
func (d ledger) Finish(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	return d.faults.around(Finish, func() error { return d.Ledger.Finish(ctx, l, r) })
}

// Queue returns q with points around claims.
func (f *Faults) Queue(q runner.Queue) runner.Queue { return queue{q, f} }

type queue struct {
	runner.Queue
	faults *Faults
}

// Claim implements runner.Queue. Claims that find nothing pass no point.
func (q queue) Claim(ctx context.Context, target provisioning.TargetName, owner string, now, until time.Time, limit int) ([]provisioning.Lease, error) {
	q.faults.pass(Before(Claim))
	leases, err := q.Queue.Claim(ctx, target, owner, now, until, limit)
	if len(leases) > 0 {
		q.faults.pass(After(Claim))
	}
	return leases, err
}

// Health returns h with points around its writes.
func (f *Faults) Health(h provisioning.HealthRecorder) provisioning.HealthRecorder {
	return health{h, f}
}

type health struct {
	provisioning.HealthRecorder
	faults *Faults
}

// Observe implements provisioning.HealthRecorder.
func (h health) Observe(ctx context.Context, target provisioning.TargetName, o provisioning.Observation, now time.Time) error {
	return h.faults.around(Observe, func() error { return h.HealthRecorder.Observe(ctx, target, o, now) })
}

// Admission returns a with points around its write.
func (f *Faults) Admission(a provisioning.Admission) provisioning.Admission {
	return admission{a, f}
}

type admission struct {
	provisioning.Admission
	faults *Faults
}

// Admit implements provisioning.Admission.
func (a admission) Admit(ctx context.Context, l provisioning.Lease, now time.Time) (ok bool, err error) {
	err = a.faults.around(Admit, func() error {
		ok, err = a.Admission.Admit(ctx, l, now)
		return err
	})
	return ok, err
}

// Reservations returns r with points around its writes.
func (f *Faults) Reservations(r provisioning.Reservations) provisioning.Reservations {
	return reservations{r, f}
}

type reservations struct {
	provisioning.Reservations
	faults *Faults
}

// Reserve implements provisioning.Reservations.
func (r reservations) Reserve(ctx context.Context, l provisioning.Lease, attribute string, candidates []provisioning.Candidate) (string, error) {
	return call(r.faults, Reserve, func() (string, error) { return r.Reservations.Reserve(ctx, l, attribute, candidates) })
}

// Targets returns t with points around the calls of what it opens.
func (f *Faults) Targets(t provisioning.Targets) provisioning.Targets { return targets{t, f} }

type targets struct {
	provisioning.Targets
	faults *Faults
}

// Connect implements provisioning.Targets.
func (t targets) Connect(ctx context.Context, target provisioning.Target) (provisioning.Conn, error) {
	c, err := t.Targets.Connect(ctx, target)
	if err != nil {
		return c, err
	}
	v := verbs{c, t.faults}
	c.Target = v
	if c.Getter != nil {
		c.Getter = v
	}
	if c.ActiveSetter != nil {
		c.ActiveSetter = v
	}
	if c.Deleter != nil {
		c.Deleter = v
	}
	return c, nil
}

type verbs struct {
	conn   provisioning.Conn
	faults *Faults
}

// Lookup implements sdk.Target.
func (v verbs) Lookup(ctx context.Context, r sdk.LookupRequest) ([]sdk.Account, error) {
	return call(v.faults, Lookup, func() ([]sdk.Account, error) { return v.conn.Target.Lookup(ctx, r) })
}

// Create implements sdk.Target.
func (v verbs) Create(ctx context.Context, r sdk.CreateRequest) (sdk.Account, error) {
	return call(v.faults, Create, func() (sdk.Account, error) { return v.conn.Target.Create(ctx, r) })
}

// Update implements sdk.Target.
func (v verbs) Update(ctx context.Context, r sdk.UpdateRequest) (sdk.Account, error) {
	return call(v.faults, Update, func() (sdk.Account, error) { return v.conn.Target.Update(ctx, r) })
}

// Get implements sdk.Getter.
func (v verbs) Get(ctx context.Context, r sdk.GetRequest) (sdk.Account, error) {
	return call(v.faults, Get, func() (sdk.Account, error) { return v.conn.Getter.Get(ctx, r) })
}

// SetActive implements sdk.ActiveSetter.
func (v verbs) SetActive(ctx context.Context, r sdk.SetActiveRequest) (sdk.Account, error) {
	return call(v.faults, SetActive, func() (sdk.Account, error) { return v.conn.ActiveSetter.SetActive(ctx, r) })
}

// Delete implements sdk.Deleter.
func (v verbs) Delete(ctx context.Context, r sdk.DeleteRequest) error {
	return v.faults.around(Delete, func() error { return v.conn.Deleter.Delete(ctx, r) })
}

func call[R any](f *Faults, what string, do func() (R, error)) (r R, err error) {
	err = f.around(what, func() error {
		r, err = do()
		return err
	})
	return r, err
}
