package xacml

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// FindingKind is what a finding is about.
type FindingKind string

// The kinds of findings.
const (
	FindingPlaceholder      FindingKind = "placeholder"       // a template was not filled in
	FindingUnknownApp       FindingKind = "unknown_app"       // no application has that name
	FindingUnknownTarget    FindingKind = "unknown_target"    // no target has that name
	FindingUnknownAttribute FindingKind = "unknown_attribute" // never has a value here
	FindingUnreachable      FindingKind = "unreachable"       // a Permit that cannot come about
	FindingOperation        FindingKind = "operation"         // for operations that rules are not asked about
	FindingObligation       FindingKind = "obligation"        // a Permit obliges to something
	FindingNotApplicable    FindingKind = "not_applicable"    // the default decision decides what is left
)

// Finding is something that an admin should look at before a policy counts. None
// makes a policy wrong.
type Finding struct {
	Kind   FindingKind
	Source string // which document
	Line   int    // from 1
	Column int    // in bytes, from 1
	Text   string
}

// Known is what a policy may name.
type Known struct {
	Apps    []string // names of applications
	Targets []string // names of targets
}

// Lint returns what is odd about the policy, in the order of the source.
func (s *Set) Lint(k Known) []Finding {
	l := &linter{known: k, seen: map[any]bool{}, deciding: map[*policy]bool{}, placeholder: regexp.MustCompile(placeholders)}
	l.policy(s.root, "")
	if !l.decides(s.root) {
		l.find(FindingNotApplicable, s.root.place, "there are users to whom the policy does not apply: for them the rule set's default decision counts, which is deny unless it is set; WSO2 does not provision them, either")
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(l.findings)
}

// placeholders are the words that WSO2's templates have for names and values.
const placeholders = `^(Internal/)?(SP_NAME|IDP_NAME|TENANT_DOMAIN|(ROLE|GROUP|SCOPE|USERSTORE|CLAIM_URI|CLAIM_VALUE)_[0-9]+)$`

// linter walks a policy, each part once.
type linter struct {
	known       Known
	seen        map[any]bool
	deciding    map[*policy]bool // whether policies always apply
	placeholder *regexp.Regexp
	findings    []Finding
}

func (l *linter) find(k FindingKind, at place, format string, args ...any) {
	l.findings = append(l.findings, Finding{k, at.source, at.line, at.column, fmt.Sprintf(format, args...)})
}

// policy walks a policy. Blocked says why a Permit in it cannot come about, "" if
// it can.
func (l *linter) policy(p *policy, blocked string) {
	if l.seen[p] {
		return
	}
	l.seen[p] = true
	l.target(p.target, p.place)
	l.duties(&p.duties, p.place)
	if l.denies(p) && blocked == "" {
		blocked = "a rule without a target and a condition denies, and Deny wins in its policy"
	}
	for _, n := range p.children {
		switch n := n.(type) {
		case *policy:
			l.policy(n, blocked)
		case *rule:
			l.rule(n, blocked)
			if always(n) && p.algorithm == rules.FirstApplicable && blocked == "" {
				blocked = fmt.Sprintf("rule %s comes before it and applies to everything", n.id)
			}
		}
	}
}

// denies reports whether a policy denies whatever else is in it.
func (l *linter) denies(p *policy) bool {
	switch p.algorithm {
	case rules.DenyOverrides, rules.LegacyDenyOverrides, rules.PermitUnlessDeny:
		return slices.ContainsFunc(p.children, func(n node) bool {
			r, ok := n.(*rule)
			return ok && r.effect == rules.Deny && always(r)
		})
	default:
		return false
	}
}

// always reports whether a rule applies to everything.
func always(r *rule) bool {
	c, isConstant := r.condition.(constant)
	return len(r.target) == 0 && (r.condition == nil || isConstant && c.val.value.bool())
}

// decides reports whether a rule or a policy always applies. False may be wrong.
// A policy may be referred to very often, so it is looked at once.
func (l *linter) decides(n node) bool {
	p, ok := n.(*policy)
	if !ok {
		return always(n.(*rule))
	}
	known, ok := l.deciding[p]
	if !ok {
		known = len(p.target) == 0 && l.covers(p)
		l.deciding[p] = known
	}
	return known
}

// covers reports whether what a policy combines always decides.
func (l *linter) covers(p *policy) bool {
	switch p.algorithm {
	case rules.DenyUnlessPermit, rules.PermitUnlessDeny:
		return true
	case rules.OnlyOneApplicable:
		return false
	default:
		return slices.ContainsFunc(p.children, l.decides)
	}
}

func (l *linter) rule(r *rule, blocked string) {
	l.target(r.target, r.place)
	l.duties(&r.duties, r.place)
	if r.condition != nil {
		l.expression(r.condition)
	}
	if c, ok := r.condition.(constant); ok && !c.val.value.bool() {
		blocked = "its condition is never true"
	}
	if blocked != "" && r.effect == rules.Permit {
		l.find(FindingUnreachable, r.place, "rule %s never permits: %s", r.id, blocked)
	}
}

func (l *linter) target(t target, at place) {
	for _, group := range t {
		var foreign []string
		for _, all := range group {
			if name := l.allOf(all); name != "" {
				foreign = append(foreign, name)
			}
		}
		if len(foreign) == len(group) {
			l.find(FindingOperation, at, "this applies to %s alone: rules are asked about POST and PUT, and what is taken away from an account needs no leave", strings.Join(foreign, ", "))
		}
	}
}

// allOf walks matches and returns the operation they want if it is none of ours.
func (l *linter) allOf(all allOf) (foreign string) {
	for _, m := range all {
		l.literal(m.literal, m.place)
		l.expression(m.from)
		if m.fn.equality {
			l.named(m.from, m.literal, m.place)
		}
		op := m.literal.str
		if m.fn.equality && m.from.attribute.ID == attributeCall && op != "POST" && op != "PUT" {
			foreign = op
		}
	}
	return foreign
}

func (l *linter) duties(d *duties, at place) {
	for _, one := range d.obligations {
		if one.on == rules.Permit {
			l.find(FindingObligation, at, "a Permit obliges to %s: an obligation that is not known cannot be fulfilled, and then the Permit does not count", clip(one.id))
		}
	}
	for _, all := range [][]duty{d.obligations, d.advice} {
		for _, one := range all {
			for _, a := range one.assignments {
				l.expression(a.expr)
			}
		}
	}
}

func (l *linter) literal(v value, at place) {
	if l.placeholder.MatchString(v.str) {
		l.find(FindingPlaceholder, at, "%s stands for a value that was not filled in", v.str)
	}
}

// named checks a name that an attribute is compared with.
func (l *linter) named(d *designator, v value, at place) {
	switch {
	case l.placeholder.MatchString(v.str):
	case d.attribute.ID == attributeApp && !slices.Contains(l.known.Apps, v.str):
		l.find(FindingUnknownApp, at, "there is no application %q", v.str)
	case d.attribute.ID == attributeIDP && !slices.Contains(l.known.Targets, v.str):
		l.find(FindingUnknownTarget, at, "there is no target %q", v.str)
	}
}

func (l *linter) expression(x expression) {
	switch x := x.(type) {
	case constant:
		for _, v := range append([]value{x.val.value}, x.val.bag...) {
			l.literal(v, x.at)
		}
	case *designator:
		l.designator(x)
	case *variable:
		if !l.seen[x] {
			l.seen[x] = true
			l.expression(x.expr)
		}
	case *apply:
		l.all(x.args)
		l.comparison(x)
	case *higher:
		l.all(x.args)
	case logical:
		l.all(x.args)
	case nOf:
		l.all(x.args)
	}
}

func (l *linter) all(xs []expression) {
	for _, x := range xs {
		l.expression(x)
	}
}

// comparison checks a name in a condition: name = one-and-only(attribute), or
// name is in attribute.
func (l *linter) comparison(a *apply) {
	if !a.fn.equality {
		return
	}
	for i, x := range a.args {
		if inner, ok := x.(*apply); ok && len(inner.args) == 1 {
			x = inner.args[0]
		}
		d, isAttribute := x.(*designator)
		c, isConstant := a.args[len(a.args)-1-i].(constant)
		if isAttribute && isConstant {
			l.named(d, c.val.value, c.at)
		}
	}
}

func (l *linter) designator(d *designator) {
	if l.placeholder.MatchString(d.attribute.ID) {
		l.find(FindingPlaceholder, d.at, "%s stands for an attribute that was not filled in", d.attribute.ID)
		return
	}
	full := &vocabulary{request: everything()}
	bag, known := full.lookup(d)
	switch {
	case !known:
		l.find(FindingUnknownAttribute, d.at, "there is no attribute %s in category %s", d.attribute.ID, d.attribute.Category)
	case d.attribute.Issuer != "":
		l.find(FindingUnknownAttribute, d.at, "attribute %s never has an issuer", d.attribute.ID)
	case len(bag) > 0 && bag[0].typ != d.typ:
		l.find(FindingUnknownAttribute, d.at, "attribute %s is of type %s, never of %s", d.attribute.ID, bag[0].typ.short(), d.typ.short())
	case len(bag) == 0 && d.typ != typeString: // a claim, or a time as what it is not
		l.find(FindingUnknownAttribute, d.at, "attribute %s is never of type %s", d.attribute.ID, d.typ.short())
	}
}

// everything is a request in which nothing is missing but claims.
func everything() *rules.Request {
	at := time.Unix(1, 0).UTC()
	some := []string{"x"}
	return &rules.Request{
		User: rules.User{
			ID: "x", Username: "x", Email: "x", GivenName: "x", FamilyName: "x", Name: "x", Locale: "x",
			PhoneNumber: "x", Source: "x", Groups: some, Roles: some,
		},
		App:       rules.App{Name: "x", ClientID: "x", Labels: some},
		Connector: rules.Connector{Name: "x", Type: "x", Binding: "x"},
		Operation: rules.OperationCreate, Scopes: some, ACR: "x", AMR: some, Trigger: rules.TriggerJIT,
		IP: netip.IPv4Unspecified(), AuthTime: at, Now: at,
		Account: rules.Account{RemoteID: "x", LastProvisioned: at},
	}
}
