package resources

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning"
)

// wantedBindings returns bindings as they shall be. Their targets and rule sets
// must be there or in the document.
func (p *planner) wantedBindings(path string, client provisioning.ClientID, list []Binding) []provisioning.Binding {
	out := make([]provisioning.Binding, 0, len(list))
	for i, b := range list {
		if _, ok := p.state.targets[b.Target]; !ok {
			p.problems.add(fmt.Sprintf("%s[%d].target", path, i), "there is no target %q", b.Target)
		}
		for j, name := range b.RuleSets {
			if _, ok := p.state.ruleSets[name]; !ok {
				p.problems.add(fmt.Sprintf("%s[%d].rule_sets[%d]", path, i, j), "there is no rule set %q", name)
			}
		}
		out = append(out, b.binding(client, i))
	}
	return out
}

func exportBindings(bindings []provisioning.Binding) *[]Binding {
	list := make([]Binding, len(bindings))
	for i, b := range bindings {
		list[i] = exportBinding(b)
	}
	return &list
}

// putBindings puts the wanted ones and removes the old ones that are not among
// them.
func (b *Backend) putBindings(ctx context.Context, old, wanted []provisioning.Binding) error {
	keep := map[provisioning.TargetName]bool{}
	for _, binding := range wanted {
		keep[binding.Target] = true
		if err := b.Bindings.Put(ctx, binding); err != nil {
			return err
		}
	}
	for _, binding := range old {
		if keep[binding.Target] {
			continue
		}
		if err := b.Bindings.Delete(ctx, binding.Client, binding.Target); err != nil {
			return err
		}
	}
	return nil
}

// defaults plans the bindings of users who belong to no application; nil leaves
// them as they are.
func (p *planner) defaults(list *[]Binding) {
	if list == nil {
		return
	}
	old := p.state.bindings[string(provisioning.DefaultClient)]
	wanted := p.wantedBindings("default_bindings", provisioning.DefaultClient, *list)
	form := func(bindings []provisioning.Binding) Document {
		return Document{DefaultBindings: exportBindings(bindings)}
	}
	c := compare("bindings", string(provisioning.DefaultClient), form(old), form(wanted))
	p.add(c, func(ctx context.Context, b *Backend) error { return b.putBindings(ctx, old, wanted) })
}
