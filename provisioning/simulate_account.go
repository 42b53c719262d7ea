package provisioning

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// SyncAction is what bringing an account in sync does to a target.
type SyncAction string

// The actions.
const (
	SyncCreate   SyncAction = "create"
	SyncAdopt    SyncAction = "adopt"   // an account that is there becomes ours, and is changed as Changes say
	SyncUpdate   SyncAction = "update"  // as Changes, Reactivate and Groups say
	SyncNothing  SyncAction = "nothing" // there is nothing to do
	SyncConflict SyncAction = "conflict"
	SyncSuspend  SyncAction = "suspend"
	SyncEnd      SyncAction = "end"  // deleted, suspended or unlinked as the target's policy says
	SyncSkip     SyncAction = "skip" // rules do not permit it
	SyncFail     SyncAction = "fail" // it would fail, or the target could not be read
)

// Sync is what bringing the account in sync would do, as the target is now.
type Sync struct {
	Action SyncAction `json:"action"`
	// Reason says why nothing is done, or what is in the way.
	Reason string   `json:"reason,omitempty"`
	Kind   sdk.Kind `json:"kind,omitempty"` // of a conflict or failure
	// Due is set when the sign-in or the ledger asks for it: without, it happens when the
	// user or the target changes, or somebody retries the account.
	Due        bool              `json:"due"`
	ExternalID string            `json:"external_id,omitempty"`
	Gone       bool              `json:"gone,omitempty"` // the linked account is not there any more
	Changes    []AttributeChange `json:"changes,omitempty"`
	Reactivate bool              `json:"reactivate,omitempty"`
	Groups     *GroupChange      `json:"groups,omitempty"` // nil if they are left alone
	Calls      []Call            `json:"calls"`            // what the target was asked
}

// AttributeChange is one attribute that would be sent. The values are there only when
// asked for.
type AttributeChange struct {
	Attribute string `json:"attribute"`
	Remove    bool   `json:"remove,omitempty"`
	Read      bool   `json:"read"` // the target said what it has
	Has       any    `json:"has,omitempty"`
	Gets      any    `json:"gets,omitempty"`
	WouldBe   bool   `json:"would_be,omitempty"` // the new value is made with the account, and reserved for nobody
	Hidden    bool   `json:"hidden,omitempty"`   // the connector calls values of the attribute secret
}

// GroupChange says which groups of the target the account would be put into. What it
// is in cannot be read: no verb tells.
type GroupChange struct {
	Count int      `json:"count"`
	Names []string `json:"names,omitempty"` // only when values are asked for
}

// account adds the mapped attributes and, if the target is to be read, what would be
// done to it.
func (c *simulation) account(ctx context.Context, s Standing, out *SimulatedBinding) error {
	var err error
	if out.Account, err = c.known(ctx, out.Target); err != nil {
		return err
	}
	r, err := c.engine.opened(ctx, out.Target)
	if err != nil {
		failure, ours := failureOf(err)
		if ours != nil {
			return ours
		}
		out.MappingError = failure.Error()
		if c.Compare {
			out.Sync = &Sync{Action: SyncFail, Kind: failure.Kind, Reason: failure.Message, Calls: []Call{}}
		}
		return nil
	}
	p := &prospect{simulation: c, run: r, standing: s}
	p.prepare(out)
	if out.Mapping, err = r.preview(ctx); err != nil {
		return err
	}
	for i := range out.Mapping {
		if !c.ShowValues {
			out.Mapping[i].Value = nil
		}
	}
	if !c.Compare {
		return nil
	}
	out.Sync = &p.Sync
	return p.look(ctx)
}

// prepare makes the run what it would be once the gate's work is in the ledger.
func (p *prospect) prepare(out *SimulatedBinding) {
	wanted := out.Work == string(workWant) || out.Work == string(workAgain)
	r := p.run
	r.conn, r.held, r.desired = reading(r.conn), &held{lease: DefaultLease, until: p.now.Add(time.Hour)}, DesiredPresent
	r.account = Account{User: p.person.ID, Target: out.Target}
	if out.Account != nil {
		r.account = *out.Account
		if !wanted {
			r.desired = r.account.Desired
		}
	}
	r.lease.Account, r.person = r.account, p.person.mapped()
	p.Due = wanted || r.account.AppliedRev < r.account.DesiredRev
}

// failureOf tells what a target or its connector did wrong from an error of our own.
func failureOf(err error) (failure *sdk.Error, ours error) {
	if errors.As(err, &failure) {
		return failure, nil
	}
	return nil, err
}

// prospect is the run of the engine that would follow, as far as it only reads.
type prospect struct {
	Sync
	*simulation
	run      *run
	standing Standing
}

func (p *prospect) look(ctx context.Context) error {
	p.Calls = []Call{}
	err := p.decide(ctx)
	if p.run.attempt != nil {
		p.Calls = p.run.attempt.Calls
	}
	p.ExternalID = p.run.account.ExternalID
	if err == nil {
		return nil
	}
	failure, ours := failureOf(err)
	if ours != nil {
		return ours
	}
	p.Action, p.Kind, p.Reason = SyncFail, failure.Kind, failureText(failure)
	if failure.Kind == sdk.KindConflict || failure.Kind == sdk.KindAmbiguous {
		p.Action = SyncConflict
	}
	return nil
}

func failureText(e *sdk.Error) string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// decide is the engine's work up to its first call that changes something.
func (p *prospect) decide(ctx context.Context) error {
	r := p.run
	if r.desired == DesiredPresent && !p.person.Active {
		r.desired = DesiredSuspended
	}
	if r.desired != DesiredPresent {
		return p.leave(ctx)
	}
	switch rule := p.standing.lenient().rule(); {
	case rule == RuleError && p.standing.Binding.OnRuleError != RuleSkip:
		return &sdk.Error{Kind: kindRules, Effect: sdk.EffectNone, Message: "rules give no decision"}
	case rule == RuleDeny || rule == RuleError:
		p.Action, p.Reason = SyncSkip, "rules do not permit the account"
		return nil
	}
	if err := r.mapped(p.person); err != nil {
		return err
	}
	linked := r.account.ExternalID
	found, err := r.find(ctx)
	p.Gone = linked != "" && r.account.ExternalID != linked
	switch {
	case err != nil:
		return err
	case found == nil:
		return p.create(ctx, linked)
	}
	p.align(*found, linked)
	return nil
}

// leave is for an account that is to be suspended or absent.
func (p *prospect) leave(ctx context.Context) error {
	r := p.run
	if r.desired == DesiredSuspended {
		if err := r.mapped(p.person); err != nil {
			return err
		}
	} else {
		r.wanted = r.ownerOnly()
		r.keyed = r.wanted
	}
	found, err := r.existing(ctx)
	switch {
	case err != nil:
		return err
	case found == nil, r.desired == DesiredSuspended && found.Active != nil && !*found.Active:
		p.Action, p.Reason = SyncNothing, "no active account is there"
	case r.desired == DesiredSuspended:
		p.Action, p.Reason = SyncSuspend, "the account is not to be active"
	default:
		p.Action, p.Reason = SyncEnd, "the user is to have no account"
	}
	return nil
}

func (p *prospect) create(ctx context.Context, linked string) error {
	r := p.run
	values, err := r.initial()
	if err != nil {
		return err
	}
	reserved, err := r.reserved(ctx)
	if err != nil {
		return err
	}
	reserved = maps.Clone(reserved)
	found, err := r.name(ctx, values)
	switch {
	case err != nil:
		return err
	case found != nil:
		if err := r.adopt(ctx, *found); err != nil {
			return err
		}
		p.align(*found, linked)
		return nil
	}
	p.Action = SyncCreate
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p.change(AttributeChange{Attribute: name, WouldBe: p.made(name) && reserved[name] == ""}, nil, values[name])
	}
	if len(r.groups) > 0 {
		p.regroup()
	}
	return nil
}

// align compares the account with what is wanted.
func (p *prospect) align(found sdk.Account, linked string) {
	r := p.run
	set, remove := r.diff(found)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		_, read := found.Attributes[name]
		p.change(AttributeChange{Attribute: name, Read: read}, found.Attributes[name], set[name])
	}
	for _, name := range remove {
		_, read := found.Attributes[name]
		p.change(AttributeChange{Attribute: name, Remove: true, Read: read}, found.Attributes[name], nil)
	}
	p.Reactivate = r.inactive(found)
	if r.target.Groups != nil && r.account.Sent[groupsDigest] != r.digests[groupsDigest] {
		p.regroup()
	}
	switch {
	case r.account.ExternalID != linked:
		p.Action = SyncAdopt
	case len(p.Changes) > 0 || p.Reactivate || p.Groups != nil:
		p.Action = SyncUpdate
	default:
		p.Action, p.Reason = SyncNothing, "the account is as it should be"
	}
}

// made reports whether the attribute's value is made with the account.
func (p *prospect) made(attribute string) bool {
	return slices.ContainsFunc(p.run.mapping.Kept(), func(k mapping.Kept) bool { return k.Attribute.Name == attribute })
}

func (p *prospect) change(a AttributeChange, has, gets any) {
	a.Hidden = slices.ContainsFunc(p.run.conn.Description.Attributes, func(d sdk.Attribute) bool { return d.Name == a.Attribute && d.Secret })
	if p.ShowValues && !a.Hidden {
		a.Has, a.Gets = has, gets
	}
	p.Changes = append(p.Changes, a)
}

func (p *prospect) regroup() {
	p.Groups = &GroupChange{Count: len(p.run.groups)}
	if p.ShowValues {
		p.Groups.Names = p.run.groups
	}
}
