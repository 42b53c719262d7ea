package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// UserStatus tells whether a user may sign in at all.
type UserStatus interface {
	// Active reports whether the user exists and is not disabled. An unknown user
	// is false without an error.
	Active(ctx context.Context, id UserID) (bool, error)
}

// GateLedger is what the gate needs of bindings and accounts. Every method takes
// part in a transaction that ctx carries.
type GateLedger interface {
	// Standings returns the application's bindings in their order, each with the
	// user's account. It is one read. They may be another's that hold for it, too; the
	// accounts are then there for that one.
	Standings(ctx context.Context, client ClientID, user UserID) ([]Standing, error)
	// Want makes accounts desired present and due where they are not desired so
	// yet; others it leaves alone.
	Want(ctx context.Context, w Wish, now time.Time) error
	// Forfeit applies a loss to an account that is desired present.
	Forfeit(ctx context.Context, l Loss, now time.Time) error
	// Hasten makes accounts that wait for their next try due at once, and puts
	// those that wait in the background ahead of it.
	Hasten(ctx context.Context, user UserID, targets []TargetName, now time.Time) error
	// Retry makes accounts due at once as if they had never failed, and forgets
	// what was sent, so that the target is read. It returns how many there are.
	Retry(ctx context.Context, user UserID, targets []TargetName, now time.Time) (int, error)
}

// DecisionRecorder keeps decisions.
type DecisionRecorder interface {
	// Add writes a decision down; it has an id.
	Add(ctx context.Context, d Decision) error
}

// Tx runs transactions that travel in the context; a nested one joins.
type Tx interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// AfterCommit runs f once the transaction in ctx has committed, or at once if
	// there is none.
	AfterCommit(ctx context.Context, f func())
}

// GateOptions are the parts of a Gate. All but Notifier and Rules are required.
type GateOptions struct {
	Ledger    GateLedger
	Decisions DecisionRecorder
	Users     UserStatus
	// Rules are asked where a binding says so; without them such a binding has no
	// decision.
	Rules    *Rulebook
	Tx       Tx
	Nudge    func() // tells the runner that work became due; must not block
	Notifier *Notifier
	Now      func() time.Time
}

// Gate decides whether an authorization may go on. Nothing else makes a Permit.
type Gate struct{ GateOptions }

// NewGate returns a gate.
func NewGate(o GateOptions) *Gate { return &Gate{o} }

// ErrRequest means the request to the gate makes no sense: a user grant without
// a user, or a client grant with one. It is a defect of the caller.
var ErrRequest = errors.New("gate: malformed request")

// Permit decides and records the decision, within the caller's transaction if
// ctx carries one. The Permit is usable only if the verdict is permit. Work that
// nobody waits for becomes due with the same commit.
func (g *Gate) Permit(ctx context.Context, r Request) (Permit, Decision, error) {
	var d Decision
	err := g.Tx.InTx(ctx, func(ctx context.Context) error {
		var err error
		d, err = g.record(ctx, r, func(out ruling) bool { return out.Verdict == VerdictPermit })
		return err
	})
	if err != nil {
		return Permit{}, Decision{}, fmt.Errorf("decide: %w", err)
	}
	if d.Verdict != VerdictPermit {
		return Permit{}, d, nil
	}
	return Permit{client: r.Client, subject: r.User, decision: d.ID}, d, nil
}

// Start makes the work due that the sign-in waits for, and records and returns
// the decision as it is now. It gives no leave to mint.
func (g *Gate) Start(ctx context.Context, r Request) (Decision, error) {
	var d Decision
	err := g.Tx.InTx(ctx, func(ctx context.Context) error {
		var err error
		d, err = g.record(ctx, r, func(ruling) bool { return true })
		return err
	})
	if err != nil {
		return Decision{}, fmt.Errorf("start work: %w", err)
	}
	return d, nil
}

// Look returns the decision as it would be now. It records nothing; the decision
// has no id. But somebody is watching, so work that waits for its next try after
// a failure is tried ahead of time, as [hastenAfter] allows: a page goes on soon
// after the target came back. And work that a waiting sign-in has asked for and
// nobody does any more, because rules denied it to somebody else meanwhile, is
// asked for anew, as by Start.
func (g *Gate) Look(ctx context.Context, r Request) (Decision, error) {
	d, rulings, err := g.look(ctx, r)
	if err == nil && !r.WaitingSince.IsZero() && slices.ContainsFunc(rulings, ruling.forgotten) {
		return g.Start(ctx, r)
	}
	if err == nil {
		err = g.enqueue(ctx, d, rulings, func(out ruling) bool { return out.work == workHasten })
	}
	if err != nil {
		return Decision{}, fmt.Errorf("look at decision: %w", err)
	}
	return d, nil
}

// Retry makes the failed and retrying accounts the request is held up by due at
// once: the user pressed Retry. What the target asked to wait for is left alone.
func (g *Gate) Retry(ctx context.Context, r Request) error {
	err := g.Tx.InTx(ctx, func(ctx context.Context) error {
		d, _, err := g.look(ctx, r)
		if err != nil {
			return err
		}
		targets := g.stuck(d)
		if len(targets) == 0 {
			return nil
		}
		if _, err := g.Ledger.Retry(ctx, r.User, targets, g.Now()); err != nil {
			return err
		}
		g.Tx.AfterCommit(ctx, g.Nudge)
		return nil
	})
	if err != nil {
		return fmt.Errorf("retry: %w", err)
	}
	return nil
}

func (g *Gate) stuck(d Decision) []TargetName {
	var out []TargetName
	for _, f := range d.Findings {
		told := policyOf(f.Kind).retry == retryAfter && f.RetryAt.After(g.Now())
		if f.Verdict != VerdictPermit && (f.State == StateRetrying || f.State == StateFailed) && !told {
			out = append(out, f.Target)
		}
	}
	return out
}

// record looks, makes due the work that selected rulings ask for, and writes the
// decision down.
func (g *Gate) record(ctx context.Context, r Request, selected func(ruling) bool) (Decision, error) {
	d, rulings, err := g.look(ctx, r)
	if err != nil {
		return Decision{}, err
	}
	d.ID = DecisionID(newID())
	if err := g.enqueue(ctx, d, rulings, selected); err != nil {
		return Decision{}, err
	}
	if err := g.Decisions.Add(ctx, d); err != nil {
		return Decision{}, err
	}
	return d, nil
}

// enqueue does the work that selected rulings ask for.
func (g *Gate) enqueue(ctx context.Context, d Decision, rulings []ruling, selected func(ruling) bool) error {
	w := g.workOf(d, rulings, selected)
	if w.empty() {
		return nil
	}
	g.Tx.AfterCommit(ctx, g.Nudge)
	for _, wish := range w.wishes {
		if err := g.Ledger.Want(ctx, wish, g.Now()); err != nil {
			return err
		}
	}
	for _, l := range w.lost {
		if err := g.Ledger.Forfeit(ctx, l, g.Now()); err != nil {
			return err
		}
	}
	if len(w.hasten) > 0 {
		return g.Ledger.Hasten(ctx, d.Request.User, w.hasten, g.Now())
	}
	return nil
}

// gateWork is what the gate asks of the ledger.
type gateWork struct {
	wishes []Wish
	hasten []TargetName
	lost   []Loss
}

func (w gateWork) empty() bool { return len(w.wishes)+len(w.hasten)+len(w.lost) == 0 }

func (g *Gate) workOf(d Decision, rulings []ruling, selected func(ruling) bool) gateWork {
	var w gateWork
	for _, out := range rulings {
		if !selected(out) {
			continue
		}
		by := DecisionID("")
		if out.leave {
			by = d.ID
		}
		if out.work == workWant || out.work == workAgain || by != "" {
			w.wishes = append(w.wishes, Wish{
				User: d.Request.User, Client: out.client, Targets: []TargetName{out.Target}, Trigger: TriggerSignIn, Decision: by,
			})
		}
		switch out.work {
		case workHasten:
			w.hasten = append(w.hasten, out.Target)
		case workLose:
			w.lost = append(w.lost, Loss{User: d.Request.User, Target: out.Target, Policy: out.loss, Decision: d.ID})
		}
	}
	return w
}

func (g *Gate) look(ctx context.Context, r Request) (Decision, []ruling, error) {
	if (r.Grant == GrantClientCredentials) != (r.User == "") || r.Client == "" || r.Client == DefaultClient {
		return Decision{}, nil, ErrRequest
	}
	d := Decision{Request: r, Verdict: VerdictPermit, DecidedAt: g.Now()}
	if r.User == "" {
		return d, nil, nil
	}
	active, err := g.Users.Active(ctx, r.User)
	if err != nil {
		return Decision{}, nil, fmt.Errorf("read user: %w", err)
	}
	if !active {
		d.Verdict, d.Failure = VerdictDeny, Failure{FailureRefused, TextDisabled}
		return d, nil, nil
	}
	if r.Exempt {
		return d, nil, nil
	}
	standings, err := g.Ledger.Standings(ctx, r.Client, r.User)
	if err != nil {
		return Decision{}, nil, fmt.Errorf("read bindings: %w", err)
	}
	if err := g.ruled(ctx, &d, standings); err != nil {
		return Decision{}, nil, err
	}
	d, rulings := d.judged(standings)
	return d, rulings, nil
}

// judged is the decision on bindings that stand as standings say.
func (d Decision) judged(standings []Standing) (Decision, []ruling) {
	rulings := make([]ruling, 0, len(standings))
	for _, s := range standings {
		out := judge(s, d.Request, d.DecidedAt)
		out.client = s.Binding.Client
		if out.Verdict == VerdictWait {
			d.Timeout = max(d.Timeout, s.Binding.Timeout)
		}
		rulings = append(rulings, out)
		d.Findings = append(d.Findings, out.Finding)
	}
	d.Verdict, d.Failure = sum(rulings)
	return d, rulings
}
