package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// RuleSetReader reads stored rule sets.
type RuleSetReader interface {
	// Current returns the heads of those of the named sets that are there.
	Current(ctx context.Context, names []string) (map[string]RuleSetHead, error)
	// Get returns a revision, or [ErrRuleSetNotFound].
	Get(ctx context.Context, name string, revision int64) (StoredRuleSet, error)
}

// Apps reads applications as rules see them.
type Apps interface {
	// App returns the application; one that is not there has its client id alone.
	App(ctx context.Context, client ClientID) (rules.App, error)
}

// DecisionReader reads decisions.
type DecisionReader interface {
	// Get returns the decision, or [ErrDecisionNotFound].
	Get(ctx context.Context, id DecisionID) (Decision, error)
}

// RulebookOptions are the parts of a Rulebook. All are required.
type RulebookOptions struct {
	Sets      RuleSetReader
	Compile   func(rules.RuleSet) (rules.Compiled, error)
	Users     Users
	Apps      Apps
	Bindings  BindingReader
	Decisions DecisionReader
}

// maxCompiled is how many compiled rule sets are kept.
const maxCompiled = 256

// Rulebook asks the rule sets of bindings. It keeps compiled sets, and no
// decisions: rules may ask for the time.
type Rulebook struct {
	RulebookOptions
	compiled *rules.Cache
}

// NewRulebook returns a rulebook.
func NewRulebook(o RulebookOptions) *Rulebook { return &Rulebook{o, rules.NewCache(maxCompiled)} }

// question is what a binding's rules are asked.
type question struct {
	binding   Binding
	connector string
	profile   Profile
	account   *Account // nil while the ledger has no row
	facts     Facts
	trigger   rules.Trigger
	now       time.Time
	operation rules.Operation // "" for what would be done to the account
	since     time.Time       // when the sign-in began that may have made the account; zero for none
	draft     *Draft          // asked in place of stored rule sets; nil for none
}

// answer is what they say.
type answer struct {
	outcome RuleOutcome
	traces  []RuleTrace
}

// ask asks the rule sets of a binding that enables rules. The error is about our
// own database; what is wrong with a rule set is in the answer.
func (b *Rulebook) ask(ctx context.Context, q question) (answer, error) {
	sets, request, err := b.draw(ctx, q)
	if err != nil {
		return answer{}, err
	}
	return judgeRules(sets, request), nil
}

// draw returns the binding's rule sets, with a draft in its place, and what they are
// asked.
func (b *Rulebook) draw(ctx context.Context, q question) ([]namedSet, *rules.Request, error) {
	sets, err := b.sets(ctx, q.draft.stored(q.binding.RuleSets))
	if err != nil {
		return nil, nil, fmt.Errorf("ask rules: %w", err)
	}
	app, err := b.Apps.App(ctx, q.binding.Client)
	if err != nil {
		return nil, nil, fmt.Errorf("ask rules: %w", err)
	}
	return q.draft.among(sets), q.request(app), nil
}

// namedSet is a rule set of a binding; set is nil when it cannot be asked.
type namedSet struct {
	name     string
	revision int64
	set      rules.Compiled
	problem  string
	draft    bool // not stored
}

func (b *Rulebook) sets(ctx context.Context, names []string) ([]namedSet, error) {
	heads, err := b.Sets.Current(ctx, names)
	if err != nil {
		return nil, err
	}
	out := make([]namedSet, 0, len(names))
	for _, name := range names {
		head, ok := heads[name]
		s := namedSet{name: name, revision: head.Revision}
		if !ok {
			s.problem = "there is no such rule set"
		} else if s.set, err = b.open(ctx, head); err != nil {
			var mistake *rules.Error
			if !errors.As(err, &mistake) {
				return nil, err
			}
			s.set, s.problem = nil, mistake.Error()
		}
		out = append(out, s)
	}
	return out, nil
}

func (b *Rulebook) open(ctx context.Context, head RuleSetHead) (rules.Compiled, error) {
	return b.compiled.Get(head.Digest, func() (rules.Compiled, error) {
		stored, err := b.Sets.Get(ctx, head.Name, head.Revision)
		if err != nil {
			return nil, err
		}
		return b.Compile(stored.RuleSet)
	})
}

// judgeRules joins what the sets say: one that denies denies. What does not apply
// counts by its default only when nothing else applies. No set is no decision.
func judgeRules(sets []namedSet, r *rules.Request) answer {
	out := answer{outcome: RuleError}
	nodes := make([]rules.Node[*rules.Request], 0, len(sets))
	for _, s := range sets {
		said := s.decide(r)
		nodes = append(nodes, said)
		out.traces = append(out.traces, s.trace(rules.Result(said)))
	}
	if len(sets) == 0 {
		return out
	}
	joined := rules.Combine(rules.DenyOverrides, r, nodes)
	if joined.Decision == rules.NotApplicable {
		joined.Decision = byDefault(sets)
		for i := range out.traces {
			out.traces[i].Default = true
		}
	}
	out.outcome = outcomeOf(joined)
	return out
}

// said is the result of a set, to be joined with others.
type said rules.Result

var _ rules.Node[*rules.Request] = said{}

// Applies implements rules.Node; deny-overrides does not ask it.
func (s said) Applies(*rules.Request) (rules.Applicability, rules.Status) {
	return rules.Match, rules.Status{}
}

// Decide implements rules.Node.
func (s said) Decide(*rules.Request) rules.Result { return rules.Result(s) }

// decide asks a set. A Permit that obliges to something is none: nothing that a
// rule set can oblige us to is known.
func (s namedSet) decide(r *rules.Request) said {
	if s.set == nil {
		return said(rules.Failed(rules.IndeterminateDP, rules.Status{Code: rules.StatusSyntaxError, Message: s.problem}))
	}
	result := s.set.Decide(r)
	if result.Decision == rules.Permit && len(result.Obligations) > 0 {
		message := fmt.Sprintf("obliges to %s, which is not known", clip(result.Obligations[0].ID))
		failed := rules.Failed(rules.IndeterminateP, rules.Status{Code: rules.StatusProcessingError, Message: message})
		failed.Policy, failed.Rule = result.Policy, result.Rule
		return said(failed)
	}
	return said(result)
}

func (s namedSet) trace(r rules.Result) RuleTrace {
	return RuleTrace{
		Set: s.name, Revision: s.revision, Decision: r.Decision.String(), Policy: clip(r.Policy), Rule: clip(r.Rule),
		Status: r.Status.Code, Message: clip(r.Status.Message),
	}
}

// byDefault permits only if every set's author wants that.
func byDefault(sets []namedSet) rules.Decision {
	for _, s := range sets {
		if s.set.Default() != rules.Permit {
			return rules.Deny
		}
	}
	return rules.Permit
}

// outcomeOf says what a decision means. One that could not be made and cannot have
// been a Permit is a Deny.
func outcomeOf(r rules.Result) RuleOutcome {
	switch r.Decision {
	case rules.Permit:
		return RulePermit
	case rules.Deny, rules.IndeterminateD:
		return RuleDeny
	default:
		return RuleError
	}
}

// request puts the question into the words of rules.
func (q question) request(app rules.App) *rules.Request {
	p := q.profile
	r := &rules.Request{
		User: rules.User{
			ID: string(p.ID), Username: p.Login, Email: p.Email, EmailVerified: p.EmailVerified, GivenName: p.GivenName,
			FamilyName: p.FamilyName, Name: p.Name, Locale: p.Locale, PhoneNumber: p.PhoneNumber, Active: p.Active,
			Source: p.Source, Groups: p.Groups, Roles: p.Claims[rules.ClaimRoles], Claims: p.Claims,
		},
		App: app, Operation: rules.OperationCreate, Trigger: q.trigger, Now: q.now,
		Connector: rules.Connector{Name: string(q.binding.Target), Type: q.connector, Binding: string(q.binding.Client) + "/" + string(q.binding.Target)},
		Scopes:    q.facts.Scopes, ACR: q.facts.ACR, AMR: q.facts.AMR, AuthTime: q.facts.AuthTime,
	}
	if ip, err := netip.ParseAddr(q.facts.IP); err == nil {
		r.IP = ip
	}
	if a := q.account; a != nil && a.ExternalID != "" && !a.madeSince(q.since) {
		r.Operation = rules.OperationUpdate
		r.Account = rules.Account{Linked: true, RemoteID: a.ExternalID, LastProvisioned: a.UpdatedAt}
	}
	if q.operation != "" {
		r.Operation = q.operation
	}
	return r
}

// madeSince reports whether a sign-in that began at since has the account it asked
// for. Until its tokens end it is asked about what it set out to do: a rule that
// grants accounts to those who have none must not refuse them for having one now.
func (a Account) madeSince(since time.Time) bool {
	made := a.Outcome == OutcomeCreated || a.Outcome == OutcomeAdopted
	return !since.IsZero() && made && a.Usable() && !a.UpdatedAt.Before(since)
}

// summary names what decided, for an admin, on one line.
func (a answer) summary() string {
	var parts []string
	for _, t := range a.traces {
		part := fmt.Sprintf("rule set %s revision %d: %s", t.Set, t.Revision, t.Decision)
		if t.Rule != "" {
			part += " by rule " + t.Rule
		}
		if t.Message != "" {
			part += " (" + t.Message + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "the binding names no rule set"
	}
	return clip(strings.Join(parts, "; "))
}
