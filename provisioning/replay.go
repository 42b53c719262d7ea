package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// SignInFilter selects recorded sign-ins; zero fields select all. They come the latest
// first.
type SignInFilter struct {
	Client ClientID
	Since  time.Time
	Before DecisionID // only what comes after this one in the list
	Limit  int
}

// SignInReader reads how sign-ins began.
type SignInReader interface {
	// SignIns returns the first decision of each sign-in of a user.
	SignIns(ctx context.Context, f SignInFilter) ([]Decision, error)
}

// Rehearsal asks a draft about sign-ins that have been.
type Rehearsal struct {
	Draft    *Draft
	Client   ClientID // "" for all applications
	Since    time.Time
	Last     int // at most this many sign-ins, 0 for all
	Examples int // at most this many for each kind of change
}

// ReplayReport says how answers of rules would have been others. Profiles, bindings
// and, where the record does not tell, accounts are those of now.
type ReplayReport struct {
	SignIns int       `json:"sign_ins"` // that were looked at
	Oldest  time.Time `json:"oldest,omitzero"`
	Newest  time.Time `json:"newest,omitzero"`
	Gone    int       `json:"gone"`    // of them, those of users who are not there any more
	Asked   int       `json:"asked"`   // how often the draft was asked: once for each binding of a sign-in
	Refused int       `json:"refused"` // sign-ins that the draft would refuse, by the bindings' policies
	// Counts has each pair of answers that there is, the changes first.
	Counts   []ReplayCount   `json:"counts"`
	Examples []ReplayExample `json:"examples"` // of changes, the latest first
}

// ReplayCount is how often one answer would have been another.
type ReplayCount struct {
	Then  RuleOutcome `json:"then"` // none where rules were not asked
	Draft RuleOutcome `json:"draft"`
	Count int         `json:"count"`
}

// Changes reports whether what follows is another: where rules are not asked there is
// an account.
func (c ReplayCount) Changes() bool {
	return c.Then != c.Draft && !(c.Then == RuleNone && c.Draft == RulePermit)
}

// ReplayExample is a binding of a sign-in whose answer would have been another.
type ReplayExample struct {
	Reference   string      `json:"reference"`
	Application ClientID    `json:"application"`
	Target      TargetName  `json:"target"`
	User        UserID      `json:"user"`
	Login       string      `json:"login"`
	At          time.Time   `json:"at"`
	Then        RuleOutcome `json:"then"`
	ThenRules   []RuleTrace `json:"then_rules"` // what each rule set said
	Draft       RuleOutcome `json:"draft"`
	DraftRules  []RuleTrace `json:"draft_rules"`
	Refused     bool        `json:"refused,omitempty"` // the sign-in would be refused for it
}

// replayPage is how many sign-ins are read at a time.
const replayPage = 500

// Replay asks a draft about recorded sign-ins. It writes nothing. It returns
// [ErrDraftUnused] if none of them has a binding that the draft is for.
func (s *Simulator) Replay(ctx context.Context, r Rehearsal) (ReplayReport, error) {
	p := &replay{
		Simulator: s, Rehearsal: r, people: map[UserID]*Profile{}, counts: map[ReplayCount]int{},
		report: ReplayReport{Counts: []ReplayCount{}, Examples: []ReplayExample{}},
	}
	if err := p.run(ctx); err != nil {
		return ReplayReport{}, fmt.Errorf("replay sign-ins: %w", err)
	}
	return p.summed(), nil
}

// replay is one of them under way.
type replay struct {
	*Simulator
	Rehearsal
	people map[UserID]*Profile // nil for who is gone
	counts map[ReplayCount]int // by pair, without the count
	report ReplayReport
}

func (p *replay) run(ctx context.Context) error {
	f := SignInFilter{Client: p.Client, Since: p.Since}
	for {
		f.Limit = replayPage
		if p.Last > 0 {
			f.Limit = min(replayPage, p.Last-p.report.SignIns)
		}
		if f.Limit == 0 {
			break
		}
		page, err := p.SignIns.SignIns(ctx, f)
		if err != nil {
			return err
		}
		for _, d := range page {
			if err := p.again(ctx, d); err != nil {
				return err
			}
			f.Before = d.ID
		}
		if len(page) < f.Limit {
			break
		}
	}
	if p.report.Asked == 0 && p.report.SignIns > p.report.Gone {
		return ErrDraftUnused
	}
	return nil
}

// again asks about one sign-in.
func (p *replay) again(ctx context.Context, d Decision) error {
	p.report.SignIns++
	p.report.Oldest = d.DecidedAt
	if p.report.Newest.IsZero() {
		p.report.Newest = d.DecidedAt
	}
	person, err := p.person(ctx, d.Request.User)
	if err != nil {
		return err
	}
	if person == nil {
		p.report.Gone++
		return nil
	}
	standings, err := p.Ledger.Standings(ctx, d.Request.Client, d.Request.User)
	if err != nil {
		return err
	}
	refused := false
	for _, s := range standings {
		if !p.Draft.concerns(s.Binding) {
			continue
		}
		x, err := p.binding(ctx, d, s, *person)
		if err != nil {
			return err
		}
		refused = refused || x.Refused
	}
	if refused {
		p.report.Refused++
	}
	return nil
}

func (p *replay) person(ctx context.Context, user UserID) (*Profile, error) {
	if known, ok := p.people[user]; ok {
		return known, nil
	}
	profile, err := p.Rules.Users.Profile(ctx, user)
	switch {
	case errors.Is(err, ErrUserNotFound):
		p.people[user] = nil
	case err != nil:
		return nil, err
	default:
		p.people[user] = &profile
	}
	return p.people[user], nil
}

// binding asks about one binding of a sign-in, with what was known of the sign-in then.
func (p *replay) binding(ctx context.Context, d Decision, s Standing, person Profile) (ReplayExample, error) {
	f := findingOf(d, s.Binding.Target)
	said, err := p.Rules.ask(ctx, question{
		binding: s.Binding, connector: s.Connector, profile: person, account: asThen(f, s.Account), facts: d.Request.Facts,
		trigger: rules.TriggerJIT, now: d.DecidedAt, draft: p.Draft,
	})
	if err != nil {
		return ReplayExample{}, err
	}
	x := ReplayExample{
		Reference: d.Request.Reference, Application: d.Request.Client, Target: s.Binding.Target, User: person.ID, Login: person.Login, At: d.DecidedAt,
		Then: cmp.Or(f.Rule, RuleNone), ThenRules: append([]RuleTrace{}, f.Rules...), Draft: said.outcome, DraftRules: said.traces,
		Refused: s.Binding.refuses(said.outcome),
	}
	pair := ReplayCount{Then: x.Then, Draft: x.Draft}
	p.report.Asked++
	p.counts[pair]++
	if pair.Changes() && p.counts[pair] <= p.Examples {
		p.report.Examples = append(p.report.Examples, x)
	}
	return x, nil
}

func findingOf(d Decision, target TargetName) Finding {
	for _, f := range d.Findings {
		if f.Target == target {
			return f
		}
	}
	return Finding{}
}

// asThen is the account as far as the record tells: it says whether there was a row,
// and in which state. Whether one that waited was linked is taken from now.
func asThen(f Finding, now *Account) *Account {
	if f.State == "" {
		return nil
	}
	return now
}

// refuses reports whether a sign-in is refused for an answer of rules.
func (b Binding) refuses(o RuleOutcome) bool {
	if !b.Blocking || b.ReportOnly {
		return false
	}
	return o == RuleDeny && b.OnRuleDeny == RuleRefuse || o == RuleError && b.OnRuleError != RuleSkip
}

// summed is the report with its counts in order.
func (p *replay) summed() ReplayReport {
	for pair, n := range p.counts {
		pair.Count = n
		p.report.Counts = append(p.report.Counts, pair)
	}
	slices.SortFunc(p.report.Counts, func(a, b ReplayCount) int {
		return cmp.Or(cmp.Compare(rankChange(a), rankChange(b)), cmp.Compare(a.Then, b.Then), cmp.Compare(a.Draft, b.Draft))
	})
	return p.report
}

func rankChange(c ReplayCount) int {
	if c.Changes() {
		return 0
	}
	return 1
}
