package resources

import (
	"context"
	"fmt"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Names are what bindings may name.
type Names struct{ Targets, RuleSets []string }

// Names returns the names of all targets and rule sets, in order.
func (b *Backend) Names(ctx context.Context) (Names, error) {
	var n Names
	targets, err := b.Targets.List(ctx)
	if err != nil {
		return n, fmt.Errorf("list targets: %w", err)
	}
	sets, err := b.RuleSets.List(ctx)
	if err != nil {
		return n, fmt.Errorf("list rule sets: %w", err)
	}
	for _, t := range targets {
		n.Targets = append(n.Targets, string(t.Name))
	}
	for _, s := range sets {
		n.RuleSets = append(n.RuleSets, s.Name)
	}
	return n, nil
}

// ListApplications returns all applications with their bindings, by client_id.
func (b *Backend) ListApplications(ctx context.Context) ([]Application, error) {
	all, err := b.allApplications(ctx)
	if err != nil {
		return nil, fmt.Errorf("list applications: %w", err)
	}
	bindings, err := b.Bindings.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list bindings: %w", err)
	}
	of := map[provisioning.ClientID][]provisioning.Binding{}
	for _, binding := range bindings {
		of[binding.Client] = append(of[binding.Client], binding)
	}
	out := make([]Application, len(all))
	for i, a := range all {
		out[i] = withBindings(exportApplication(a), of[a.ClientID])
	}
	return out, nil
}

// Application returns an application with its bindings, or application.ErrNotFound.
func (b *Backend) Application(ctx context.Context, id provisioning.ClientID) (Application, error) {
	a, err := b.Applications.Get(ctx, id)
	if err != nil {
		return Application{}, err
	}
	bindings, err := b.Bindings.List(ctx)
	if err != nil {
		return Application{}, fmt.Errorf("list bindings: %w", err)
	}
	bindings = slices.DeleteFunc(bindings, func(binding provisioning.Binding) bool { return binding.Client != id })
	return withBindings(exportApplication(a), bindings), nil
}

// FromApplication returns the document of an application without bindings.
func FromApplication(a application.Application) Application { return exportApplication(a) }

// Explain says in one plain sentence what the binding's three options do together.
func (b Binding) Explain() string { return b.binding("", 0).Explain() }
