package conformance

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

func updateChecks() []Check {
	return []Check{
		{ID: "update/sets", Demand: "sets an attribute", run: updateSets},
		{ID: "update/leaves-others", Demand: "changes nothing that was not named", run: updateLeaves},
		{ID: "update/clears", Demand: "removes an attribute it is asked to clear, and only that", run: updateClears},
		{ID: "update/clear-of-nothing", Demand: "does not mind clearing what has no value", run: updateClearsNothing},
		{ID: "update/twice", Demand: "does the same update twice without complaint", run: updateTwice},
		{ID: "update/keeps-id", Demand: "answers with the id it was given", run: updateKeepsID},
		{ID: "update/missing", Demand: "answers not_found for an account that is gone", run: updateMissing},
	}
}

// edit is an account that was changed in one attribute.
type edit struct {
	person
	attribute sdk.Attribute
	value     string
	answer    sdk.Account
}

func (s *Session) updated(ctx context.Context) (edit, error) {
	attribute, err := s.people.editable()
	if err != nil {
		return edit{}, err
	}
	p, err := s.make(ctx)
	if err != nil {
		return edit{}, err
	}
	target, err := s.target(ctx)
	if err != nil {
		return edit{}, err
	}
	e := edit{person: p, attribute: attribute, value: "New " + s.run}
	e.answer, err = target.Update(ctx, sdk.UpdateRequest{
		Operation: s.operation(), ID: p.ID, Version: p.Version, Set: sdk.Attributes{attribute.Name: e.value},
	})
	return e, unexpected("Update of "+attribute.Name, err)
}

func updateSets(ctx context.Context, s *Session) error {
	e, err := s.updated(ctx)
	if err != nil {
		return err
	}
	got, err := s.read(ctx, "after Update", e.person)
	if err != nil {
		return err
	}
	return s.people.holds("after Update", got, sdk.Attributes{e.attribute.Name: e.value})
}

func updateLeaves(ctx context.Context, s *Session) error {
	e, err := s.updated(ctx)
	if err != nil {
		return err
	}
	got, err := s.read(ctx, "after Update", e.person)
	if err != nil {
		return err
	}
	others := maps.Clone(e.sent)
	delete(others, e.attribute.Name)
	return errors.Join(s.people.holds("after Update of "+e.attribute.Name, got, others), wantActive("after Update", got, true))
}

func updateClears(ctx context.Context, s *Session) error {
	removed, err := s.people.removable()
	if err != nil {
		return err
	}
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	if err := s.clear(ctx, p.ID, removed.Name); err != nil {
		return err
	}
	got, err := s.read(ctx, "after Update", p)
	if err != nil {
		return err
	}
	want := maps.Clone(p.sent)
	want[removed.Name] = ""
	return s.people.holds("after clearing "+removed.Name, got, want)
}

func (s *Session) clear(ctx context.Context, id, name string) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	_, err = target.Update(ctx, sdk.UpdateRequest{Operation: s.operation(), ID: id, Clear: []string{name}})
	return unexpected("Update that clears "+name, err)
}

func updateClearsNothing(ctx context.Context, s *Session) error {
	removed, err := s.people.removable()
	if err != nil {
		return err
	}
	attributes := s.people.next()
	delete(attributes, removed.Name)
	p, err := s.makeOf(ctx, attributes)
	if err != nil {
		return err
	}
	return s.clear(ctx, p.ID, removed.Name)
}

func updateTwice(ctx context.Context, s *Session) error {
	e, err := s.updated(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	_, err = target.Update(ctx, sdk.UpdateRequest{
		Operation: s.operation(), ID: e.ID, Version: e.answer.Version, Set: sdk.Attributes{e.attribute.Name: e.value},
	})
	return unexpected("the same Update again", err)
}

func updateKeepsID(ctx context.Context, s *Session) error {
	e, err := s.updated(ctx)
	if err == nil && e.answer.ID != e.ID {
		return differs("Update answers with the id "+quoted(e.ID), "%q", e.answer.ID)
	}
	return err
}

func updateMissing(ctx context.Context, s *Session) error {
	edited, err := s.people.editable()
	if err != nil {
		return err
	}
	id, err := s.goneID(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	_, err = target.Update(ctx, sdk.UpdateRequest{Operation: s.operation(), ID: id, Set: sdk.Attributes{edited.Name: "x"}})
	return refused("Update of an account that is gone", err, sdk.KindNotFound)
}

// goneID is the id of no account: of one that was deleted where the connector
// can, else a made-up one of the same form.
func (s *Session) goneID(ctx context.Context) (string, error) {
	p, err := s.make(ctx)
	if err != nil {
		return "", err
	}
	if !s.desc.Has(sdk.CapabilityDelete) {
		return alter(p.ID), nil
	}
	target, err := s.target(ctx)
	if err != nil {
		return "", err
	}
	return p.ID, unexpected("Delete", target.Delete(ctx, sdk.DeleteRequest{Operation: s.operation(), ID: p.ID}))
}

// alter changes letters and digits so that the form of an id stays.
func alter(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '9' - (r - '0')
		case r >= 'a' && r <= 'f':
			return 'f' - (r - 'a')
		}
		return r
	}, id)
}
