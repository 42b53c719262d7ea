package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/anteroom-id/anteroom/sdk"
)

func lookupChecks() []Check {
	return []Check{
		{ID: "lookup/absent", Demand: "answers with nothing, and no error, for an account that is not there", run: lookupAbsent},
		{ID: "lookup/every-key", Demand: "finds an account by each of its keys, with the id it was created with", run: lookupKeys},
		{ID: "lookup/odd-value", Demand: "takes a key's value as a text, whatever is in it", run: lookupOdd},
		{ID: "lookup/changes-nothing", Demand: "changes nothing when it looks up, whether somebody is found or nobody", run: lookupReadOnly},
	}
}

func lookupAbsent(ctx context.Context, s *Session) error {
	found, err := s.find(ctx, s.people.next())
	if err == nil && len(found) > 0 {
		return differs("nobody is found", "%d accounts", len(found))
	}
	return err
}

func lookupKeys(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, key := range s.people.keys() {
		if p.sent.String(key.Name) == "" {
			continue
		}
		found, err := s.findBy(ctx, key, p.sent)
		switch {
		case err != nil:
			problems = append(problems, err)
		case len(found) != 1:
			problems = append(problems, differs("Lookup by "+key.Name+" finds one account", "%d accounts", len(found)))
		case found[0].ID != p.ID:
			problems = append(problems, differs("Lookup by "+key.Name+" gives the id that Create gave, "+quoted(p.ID), "%q", found[0].ID))
		}
	}
	return errors.Join(problems...)
}

// lookupOdd looks for what breaks queries that are put together from texts:
// nobody of those names is there, and one of another is. A target that cannot
// take a name may say so.
func lookupOdd(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, key := range s.people.keys() {
		for _, odd := range []string{`x" or "a" eq "a`, `x' OR '1'='1`, `*)(uid=*`, "a&b=c#d+e f%20", "../../etc", "søren 日本 🎉"} {
			value := s.run + odd
			found, err := target.Lookup(ctx, sdk.LookupRequest{Key: key.Name, Value: value})
			found = slices.DeleteFunc(found, func(a sdk.Account) bool { return !sameValue(key, a.Attributes.String(key.Name), value) })
			switch kind := sdk.KindOf(err); {
			case err != nil && kind != sdk.KindInvalid && kind != sdk.KindUnsupported:
				problems = append(problems, differs(fmt.Sprintf("Lookup by %s of %q finds nobody", key.Name, odd), "%s", errorText(err)))
			case len(found) > 0:
				problems = append(problems, differs(fmt.Sprintf("Lookup by %s of %q finds nobody", key.Name, odd), "%d accounts", len(found)))
			}
		}
		problems = append(problems, s.findsOdd(ctx, key))
	}
	return errors.Join(problems...)
}

// findsOdd creates an account whose key has what means something in an address.
func (s *Session) findsOdd(ctx context.Context, key sdk.Attribute) error {
	attributes := s.people.next()
	attributes[key.Name] = "o'b&c=d+e%20-" + attributes.String(key.Name)
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	a, err := target.Create(ctx, sdk.CreateRequest{Operation: s.operation(), Attributes: attributes, Active: true})
	if err != nil {
		return refused(fmt.Sprintf("Create with the %s o'b&c=d+e%%20-… succeeds or", key.Name), err, sdk.KindInvalid)
	}
	s.created = append(s.created, a.ID)
	found, err := s.findBy(ctx, key, attributes)
	if err == nil && len(found) != 1 {
		return differs(fmt.Sprintf("Lookup by %s of o'b&c=d+e%%20-… finds the one account", key.Name), "%d accounts", len(found))
	}
	return err
}

func lookupReadOnly(ctx context.Context, s *Session) error {
	nobody := s.people.next()
	for range 2 {
		found, err := s.find(ctx, nobody)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return differs("nobody is found, again and again", "%d accounts", len(found))
		}
	}
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	first, err := s.findOne(ctx, "of a new account", p.sent)
	if err != nil {
		return err
	}
	again, err := s.findOne(ctx, "again", p.sent)
	if err != nil {
		return err
	}
	return s.people.holds("after Lookup", again, first.Attributes)
}

func createChecks() []Check {
	return []Check{
		{ID: "create/makes", Demand: "creates an account that is then found, with the same id", run: createMakes},
		{ID: "create/keeps-attributes", Demand: "stores every attribute it is given", run: createKeeps},
		{ID: "create/taken", Demand: "refuses a name that is taken as a conflict, and leaves one account", run: createTaken},
		{ID: "create/same-operation", Demand: "makes one account of the same operation sent twice", run: createTwice},
		{ID: "create/inactive", Demand: "creates a suspended account when asked to", Capability: sdk.CapabilitySetActive, run: createInactive},
	}
}

func createMakes(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	found, err := s.findOne(ctx, "after Create", p.sent)
	if err == nil && found.ID != p.ID {
		return differs("Lookup gives the id that Create gave, "+quoted(p.ID), "%q", found.ID)
	}
	return err
}

func createKeeps(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	got, err := s.read(ctx, "after Create", p)
	if err != nil {
		return err
	}
	return s.people.holds("after Create", got, p.sent)
}

func createTaken(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	_, err = target.Create(ctx, sdk.CreateRequest{Operation: s.operation(), Attributes: p.sent, Active: true})
	if wrong := refused("Create of a name that is taken", err, sdk.KindConflict); wrong != nil {
		return wrong
	}
	_, err = s.findOne(ctx, "after the conflict", p.sent)
	return err
}

func createTwice(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	attributes, operation := s.people.next(), s.operation()
	first, err := target.Create(ctx, sdk.CreateRequest{Operation: operation, Attributes: attributes, Active: true})
	if err != nil {
		return unexpected("Create", err)
	}
	s.created = append(s.created, first.ID)
	operation.Attempt = 2
	second, err := target.Create(ctx, sdk.CreateRequest{Operation: operation, Attributes: attributes, Active: true})
	if err == nil && second.ID != first.ID {
		return differs("the same operation again gives the same account, "+quoted(first.ID)+", or a conflict", "%q", second.ID)
	}
	if err != nil {
		if wrong := refused("the same operation again", err, sdk.KindConflict); wrong != nil {
			return wrong
		}
	}
	_, err = s.findOne(ctx, "after the same operation twice", attributes)
	return err
}

func createInactive(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	attributes := s.people.next()
	a, err := target.Create(ctx, sdk.CreateRequest{Operation: s.operation(), Attributes: attributes})
	if err != nil {
		return unexpected("Create of a suspended account", err)
	}
	s.created = append(s.created, a.ID)
	got, err := s.read(ctx, "after Create", person{a, attributes})
	if err != nil {
		return err
	}
	return wantActive("after Create with active false", got, false)
}

// wantActive accepts a target that does not say.
func wantActive(when string, a sdk.Account, want bool) error {
	if a.Active == nil || *a.Active == want {
		return nil
	}
	return differs(fmt.Sprintf("%s the account has active %t", when, want), "%t", *a.Active)
}
