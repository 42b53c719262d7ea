package resources

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func (p *planner) targets(ctx context.Context, targets []Target) error {
	for i, t := range targets {
		if err := p.target(ctx, fmt.Sprintf("targets[%d].", i), t); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) target(ctx context.Context, path string, t Target) error {
	current, known := p.state.targets[t.Name]
	wanted, err := t.target(p.secrets(path, t, current))
	if err != nil {
		return fmt.Errorf("target %s: %w", t.Name, err)
	}
	if t.Maintenance == nil {
		wanted.Maintenance = current.Maintenance
	}
	p.backend.checkTarget(ctx, path, wanted, &p.problems)
	c, err := compareTargets(current, known, wanted)
	if err != nil {
		return err
	}
	p.add(c, func(ctx context.Context, b *Backend) error { return b.Targets.Put(ctx, wanted) })
	p.state.targets[t.Name] = wanted
	return nil
}

// secrets resolves the target's references. "stored" takes what is there.
func (p *planner) secrets(path string, t Target, current provisioning.Target) map[string]sdk.Secret {
	out := map[string]sdk.Secret{}
	for _, name := range slices.Sorted(maps.Keys(t.Secrets)) {
		at := path + "secrets." + name
		if secret, ok := p.backend.resolve(at, t.Secrets[name], &p.problems); ok {
			out[name] = secret
		} else if secret, ok := current.Secrets[name]; ok && t.Secrets[name].Stored {
			out[name] = secret
		} else if t.Secrets[name].Stored {
			p.problems.add(at+".stored", "nothing is stored under this name")
		}
	}
	return out
}

func compareTargets(current provisioning.Target, known bool, wanted provisioning.Target) (*Change, error) {
	desired, err := exportTarget(wanted)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", wanted.Name, err)
	}
	var old any
	if known {
		if old, err = exportTarget(current); err != nil {
			return nil, fmt.Errorf("target %s: %w", current.Name, err)
		}
	}
	c := compare("target", string(wanted.Name), old, desired)
	changed := changedSecrets(current.Secrets, wanted.Secrets)
	if c == nil && len(changed) > 0 {
		c = &Change{Action: ActionUpdate, Kind: "target", Name: string(wanted.Name)}
	}
	if c != nil {
		c.Fields = append(withoutSecrets(c.Fields), changed...)
	}
	return c, nil
}

// changedSecrets compares values and shows none.
func changedSecrets(old, wanted map[string]sdk.Secret) []FieldChange {
	names := maps.Clone(wanted)
	if names == nil {
		names = map[string]sdk.Secret{}
	}
	maps.Copy(names, old)
	var out []FieldChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, had := old[name]
		after, has := wanted[name]
		if had && has && before == after {
			continue
		}
		f := FieldChange{Path: "secrets." + name}
		if had {
			f.Old = before.String()
		}
		if has {
			f.New = after.String() + " (set)"
		}
		out = append(out, f)
	}
	return out
}

// withoutSecrets drops the "stored" markers that the export form carries.
func withoutSecrets(fields []FieldChange) []FieldChange {
	return slices.DeleteFunc(fields, func(f FieldChange) bool {
		return len(f.Path) > 8 && f.Path[:8] == "secrets."
	})
}
