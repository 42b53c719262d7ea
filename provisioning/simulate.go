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

// SimulatorOptions are the parts of a Simulator. All are required.
type SimulatorOptions struct {
	Ledger    SimulatorLedger
	Rules     *Rulebook
	Store     TargetReader
	Targets   Targets
	DigestKey []byte // the engine's
	Now       func() time.Time
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
		Ledger: unwritten{o.Ledger}, Store: o.Store, Targets: o.Targets, Users: o.Rules.Users, Rules: o.Rules, Lease: DefaultLease,
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
	Verdict  Verdict            `json:"verdict"`
	Failure  Failure            `json:"failure,omitzero"`
	Bindings []SimulatedBinding `json:"bindings"`
}

// SimulatedBinding is what one binding means for the user.
type SimulatedBinding struct {
	Target    TargetName     `json:"target"`
	Connector string         `json:"connector"`
	Explain   string         `json:"explanation"` // what the binding's options do
	Rules     SimulatedRules `json:"rules"`
	// Gate is nil when the gate does not come to bindings: the user is disabled.
	Gate *Finding `json:"gate,omitempty"`
	// Work is what the sign-in would do to the account besides: want, hasten, again or
	// lose, as docs/decisions.md has it; "" for nothing.
	Work         string            `json:"work,omitempty"`
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
	d, rulings, err := c.gate()
	if err != nil {
		return Simulation{}, err
	}
	out := Simulation{
		Application: c.Client, User: c.User, Login: c.person.Login, RulesAt: c.At, Verdict: d.Verdict, Failure: d.Failure, Bindings: []SimulatedBinding{},
	}
	for i, b := range bindings {
		if c.Target != "" && b.Target != c.Target {
			continue
		}
		wanted := false
		if rulings != nil {
			b.Gate, b.Work = &rulings[i].Finding, string(rulings[i].work)
			b.Gate.Rules = nil // b.Rules says more
			wanted = rulings[i].work == workWant || rulings[i].work == workAgain
		}
		if err := c.account(ctx, c.standings[i], wanted, &b); err != nil {
			return Simulation{}, err
		}
		out.Bindings = append(out.Bindings, b)
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
		said, err := c.SimulatorOptions.Rules.hear(ctx, question{
			binding: s.Binding, connector: s.Connector, profile: c.person, account: s.Account, facts: c.Facts, trigger: rules.TriggerSimulate,
			now: c.At, operation: c.Operation, draft: c.Draft,
		}, c.hides)
		if err != nil {
			return nil, err
		}
		s.Rule, s.Rules = said.outcome, said.traces
		out[i].Rules.Outcome, out[i].Rules.Operation, out[i].Rules.Sets = said.outcome, said.operation, said.sets
	}
	return out, nil
}

func (c *simulation) hides(a rules.Attribute) bool { return !c.ShowValues && a.Personal() }

// gate judges a sign-in that begins now. The rulings are nil if it is not let that
// far.
func (c *simulation) gate() (Decision, []ruling, error) {
	d := Decision{
		Request: Request{Client: c.Client, User: c.User, Grant: GrantAuthorize, Facts: c.Facts}, Verdict: VerdictPermit, DecidedAt: c.now,
	}
	if !c.person.Active {
		d.Verdict, d.Failure = VerdictDeny, Failure{FailureRefused, TextDisabled}
		return d, nil, nil
	}
	return d.judged(c.standings)
}

// known is the user's account in the ledger; a new one if there is none.
func (c *simulation) known(ctx context.Context, target TargetName) (Account, error) {
	none := Account{User: c.person.ID, Target: target}
	if c.User == "" {
		return none, nil
	}
	a, err := c.Ledger.Get(ctx, c.User, target)
	if errors.Is(err, ErrAccountNotFound) {
		return none, nil
	}
	return a, err
}
