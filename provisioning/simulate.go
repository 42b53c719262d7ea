package provisioning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// SimulatorLedger is what a Simulator reads of bindings and accounts. It cannot
// write.
type SimulatorLedger interface {
	// Standings is as for [GateLedger].
	Standings(ctx context.Context, client ClientID, user UserID) ([]Standing, error)
	// Get returns one account, or [ErrAccountNotFound].
	Get(ctx context.Context, user UserID, target TargetName) (Account, error)
	// LinkedTo is as for [Ledger].
	LinkedTo(ctx context.Context, target TargetName, externalID string) (UserID, error)
}

// SimulatorReservations is what a Simulator reads of [Reservations].
type SimulatorReservations interface {
	Reserved(ctx context.Context, user UserID, target TargetName) (map[string]string, error)
	Taken(ctx context.Context, user UserID, target TargetName, attribute string, candidates []Candidate) (map[string]bool, error)
}

// SimulatorOptions are the parts of a Simulator. All are required.
type SimulatorOptions struct {
	Ledger       SimulatorLedger
	Reservations SimulatorReservations
	SignIns      SignInReader
	Rules        *Rulebook
	Store        TargetReader
	Targets      Targets
	DigestKey    []byte // the engine's
	Now          func() time.Time
}

// Simulator says what rules, mapping, engine and gate would do about a user of an
// application, by the very code that does it. It writes nothing: of the ledger it has
// readers, and of a target the verbs that read.
type Simulator struct {
	SimulatorOptions
	engine *Engine
}

// NewSimulator returns a simulator.
func NewSimulator(o SimulatorOptions) *Simulator {
	return &Simulator{o, &Engine{EngineOptions: EngineOptions{
		Ledger: unwritten{o.Ledger}, Reservations: presumed{o.Reservations}, Store: o.Store, Targets: o.Targets, Users: o.Rules.Users, Rules: o.Rules, Lease: DefaultLease,
		DigestKey: o.DigestKey, Logger: slog.New(slog.DiscardHandler), Now: o.Now, Random: func() float64 { return 0 },
	}}}
}

// Scenario is what is simulated: a sign-in that begins now.
type Scenario struct {
	Client ClientID
	Target TargetName // whose details are wanted; "" for all of the application's
	User   UserID
	// Profile is of a person who is not there yet; User is "" then.
	Profile   *Profile
	Facts     Facts
	Operation rules.Operation // what rules are told; "" for what would be done
	At        time.Time       // what rules take for now; zero for now
	Draft     *Draft          // nil for none
	Compare   bool            // read the target
	// ShowValues shows values of the person and of their account; else there are names.
	ShowValues bool
}

// Simulation is what would be.
type Simulation struct {
	Application ClientID `json:"application"`
	User        UserID   `json:"user,omitempty"` // "" for one who is not there yet
	Login       string   `json:"login"`
	// RulesAt is what rules took for now.
	RulesAt time.Time `json:"rules_at"`
	// Verdict and Failure are the gate's on the whole sign-in, over all bindings of the
	// application.
	Verdict Verdict `json:"verdict"`
	Failure Failure `json:"failure,omitzero"`
	// Late is what becomes of a sign-in that waits, if nothing changes; nil if it does
	// not wait.
	Late     *Late              `json:"late,omitempty"`
	Bindings []SimulatedBinding `json:"bindings"`
}

// Late is the gate's answer once the time is over.
type Late struct {
	After   time.Duration `json:"-"` // the longest of the timeouts of those bindings that wait
	Verdict Verdict       `json:"verdict"`
	Failure Failure       `json:"failure,omitzero"`
}

// SimulatedBinding is what one binding means for the user.
type SimulatedBinding struct {
	Target    TargetName     `json:"target"`
	Connector string         `json:"connector"`
	Explain   string         `json:"explanation"` // what the binding's options do
	Rules     SimulatedRules `json:"rules"`
	// Gate is nil when the gate does not come to bindings: the user is disabled.
	Gate *Finding `json:"gate,omitempty"`
	// Late is what the gate says once the binding's timeout is over; nil if it does not
	// wait.
	Late *Finding `json:"late,omitempty"`
	// Work is what the sign-in would do to the account besides: want, hasten, again or
	// lose, as docs/decisions.md has it; "" for nothing.
	Work string `json:"work,omitempty"`
	// Account is the ledger's row, nil if there is none.
	Account      *Account          `json:"-"`
	Mapping      []MappedAttribute `json:"mapping,omitempty"`
	MappingError string            `json:"mapping_error,omitempty"`
	Sync         *Sync             `json:"sync,omitempty"` // only when the target was to be read
}

// SimulatedRules is what rules say.
type SimulatedRules struct {
	Outcome RuleOutcome `json:"outcome"`
	// Supposed is set when the binding does not ask rules, and was simulated as if it
	// asked the draft.
	Supposed  bool             `json:"supposed,omitempty"`
	Operation rules.Operation  `json:"operation,omitempty"` // what they were told
	Sets      []SetExplanation `json:"sets,omitempty"`
}

// Simulate says what would be. It returns [ErrUserNotFound], [ErrBindingNotFound] if
// the application has no such binding, and [ErrDraftUnused].
func (s *Simulator) Simulate(ctx context.Context, sc Scenario) (Simulation, error) {
	c := &simulation{Simulator: s, Scenario: sc, now: s.Now()}
	if c.At.IsZero() {
		c.At = c.now
	}
	out, err := c.run(ctx)
	if err != nil {
		return Simulation{}, fmt.Errorf("simulate: %w", err)
	}
	return out, nil
}

// simulation is one of them under way.
type simulation struct {
	*Simulator
	Scenario
	now       time.Time
	person    Profile
	standings []Standing
}

func (c *simulation) run(ctx context.Context) (Simulation, error) {
	if err := c.read(ctx); err != nil {
		return Simulation{}, err
	}
	bindings, err := c.rules(ctx)
	if err != nil {
		return Simulation{}, err
	}
	d := c.gate(bindings)
	out := Simulation{
		Application: c.Client, User: c.User, Login: c.person.Login, RulesAt: c.At, Verdict: d.Verdict, Failure: d.Failure, Late: c.late(d),
		Bindings: []SimulatedBinding{},
	}
	for i := range bindings {
		if c.Target != "" && bindings[i].Target != c.Target {
			continue
		}
		if err := c.account(ctx, c.standings[i], &bindings[i]); err != nil {
			return Simulation{}, err
		}
		out.Bindings = append(out.Bindings, bindings[i])
	}
	return out, nil
}

// read reads the user and the application's bindings.
func (c *simulation) read(ctx context.Context) error {
	var err error
	if c.Profile != nil {
		c.person = *c.Profile
	} else if c.person, err = c.Rules.Users.Profile(ctx, c.User); err != nil {
		return err
	}
	if c.standings, err = c.Ledger.Standings(ctx, c.Client, c.User); err != nil {
		return err
	}
	return c.check()
}

// check refuses what would look like an answer and be none.
func (c *simulation) check() error {
	of := func(s Standing) bool { return c.Target == "" || s.Binding.Target == c.Target }
	concerned := func(s Standing) bool { return of(s) && c.Draft.concerns(s.Binding) }
	switch {
	case !slices.ContainsFunc(c.standings, of):
		return ErrBindingNotFound
	case c.Draft != nil && !slices.ContainsFunc(c.standings, concerned):
		return ErrDraftUnused
	}
	return nil
}

// rules asks the rules of every binding, and notes what they say in its standing.
func (c *simulation) rules(ctx context.Context) ([]SimulatedBinding, error) {
	out := make([]SimulatedBinding, len(c.standings))
	for i := range c.standings {
		s := &c.standings[i]
		supposed := !s.Binding.EnableRules && c.Draft.concerns(s.Binding)
		s.Binding.EnableRules = s.Binding.EnableRules || supposed
		out[i] = SimulatedBinding{
			Target: s.Binding.Target, Connector: s.Connector, Explain: s.Binding.Explain(), Rules: SimulatedRules{Outcome: RuleNone, Supposed: supposed},
		}
		if !s.Binding.EnableRules {
			continue
		}
		q := question{
			binding: s.Binding, connector: s.Connector, profile: c.person, account: s.Account, facts: c.Facts, trigger: rules.TriggerSimulate,
			now: c.At, operation: c.Operation, draft: c.Draft,
		}
		said, err := c.SimulatorOptions.Rules.hear(ctx, q, c.hides)
		if err != nil {
			return nil, err
		}
		s.Rule, s.Rules = said.outcome, said.traces
		if s.Granted, err = c.SimulatorOptions.Rules.granted(ctx, c.request(), q, *s); err != nil {
			return nil, err
		}
		out[i].Rules.Outcome, out[i].Rules.Operation, out[i].Rules.Sets = said.outcome, said.operation, said.sets
	}
	return out, nil
}

func (c *simulation) hides(a rules.Attribute) bool { return !c.ShowValues && a.Personal() }

// gate judges a sign-in that begins now, and what each binding has to do with it.
func (c *simulation) gate(bindings []SimulatedBinding) Decision {
	d := Decision{Request: c.request(), Verdict: VerdictPermit, DecidedAt: c.now}
	if !c.person.Active {
		d.Verdict, d.Failure = VerdictDeny, Failure{FailureRefused, TextDisabled}
		return d
	}
	d, rulings := d.judged(c.standings)
	for i, r := range rulings {
		f := r.Finding
		f.Rules = nil // SimulatedRules says more
		bindings[i].Gate, bindings[i].Work = &f, string(r.work)
		if f.Verdict == VerdictWait {
			after := c.outOfTime(c.standings[i].Binding.Timeout)
			late := judge(c.standings[i], after, c.now).Finding
			late.Rules = nil
			bindings[i].Late = &late
		}
	}
	return d
}

func (c *simulation) request() Request {
	return Request{Client: c.Client, User: c.User, Grant: GrantAuthorize, Facts: c.Facts}
}

// outOfTime is the request of a sign-in that began as long ago as a timeout.
func (c *simulation) outOfTime(timeout time.Duration) Request {
	r := c.request()
	r.WaitingSince = c.now.Add(-timeout)
	return r
}

// late is what a sign-in that waits ends in, if nothing changes.
func (c *simulation) late(d Decision) *Late {
	if d.Verdict != VerdictWait {
		return nil
	}
	after, _ := Decision{Request: c.outOfTime(d.Timeout), DecidedAt: c.now}.judged(c.standings)
	return &Late{After: d.Timeout, Verdict: after.Verdict, Failure: after.Failure}
}

// known is the user's account in the ledger, nil if there is none.
func (c *simulation) known(ctx context.Context, target TargetName) (*Account, error) {
	if c.User == "" {
		return nil, nil
	}
	a, err := c.Ledger.Get(ctx, c.User, target)
	if errors.Is(err, ErrAccountNotFound) {
		return nil, nil
	}
	return &a, err
}
