package conformance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/anteroom-id/anteroom/sdk"
)

// people makes up accounts that a connector should take.
type people struct {
	desc sdk.Description
	make func(unique string) sdk.Attributes
	run  string
	n    *atomic.Int64
	free []sdk.Attribute // those whose values a test may choose
}

func newPeople(d sdk.Description, given func(string) sdk.Attributes, run string) people {
	p := people{desc: d, make: given, run: run, n: new(atomic.Int64)}
	for _, a := range d.Attributes {
		if freedom(a) > 0 {
			p.free = append(p.free, a)
		}
	}
	slices.SortStableFunc(p.free, func(a, b sdk.Attribute) int { return cmp.Compare(freedom(b), freedom(a)) })
	if given != nil {
		sample := given(run)
		p.free = slices.DeleteFunc(p.free, func(a sdk.Attribute) bool { return sample.String(a.Name) == "" })
		return p
	}
	p.free = p.free[:min(len(p.free), 3)]
	p.make = p.declared
	return p
}

// freedom tells how freely a test may choose and change an attribute's value: 0
// for not at all. Names of people are texts everywhere; a phone number or a
// locale has a form that a target may insist on.
func freedom(a sdk.Attribute) int {
	if a.Type != sdk.AttributeString || a.MultiValued || a.CreateOnly || a.Correlate > 0 || a.Owner {
		return 0
	}
	name := strings.ToLower(a.Name + " " + a.Source)
	for _, form := range []string{"mail", "phone", "mobile", "fax", "locale", "lang", "zone", "country", "url", "uri", "date", "type", "status", "id"} {
		if strings.Contains(strings.ReplaceAll(name, "given", ""), form) && !strings.Contains(name, "nick") {
			return 0
		}
	}
	switch {
	case a.Source == "user.given_name" || a.Source == "user.family_name":
		return 4
	case a.Source == "user.name":
		return 3
	case strings.Contains(name, "title") || strings.Contains(name, "department"):
		return 2
	}
	return 1
}

// declared makes an account of what the connector declares: what is required,
// what it is found by, and what a test may choose.
func (p people) declared(unique string) sdk.Attributes {
	attributes := sdk.Attributes{}
	for _, a := range p.desc.Attributes {
		wanted := a.Required || a.Correlate > 0 || a.Source == "user.email" ||
			slices.ContainsFunc(p.free, func(f sdk.Attribute) bool { return f.Name == a.Name })
		if wanted {
			attributes[a.Name] = valueOf(a, unique)
		}
	}
	return attributes
}

func valueOf(a sdk.Attribute, unique string) any {
	var v any
	name := strings.ToLower(a.Name + " " + a.Source)
	switch {
	case a.Type == sdk.AttributeBool:
		v = true
	case a.Type == sdk.AttributeNumber:
		v = 1.0
	case a.Type == sdk.AttributeObject:
		v = map[string]any{"value": unique}
	case strings.Contains(name, "mail"):
		v = unique + "@example.com"
	case strings.Contains(name, "locale"), strings.Contains(name, "lang"):
		v = "en-US"
	case a.Correlate > 0 || freedom(a) == 0:
		v = unique
	default:
		v = a.Name + " of " + unique
	}
	if a.MultiValued {
		return []any{v}
	}
	return v
}

// next is a new account's attributes.
func (p *people) next() sdk.Attributes {
	return maps.Clone(p.make(fmt.Sprintf("%s-%d", p.run, p.n.Add(1))))
}

// keys are the attributes to look up by, in their order.
func (p *people) keys() []sdk.Attribute {
	var keys []sdk.Attribute
	for _, a := range p.desc.Attributes {
		if a.Correlate > 0 {
			keys = append(keys, a)
		}
	}
	slices.SortFunc(keys, func(a, b sdk.Attribute) int { return cmp.Compare(a.Correlate, b.Correlate) })
	return keys
}

// editable is the attribute to change, and removable one that may be cleared.
func (p *people) editable() (sdk.Attribute, error) {
	if len(p.free) == 0 {
		return sdk.Attribute{}, notRun("the connector declares no text attribute that may be changed freely: give an account")
	}
	return p.free[0], nil
}

func (p *people) removable() (sdk.Attribute, error) {
	for _, a := range p.free {
		if !a.Required {
			return a, nil
		}
	}
	return sdk.Attribute{}, notRun("the connector declares no text attribute that may be removed: give an account")
}

// sameValue compares as the declaration says.
func sameValue(a sdk.Attribute, x, y any) bool {
	s, sIsText := x.(string)
	t, tIsText := y.(string)
	if sIsText && tIsText && !a.CaseExact {
		return strings.EqualFold(s, t)
	}
	return fmt.Sprint(plain(x)) == fmt.Sprint(plain(y))
}

// plain makes a list of texts and a list of any alike.
func plain(v any) any {
	if texts, ok := v.([]string); ok {
		out := make([]any, len(texts))
		for i, s := range texts {
			out[i] = s
		}
		return out
	}
	return v
}

// holds checks that an account has these values; "" stands for none.
func (p *people) holds(when string, got sdk.Account, want sdk.Attributes) error {
	for _, a := range p.desc.Attributes {
		w, named := want[a.Name]
		if !named {
			continue
		}
		have := got.Attributes[a.Name]
		if w == "" && (have == nil || have == "") {
			continue
		}
		if !sameValue(a, have, w) {
			return differs(fmt.Sprintf("%s %s is %s", when, a.Name, quoted(w)), "%s", quoted(have))
		}
	}
	return nil
}

func quoted(v any) string {
	if v == nil || v == "" {
		return "no value"
	}
	return short(fmt.Sprintf("%q", fmt.Sprint(v)))
}

// person is an account that the kit has made.
type person struct {
	sdk.Account
	sent sdk.Attributes
}

// make creates an account for a check that needs one.
func (s *Session) make(ctx context.Context) (person, error) {
	return s.makeOf(ctx, s.people.next())
}

func (s *Session) makeOf(ctx context.Context, attributes sdk.Attributes) (person, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	target, err := s.target(ctx)
	if err != nil {
		return person{}, err
	}
	a, err := target.Create(ctx, sdk.CreateRequest{Operation: s.operation(), Attributes: attributes, Active: true})
	if err != nil {
		return person{}, unexpected("Create", err)
	}
	s.created = append(s.created, a.ID)
	return person{a, attributes}, nil
}

// find looks up by the first key.
func (s *Session) find(ctx context.Context, attributes sdk.Attributes) ([]sdk.Account, error) {
	keys := s.people.keys()
	if len(keys) == 0 {
		return nil, notRun("the connector declares no attribute to look up by")
	}
	return s.findBy(ctx, keys[0], attributes)
}

func (s *Session) findBy(ctx context.Context, key sdk.Attribute, attributes sdk.Attributes) ([]sdk.Account, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	target, err := s.target(ctx)
	if err != nil {
		return nil, err
	}
	value := attributes.String(key.Name)
	if value == "" {
		return nil, notRun("the account has no value for the key " + key.Name)
	}
	found, err := again(func() ([]sdk.Account, error) {
		return target.Lookup(ctx, sdk.LookupRequest{Key: key.Name, Value: value})
	})
	if err != nil {
		return nil, unexpected("Lookup", err)
	}
	// A superset is allowed: the host compares, and so does the kit.
	return slices.DeleteFunc(found, func(a sdk.Account) bool { return !sameValue(key, a.Attributes.String(key.Name), value) }), nil
}

// findOne demands exactly one account.
func (s *Session) findOne(ctx context.Context, when string, attributes sdk.Attributes) (sdk.Account, error) {
	found, err := s.find(ctx, attributes)
	if err != nil {
		return sdk.Account{}, err
	}
	if len(found) != 1 {
		return sdk.Account{}, differs("Lookup "+when+" finds one account", "%d accounts", len(found))
	}
	return found[0], nil
}

// read reads an account back: by its id where the connector can.
func (s *Session) read(ctx context.Context, when string, p person) (sdk.Account, error) {
	if !s.desc.Has(sdk.CapabilityGet) {
		return s.findOne(ctx, when, p.sent)
	}
	ctx, cancel := call(ctx)
	defer cancel()
	target, err := s.target(ctx)
	if err != nil {
		return sdk.Account{}, err
	}
	a, err := again(func() (sdk.Account, error) { return target.Get(ctx, sdk.GetRequest{ID: p.ID}) })
	return a, unexpected("Get "+when, err)
}

// again repeats a read once that failed for what will pass, as a host does: a kept
// connection may break at any time.
func again[R any](read func() (R, error)) (R, error) {
	r, err := read()
	if sdk.KindOf(err) == sdk.KindTransient {
		return read()
	}
	return r, err
}
