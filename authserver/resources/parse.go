package resources

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Problem is one thing wrong with a document.
type Problem struct {
	Path string // such as "applications[0].outbound_provisioning[1].target"
	Text string
}

// String returns "path: text".
func (p Problem) String() string { return p.Path + ": " + p.Text }

// Problems is every problem at once, as an error.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return "resources:\n  " + strings.Join(lines, "\n  ")
}

func (p *Problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{path, fmt.Sprintf(format, args...)})
}

// Parse decodes a document strictly. An unknown key or a value of the wrong type
// is an error with its line and column; see [Document.Check] for the rest.
func Parse(raw []byte) (Document, error) {
	var doc Document
	if len(bytes.TrimSpace(raw)) == 0 {
		return doc, nil
	}
	if err := yaml.UnmarshalWithOptions(raw, &doc, yaml.Strict()); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return Document{}, fmt.Errorf("resources: %s", line)
	}
	takeRules(raw, doc.RuleSets)
	return doc, nil
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Check reports every problem the document shows by itself, each with its path.
func (d Document) Check() Problems {
	var p Problems
	unique[Target]{&p, "targets", "name", func(t Target) string { return t.Name }}.check(d.Targets)
	unique[Application]{&p, "applications", "client_id", func(a Application) string { return a.ClientID }}.check(d.Applications)
	unique[RuleSet]{&p, "rule_sets", "name", func(s RuleSet) string { return s.Name }}.check(d.RuleSets)
	unique[User]{&p, "users", "login", func(u User) string { return u.Login }}.check(d.Users)
	for i, t := range d.Targets {
		t.check(fmt.Sprintf("targets[%d].", i), &p)
	}
	for i, a := range d.Applications {
		a.check(fmt.Sprintf("applications[%d].", i), &p)
	}
	if d.DefaultBindings != nil {
		checkBindings("default_bindings", *d.DefaultBindings, &p)
	}
	for i, s := range d.RuleSets {
		s.check(fmt.Sprintf("rule_sets[%d].", i), &p)
	}
	unique[Upstream]{&p, "upstreams", "name", func(u Upstream) string { return u.Name }}.check(d.Upstreams)
	for i, u := range d.Upstreams {
		u.check(fmt.Sprintf("upstreams[%d].", i), &p)
	}
	unique[resourceserver.Server]{&p, "resource_servers", "identifier", func(s resourceserver.Server) string { return s.Identifier }}.check(d.ResourceServers)
	for i, u := range d.Users {
		checkRef(fmt.Sprintf("users[%d].password", i), u.Password, &p)
	}
	if len(d.Groups) > 0 {
		p.add("groups", "not supported by this version; leave it out")
	}
	return p
}

// unique checks that each element has a name and that no two share it.
type unique[T any] struct {
	problems  *Problems
	list, key string
	name      func(T) string
}

func (u unique[T]) check(elements []T) {
	seen := map[string]bool{}
	for i, e := range elements {
		path := fmt.Sprintf("%s[%d].%s", u.list, i, u.key)
		switch name := u.name(e); {
		case name == "":
			u.problems.add(path, "required")
		case seen[name]:
			u.problems.add(path, "%q is listed twice", name)
		default:
			seen[name] = true
		}
	}
}

// checkName leaves an empty name to unique.
func checkName(path, name string, p *Problems) {
	if name != "" && !namePattern.MatchString(name) {
		p.add(path, "must be lower-case letters, digits, dots, dashes and underscores, 63 at most")
	}
}

func (t Target) check(path string, p *Problems) {
	checkName(path+"name", t.Name, p)
	if t.Connector == "" {
		p.add(path+"connector", "required")
	}
	oneOf(p, path+"adopt", t.Adopt, provisioning.AdoptNever, provisioning.AdoptIfUnclaimed, provisioning.AdoptAlways)
	oneOf(p, path+"on_user_delete", t.OnUserDelete, provisioning.DeleteSuspend, provisioning.DeleteDelete)
	checkReconcile(path+"reconcile_every", t.ReconcileEvery, p)
	t.checkLimits(path, p)
	for name, ref := range t.Secrets {
		checkRef(path+"secrets."+name, &ref, p)
	}
	t.checkGroups(path+"groups", p)
	t.checkMapping(path+"mapping", p)
}

// checkGroups takes an empty map for a mistake: it would take every account out of
// every group.
func (t Target) checkGroups(path string, p *Problems) {
	if t.Groups != nil && len(t.Groups) == 0 {
		p.add(path, "map at least one group, or leave it out")
	}
	for _, name := range slices.Sorted(maps.Keys(t.Groups)) {
		if name == "" || len(t.Groups[name]) == 0 || slices.Contains(t.Groups[name], "") {
			p.add(path+"."+name, "map a group to one or more names of groups of the target")
		}
	}
}

func (a Application) check(path string, p *Problems) {
	checkRef(path+"secret", a.Secret, p)
	if a.Outbound != nil {
		checkBindings(path+"outbound_provisioning", *a.Outbound, p)
	}
}

func checkBindings(path string, bindings []Binding, p *Problems) {
	seen := map[string]bool{}
	for i, b := range bindings {
		at := fmt.Sprintf("%s[%d].", path, i)
		if b.Target == "" {
			p.add(at+"target", "required")
		} else if seen[b.Target] {
			p.add(at+"target", "%q is bound twice", b.Target)
		}
		seen[b.Target] = true
		b.check(at, p)
	}
}

const (
	minTimeout = time.Second
	maxTimeout = time.Minute
)

// CheckTimeout says what is wrong with the time a binding lets a sign-in wait.
func CheckTimeout(d time.Duration) error {
	if d < minTimeout || d > maxTimeout {
		return fmt.Errorf("must be a duration from %s to %.0fs", minTimeout, maxTimeout.Seconds())
	}
	return nil
}

func (b Binding) check(path string, p *Problems) {
	if b.Timeout != "" {
		d, _ := time.ParseDuration(b.Timeout) // 0 after an error, which is out of range
		if err := CheckTimeout(d); err != nil {
			p.add(path+"timeout", "%v", err)
		}
	}
	oneOf(p, path+"on_create_failure", b.OnCreateFailure, provisioning.FailureDeny, provisioning.FailureAllow)
	oneOf(p, path+"on_update_failure", b.OnUpdateFailure, provisioning.FailureDeny, provisioning.FailureAllow)
	oneOf(p, path+"on_rule_deny", b.OnRuleDeny, provisioning.RuleSkip, provisioning.RuleRefuse)
	oneOf(p, path+"on_rule_error", b.OnRuleError, provisioning.RuleRefuse, provisioning.RuleSkip)
	oneOf(p, path+"on_loss", b.OnLoss, provisioning.LossKeep, provisioning.LossSuspend, provisioning.LossDelete)
	oneOf(p, path+"on_refresh", b.OnRefresh, provisioning.RefreshCheck, provisioning.RefreshEnsure, provisioning.RefreshSkip)
	b.checkRules(path, p)
}

// oneOf accepts an empty value: it takes the default.
func oneOf[T ~string](p *Problems, path, value string, allowed ...T) {
	if value == "" {
		return
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		if value == string(a) {
			return
		}
		words[i] = string(a)
	}
	p.add(path, "%q is not one of %s", value, strings.Join(words, ", "))
}

func checkRef(path string, ref *SecretRef, p *Problems) {
	if ref == nil {
		return
	}
	given := 0
	for _, set := range []bool{ref.Env != "", ref.File != "", ref.Stored} {
		if set {
			given++
		}
	}
	if given != 1 {
		p.add(path, "give exactly one of env, file or stored")
	}
}

// IsProblems reports whether the document's content is at fault, and how.
func IsProblems(err error) (Problems, bool) { return errors.AsType[Problems](err) }
