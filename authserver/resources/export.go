package resources

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Export returns everything that admins made as a document that [Backend.Plan]
// finds no change in. Secrets are marked as stored, passwords left out.
func (b *Backend) Export(ctx context.Context) (Document, error) {
	current, err := b.state(ctx)
	if err != nil {
		return Document{}, err
	}
	var doc Document
	for _, name := range slices.Sorted(maps.Keys(current.targets)) {
		t, err := exportTarget(current.targets[name])
		if err != nil {
			return Document{}, fmt.Errorf("export target %s: %w", name, err)
		}
		doc.Targets = append(doc.Targets, t)
	}
	for _, id := range slices.Sorted(maps.Keys(current.applications)) {
		if current.applications[id].SelfRegistered { // nobody's configuration
			continue
		}
		doc.Applications = append(doc.Applications, withBindings(exportApplication(current.applications[id]), current.bindings[id]))
	}
	if defaults := current.bindings[string(provisioning.DefaultClient)]; len(defaults) > 0 {
		doc.DefaultBindings = exportBindings(defaults)
	}
	for _, name := range slices.Sorted(maps.Keys(current.ruleSets)) {
		doc.RuleSets = append(doc.RuleSets, exportRuleSet(current.ruleSets[name].RuleSet))
	}
	for _, name := range slices.Sorted(maps.Keys(current.upstreams)) {
		doc.Upstreams = append(doc.Upstreams, exportUpstream(current.upstreams[name]))
	}
	for _, id := range slices.Sorted(maps.Keys(current.resourceServers)) {
		doc.ResourceServers = append(doc.ResourceServers, current.resourceServers[id])
	}
	doc.Users, err = b.exportUsers(ctx)
	return doc, err
}

func (b *Backend) exportUsers(ctx context.Context) ([]User, error) {
	var out []User
	for after := provisioning.UserID(""); ; {
		page, err := b.Users.List(ctx, user.Query{After: after, Limit: pageSize})
		if err != nil {
			return nil, fmt.Errorf("export users: %w", err)
		}
		for _, u := range page {
			out = append(out, exportUser(u))
		}
		if len(page) < pageSize {
			return out, nil
		}
		after = page[len(page)-1].ID
	}
}

// YAML returns the document as a resources file. Texts of several lines are
// blocks; if one would not come back as it is, everything is written as JSON.
func (d Document) YAML() ([]byte, error) {
	raw, err := yaml.MarshalWithOptions(d, yaml.UseLiteralStyleIfMultiline(true))
	if err == nil && !d.sameTexts(raw) {
		raw, err = yaml.MarshalWithOptions(d, yaml.JSON())
	}
	if err != nil {
		return nil, fmt.Errorf("write resources: %w", err)
	}
	return raw, nil
}

// sameTexts reports whether the rule sets come back as they are: a block has no
// place for a blank at the end of a line, say.
func (d Document) sameTexts(raw []byte) bool {
	back, err := Parse(raw)
	return err == nil && reflect.DeepEqual(back.RuleSets, d.RuleSets)
}
