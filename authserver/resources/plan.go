package resources

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Plan is what applying a document would do.
type Plan struct {
	Changes []Change
	// Generated are client secrets made because the document gave none, by
	// client_id. They are shown once.
	Generated map[string]sdk.Secret
	// Warnings are what deserves a second thought.
	Warnings Problems

	steps []func(ctx context.Context, b *Backend) error
}

// planner builds a plan; state is what is there now.
type planner struct {
	backend  *Backend
	state    state
	plan     Plan
	problems Problems
}

// state is everything that is there, by name.
type state struct {
	targets      map[string]provisioning.Target
	applications map[string]application.Application
	bindings     map[string][]provisioning.Binding
	ruleSets     map[string]provisioning.StoredRuleSet
	upstreams    map[string]federation.Upstream

	resourceServers map[string]resourceserver.Server
}

// Plan compares the document with what is there. The error is [Problems] when
// the document is at fault; then nothing may be applied.
func (b *Backend) Plan(ctx context.Context, doc Document) (Plan, error) {
	if problems := doc.Check(); len(problems) > 0 {
		return Plan{}, problems
	}
	current, err := b.state(ctx)
	if err != nil {
		return Plan{}, err
	}
	p := &planner{backend: b, state: current, plan: Plan{Generated: map[string]sdk.Secret{}}}
	if err := p.targets(ctx, doc.Targets); err != nil {
		return Plan{}, err
	}
	p.ruleSets(doc)
	for i, a := range doc.Applications {
		if err := p.application(ctx, fmt.Sprintf("applications[%d].", i), a); err != nil {
			return Plan{}, err
		}
	}
	p.defaults(doc.DefaultBindings)
	p.upstreams(doc.Upstreams)
	p.resourceServers(doc)
	for i, u := range doc.Users {
		if err := p.user(ctx, fmt.Sprintf("users[%d].", i), u); err != nil {
			return Plan{}, err
		}
	}
	if len(p.problems) > 0 {
		return Plan{}, p.problems
	}
	return p.plan, nil
}

// Apply carries the plan out, whole or not at all, with a record of who changed what.
func (b *Backend) Apply(ctx context.Context, plan Plan) error {
	return b.InTx(ctx, func(ctx context.Context) error {
		for i, step := range plan.steps {
			err := step(ctx, b)
			if err == nil {
				err = b.Audit.Note(ctx, plan.Changes[i].act())
			}
			if err != nil {
				return fmt.Errorf("apply %s %s: %w", plan.Changes[i].Kind, plan.Changes[i].Name, err)
			}
		}
		return nil
	})
}

func (b *Backend) state(ctx context.Context) (state, error) {
	s := state{map[string]provisioning.Target{}, map[string]application.Application{}, map[string][]provisioning.Binding{}, map[string]provisioning.StoredRuleSet{}, map[string]federation.Upstream{}, map[string]resourceserver.Server{}}
	targets, errTargets := b.Targets.List(ctx)
	applications, errApplications := b.allApplications(ctx)
	bindings, errBindings := b.Bindings.List(ctx)
	ruleSets, errRuleSets := b.RuleSets.List(ctx)
	upstreams, errUpstreams := b.Upstreams.List(ctx)
	resourceServers, errResourceServers := b.ResourceServers.List(ctx)
	if err := errors.Join(errTargets, errApplications, errBindings, errRuleSets, errUpstreams, errResourceServers); err != nil {
		return s, fmt.Errorf("read resources: %w", err)
	}
	for _, t := range targets {
		s.targets[string(t.Name)] = t
	}
	for _, a := range applications {
		s.applications[string(a.ClientID)] = a
	}
	for _, binding := range bindings {
		s.bindings[string(binding.Client)] = append(s.bindings[string(binding.Client)], binding)
	}
	for _, set := range ruleSets {
		s.ruleSets[set.Name] = set
	}
	for _, u := range upstreams {
		s.upstreams[u.Name] = u
	}
	for _, r := range resourceServers {
		s.resourceServers[r.Identifier] = r
	}
	return s, nil
}

const pageSize = 200

func (b *Backend) allApplications(ctx context.Context) ([]application.Application, error) {
	var all []application.Application
	for after := provisioning.ClientID(""); ; {
		page, err := b.Applications.List(ctx, after, pageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
		after = page[len(page)-1].ClientID
	}
}

// add notes a change with the step that carries it out; nil is no change.
func (p *planner) add(c *Change, step func(ctx context.Context, b *Backend) error) {
	if c == nil {
		return
	}
	p.plan.Changes = append(p.plan.Changes, *c)
	p.plan.steps = append(p.plan.steps, step)
}
