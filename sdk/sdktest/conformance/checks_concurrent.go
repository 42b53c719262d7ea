package conformance

import (
	"context"
	"errors"
	"sync"

	"github.com/anteroom-id/anteroom/sdk"
)

func concurrentChecks() []Check {
	return []Check{
		{ID: "concurrent/hundred", Demand: "answers 100 calls at once, each with its own account", run: concurrentHundred},
		{ID: "concurrent/writes", Demand: "creates 20 accounts at once", run: concurrentWrites},
	}
}

func concurrentHundred(ctx context.Context, s *Session) error {
	var all []person
	for range 5 {
		p, err := s.make(ctx)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	return together(100, func(i int) error {
		p := all[i%len(all)]
		found, err := s.findOne(ctx, "among 100 at once", p.sent)
		if err == nil && found.ID != p.ID {
			return differs("each of 100 calls finds its own account", "%q for %q", found.ID, p.ID)
		}
		return err
	})
}

// together runs n calls at once and returns the first few failures.
func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	var problems []error
	for _, err := range errs {
		if err != nil && len(problems) < 3 {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func concurrentWrites(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	const n = 20
	var sent [n]sdk.Attributes
	var made [n]sdk.Account
	for i := range n {
		sent[i] = s.people.next()
	}
	err = together(n, func(i int) error {
		limited, cancel := call(ctx)
		defer cancel()
		a, err := target.Create(limited, sdk.CreateRequest{Operation: s.operation(), Attributes: sent[i], Active: true})
		made[i] = a
		return unexpected("Create among 20 at once", err)
	})
	ids := map[string]bool{}
	for _, a := range made {
		ids[a.ID] = true
		if a.ID != "" {
			s.created = append(s.created, a.ID)
		}
	}
	if err == nil && len(ids) != n {
		return differs("20 accounts with ids of their own", "%d ids", len(ids))
	}
	return err
}
