package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

func getChecks() []Check {
	const c = sdk.CapabilityGet
	return []Check{
		{ID: "get/reads", Demand: "reads an account by its id", Capability: c, run: getReads},
		{ID: "get/missing", Demand: "answers not_found for an account that is gone", Capability: c, run: getMissing},
	}
}

func getReads(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	got, err := s.read(ctx, "of a new account", p)
	if err != nil {
		return err
	}
	if got.ID != p.ID {
		return differs("Get gives the id it was asked for, "+quoted(p.ID), "%q", got.ID)
	}
	return s.people.holds("read by Get", got, p.sent)
}

// onGone runs a verb on an account that is gone.
func onGone(ctx context.Context, s *Session, verb func(*wire.Remote, string) error) error {
	id, err := s.goneID(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	return verb(target, id)
}

func getMissing(ctx context.Context, s *Session) error {
	return onGone(ctx, s, func(t *wire.Remote, id string) error {
		_, err := t.Get(ctx, sdk.GetRequest{ID: id})
		return refused("Get of an account that is gone", err, sdk.KindNotFound)
	})
}

func activeChecks() []Check {
	const c = sdk.CapabilitySetActive
	return []Check{
		{ID: "active/suspends", Demand: "suspends an account and brings it back, each twice without complaint", Capability: c, run: activeSwitches},
		{ID: "active/leaves-attributes", Demand: "changes nothing else when it suspends", Capability: c, run: activeLeaves},
		{ID: "active/missing", Demand: "answers not_found for an account that is gone", Capability: c, run: activeMissing},
	}
}

func activeSwitches(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	for _, active := range []bool{false, false, true, true} {
		answer, err := target.SetActive(ctx, sdk.SetActiveRequest{Operation: s.operation(), ID: p.ID, Active: active})
		if err != nil {
			return unexpected(fmt.Sprintf("SetActive %t", active), err)
		}
		if answer.ID != p.ID {
			return differs("SetActive answers with the id "+quoted(p.ID), "%q", answer.ID)
		}
		got, err := s.read(ctx, "after SetActive", p)
		if err != nil {
			return err
		}
		if err := wantActive(fmt.Sprintf("after SetActive %t", active), got, active); err != nil {
			return err
		}
	}
	return nil
}

func activeLeaves(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	if _, err := target.SetActive(ctx, sdk.SetActiveRequest{Operation: s.operation(), ID: p.ID}); err != nil {
		return unexpected("SetActive false", err)
	}
	got, err := s.read(ctx, "after SetActive", p)
	if err != nil {
		return err
	}
	return s.people.holds("after SetActive", got, p.sent)
}

func activeMissing(ctx context.Context, s *Session) error {
	return onGone(ctx, s, func(t *wire.Remote, id string) error {
		_, err := t.SetActive(ctx, sdk.SetActiveRequest{Operation: s.operation(), ID: id})
		return refused("SetActive of an account that is gone", err, sdk.KindNotFound)
	})
}

func deleteChecks() []Check {
	const c = sdk.CapabilityDelete
	return []Check{
		{ID: "delete/removes", Demand: "removes an account, which is then not found", Capability: c, run: deleteRemoves},
		{ID: "delete/twice", Demand: "succeeds in deleting what is already gone", Capability: c, run: deleteTwice},
	}
}

func deleteRemoves(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	if err := target.Delete(ctx, sdk.DeleteRequest{Operation: s.operation(), ID: p.ID}); err != nil {
		return unexpected("Delete", err)
	}
	found, err := s.find(ctx, p.sent)
	if err == nil && len(found) > 0 {
		return differs("Lookup after Delete finds nobody", "%d accounts", len(found))
	}
	return err
}

func deleteTwice(ctx context.Context, s *Session) error {
	return onGone(ctx, s, func(t *wire.Remote, id string) error {
		return unexpected("Delete of an account that is gone", t.Delete(ctx, sdk.DeleteRequest{Operation: s.operation(), ID: id}))
	})
}

func listChecks() []Check {
	const c = sdk.CapabilityList
	return []Check{
		{ID: "list/complete", Demand: "lists every account once, whatever the size of a page", Capability: c, run: listComplete},
		{ID: "list/stops", Demand: "ends its request for the next page when the host has read enough", Capability: c, Proxy: true, run: listStops},
	}
}

// listComplete asks for small pages, so that there are several.
func listComplete(ctx context.Context, s *Session) error {
	want := map[string]bool{}
	for range 5 {
		p, err := s.make(ctx)
		if err != nil {
			return err
		}
		want[p.ID] = true
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for a, err := range target.List(ctx, sdk.ListRequest{PageSize: 2}) {
		if err != nil {
			return unexpected("List", err)
		}
		seen[a.ID]++
	}
	var problems []error
	for id := range want {
		if seen[id] != 1 {
			problems = append(problems, differs("List gives each account once", "%q %d times", id, seen[id]))
		}
	}
	return errors.Join(problems...)
}

// listStops lets the first page through and keeps the second back.
func listStops(ctx context.Context, s *Session) error {
	for range 2 {
		if _, err := s.make(ctx); err != nil {
			return err
		}
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	stop := s.proxy.Always(everything, after(1, faultproxy.Hang()))
	defer stop()
	before := s.requests()
	for _, err := range target.List(ctx, sdk.ListRequest{PageSize: 1}) {
		if err != nil {
			return unexpected("List", err)
		}
		second, cancel := context.WithTimeout(ctx, shortDeadline)
		_ = s.proxy.AwaitRequests(second, before+2) // or all came at once
		cancel()
		break
	}
	idle, cancel := context.WithTimeout(ctx, hangTime)
	defer cancel()
	if s.proxy.AwaitIdle(idle) != nil {
		return differs("the request for the next page is ended", "it is still there after %s", hangTime)
	}
	return nil
}

func groupChecks() []Check {
	const c = sdk.CapabilitySetGroups
	return []Check{
		{ID: "groups/sets", Demand: "puts an account into groups and out of them, each twice without complaint", Capability: c, run: groupsSets},
		{ID: "groups/unknown", Demand: "refuses a group that the target does not have, as invalid or not_found", Capability: c, run: groupsUnknown},
		{ID: "groups/missing", Demand: "answers not_found for an account that is gone", Capability: c, run: groupsMissing},
	}
}

func groupsSets(ctx context.Context, s *Session) error {
	if len(s.opts.Groups) == 0 {
		return notRun("no group of the target is named")
	}
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	for _, groups := range [][]string{s.opts.Groups, s.opts.Groups, nil, nil} {
		err := target.SetGroups(ctx, sdk.SetGroupsRequest{Operation: s.operation(), ID: p.ID, Groups: groups})
		if err != nil {
			return unexpected(fmt.Sprintf("SetGroups %q", groups), err)
		}
	}
	return nil
}

func groupsUnknown(ctx context.Context, s *Session) error {
	p, err := s.make(ctx)
	if err != nil {
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	err = target.SetGroups(ctx, sdk.SetGroupsRequest{Operation: s.operation(), ID: p.ID, Groups: []string{"no group called so"}})
	return refused("SetGroups with an unknown group", err, sdk.KindInvalid, sdk.KindNotFound)
}

func groupsMissing(ctx context.Context, s *Session) error {
	return onGone(ctx, s, func(t *wire.Remote, id string) error {
		err := t.SetGroups(ctx, sdk.SetGroupsRequest{Operation: s.operation(), ID: id, Groups: s.opts.Groups})
		return refused("SetGroups of an account that is gone", err, sdk.KindNotFound)
	})
}

func checkChecks() []Check {
	const c = sdk.CapabilityCheck
	return []Check{
		{ID: "check/passes", Demand: "finds every step in order with a good configuration", Capability: c, run: checkPasses},
		{ID: "check/changes-nothing", Demand: "checks without writing", Capability: c, Proxy: true, run: checkReadOnly},
		{ID: "check/says-why", Demand: "says which step fails, and why, when the credentials are refused", Capability: c, Proxy: true, run: checkSaysWhy},
	}
}

func checkPasses(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	steps, err := target.Check(ctx)
	if err != nil {
		return unexpected("Check", err)
	}
	if len(steps) == 0 {
		return differs("Check has steps", "none")
	}
	for _, step := range steps {
		if step.Status == sdk.CheckFailed {
			return differs("no step fails", "%s: %s", step.Name, short(step.Detail))
		}
	}
	return nil
}
