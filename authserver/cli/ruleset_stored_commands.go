package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

// ruleSetView is a revision of a rule set.
type ruleSetView struct {
	Name            string    `json:"name"`
	Revision        int64     `json:"revision"`
	Current         bool      `json:"current"`
	Language        string    `json:"language"`
	Digest          string    `json:"digest"` // of all that it is compiled from
	CreatedAt       time.Time `json:"created_at"`
	DefaultDecision string    `json:"default_decision,omitempty"` // of XACML, as the next three
	Timezone        string    `json:"timezone,omitempty"`
	Compat          string    `json:"compat,omitempty"`
	Policies        []string  `json:"policies,omitempty"`
	Source          string    `json:"source,omitempty"` // only of one
	UsedBy          []usage   `json:"used_by,omitempty"`
}

// usage is a binding that names a rule set.
type usage struct {
	Application provisioning.ClientID   `json:"application"`
	Target      provisioning.TargetName `json:"target"`
	EnableRules bool                    `json:"enable_rules"` // otherwise it is not asked
}

// String says it for a person.
func (u usage) String() string {
	text := fmt.Sprintf("%s to %s", u.Application, u.Target)
	if !u.EnableRules {
		text += " (enable_rules is off)"
	}
	return text
}

// viewHead leaves out the texts, which may be long.
func viewHead(s provisioning.StoredRuleSet) ruleSetView {
	v := ruleSetView{
		Name: s.Name, Revision: s.Revision, Language: string(s.Language), Digest: s.Digest(), CreatedAt: s.CreatedAt.UTC(),
		DefaultDecision: string(s.DefaultDecision), Timezone: s.Timezone,
	}
	if s.WSO2 {
		v.Compat = "wso2"
	}
	return v
}

// usages returns the bindings that name each rule set.
func usages(ctx context.Context, s *daemon.System) (map[string][]usage, error) {
	bindings, err := s.Bindings.List(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]usage{}
	for _, b := range bindings {
		for _, name := range b.RuleSets {
			out[name] = append(out[name], usage{b.Client, b.Target, b.EnableRules})
		}
	}
	return out, nil
}

func joined(all []usage) string {
	words := make([]string, len(all))
	for i, u := range all {
		words[i] = u.String()
	}
	return strings.Join(words, ", ")
}

type rulesetListCommand struct{}

// Run lists the current revisions.
func (rulesetListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		sets, err := s.RuleSets.List(ctx)
		if err != nil {
			return err
		}
		used, err := usages(ctx, s)
		if err != nil {
			return err
		}
		views := list(sets, func(set provisioning.StoredRuleSet) ruleSetView {
			v := viewHead(set)
			v.Current, v.UsedBy = true, used[set.Name]
			return v
		})
		return r.print(views, func(w io.Writer) {
			row(w, "NAME", "LANGUAGE", "REVISION", "SINCE", "ASKED BY")
			for _, v := range views {
				row(w, v.Name, v.Language, v.Revision, when(v.CreatedAt), dash(joined(v.UsedBy)))
			}
		})
	})
}

type rulesetShowCommand struct {
	Name     string `arg:"" help:"Name of the rule set."`
	Revision int64  `help:"An earlier revision." placeholder:"N"`
}

// Run shows a revision with its text.
func (c rulesetShowCommand) Run(r *run) error {
	if c.Revision < 0 {
		return fmt.Errorf("%w: --revision counts from 1", errUsage)
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		set, err := s.RuleSets.Get(ctx, c.Name, c.Revision)
		if err != nil {
			return about(c.what(), err)
		}
		current, err := currentRevision(ctx, s, c.Name)
		if err != nil {
			return err
		}
		used, err := usages(ctx, s)
		if err != nil {
			return err
		}
		v := viewHead(set)
		v.Current, v.Policies, v.Source = set.Revision == current, set.Policies, set.Source
		if v.Current {
			v.UsedBy = used[c.Name]
		}
		return r.printText(v, func(w io.Writer) error { return printRuleSet(w, v) })
	})
}

func (c rulesetShowCommand) what() string {
	if c.Revision == 0 {
		return fmt.Sprintf("rule set %q", c.Name)
	}
	return fmt.Sprintf("rule set %q, revision %d", c.Name, c.Revision)
}

// currentRevision returns 0 for a rule set that was deleted.
func currentRevision(ctx context.Context, s *daemon.System, name string) (int64, error) {
	heads, err := s.RuleSets.Current(ctx, []string{name})
	return heads[name].Revision, err
}

func printRuleSet(w io.Writer, v ruleSetView) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row(t, "name:", v.Name)
	row(t, "language:", v.Language)
	row(t, "revision:", v.Revision, map[bool]string{false: "(not the current one)"}[v.Current])
	row(t, "since:", when(v.CreatedAt))
	for _, field := range [][2]string{{"default_decision:", v.DefaultDecision}, {"timezone:", v.Timezone}, {"compat:", v.Compat}} {
		if field[1] != "" {
			row(t, field[0], field[1])
		}
	}
	for _, u := range v.UsedBy {
		row(t, "asked by:", u)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, text := range append([]string{v.Source}, v.Policies...) {
		heading := "source:"
		if i > 0 {
			heading = fmt.Sprintf("policies[%d]:", i-1)
		}
		if _, err := fmt.Fprintf(w, "%s\n%s\n", heading, strings.TrimRight(strings.Map(printableText, text), "\n")); err != nil {
			return err
		}
	}
	return nil
}

// printableText keeps lines as they are, and anything else that moves the cursor
// away.
func printableText(r rune) rune {
	if r == '\n' || r == '\t' {
		return r
	}
	return printable(r)
}

type rulesetHistoryCommand struct {
	Name string `arg:"" help:"Name of the rule set."`
}

// Run lists the revisions, the latest first.
func (c rulesetHistoryCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		revisions, err := s.RuleSets.History(ctx, c.Name)
		if err == nil && len(revisions) == 0 {
			err = provisioning.ErrRuleSetNotFound
		}
		if err != nil {
			return about(fmt.Sprintf("rule set %q", c.Name), err)
		}
		current, err := currentRevision(ctx, s, c.Name)
		if err != nil {
			return err
		}
		views := list(revisions, viewHead)
		if i := slices.IndexFunc(views, func(v ruleSetView) bool { return v.Revision == current }); i >= 0 {
			views[i].Current = true
		}
		return r.print(views, func(w io.Writer) {
			row(w, "REVISION", "SINCE", "LANGUAGE", "DIGEST", "CURRENT")
			for _, v := range views {
				row(w, v.Revision, when(v.CreatedAt), v.Language, v.Digest[:12], yes(v.Current))
			}
		})
	})
}

type rulesetDeleteCommand struct {
	Name string `arg:"" help:"Name of the rule set."`
}

// Run deletes a rule set that nobody asks.
func (c rulesetDeleteCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		what := fmt.Sprintf("rule set %q", c.Name)
		err := acts(ctx, s, "rule_set.delete", named("rule_set", c.Name), func(ctx context.Context) error { return s.RuleSets.Delete(ctx, c.Name) })
		if errors.Is(err, provisioning.ErrRuleSetInUse) {
			used, errUsed := usages(ctx, s)
			return errors.Join(fmt.Errorf("%s: %w: it is named by the bindings of %s", what, provisioning.ErrRuleSetInUse, joined(used[c.Name])), errUsed)
		}
		if err != nil {
			return about(what, err)
		}
		return r.did(done{Object: "rule_set", Name: c.Name, Result: "deleted"}, "%s is deleted; its revisions are kept", c.Name)
	})
}
