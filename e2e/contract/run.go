package contract

import (
	"os"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/sdk"
)

// Outcome is how a server stands to a case.
type Outcome struct {
	Passed bool
	Reason string // why the case was not tried, "" if it was
}

// Results are the outcomes of one server by case. A server whose cases did not
// all run has fewer.
type Results map[string]Outcome

// Run tries every case on the server, in parallel, and returns what came of it
// once all have ended.
func Run(t *testing.T, s Server) Results {
	if s.Long && os.Getenv("CI") != "true" {
		t.Skip("a long test: make test runs it")
	}
	s.check(t)
	r := &recorder{results: Results{}}
	system := s.Start(t)
	t.Run("cases", func(t *testing.T) {
		for _, c := range Cases() {
			if reason := s.excludes(c); reason != "" {
				r.note(c, Outcome{Reason: reason})
				continue
			}
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() { r.note(c, Outcome{Passed: !t.Failed() && !t.Skipped()}) })
				c.run(newLab(t, s, system))
			})
		}
	})
	return r.results
}

// excludes returns why the case is not tried, "" if it is.
func (s Server) excludes(c Case) string {
	if c.needs != "" && !s.Connector.Describe().Has(c.needs) {
		return "the connector does not have " + string(c.needs)
	}
	return s.Excluded[c.Name]
}

// check finds exclusions of cases that there are not.
func (s Server) check(t *testing.T) {
	known := map[string]bool{}
	for _, c := range Cases() {
		known[c.Name] = true
	}
	for name, reason := range s.Excluded {
		if !known[name] || reason == "" {
			t.Errorf("%s excludes %q for %q: want the name of a case and a reason", s.Name, name, reason)
		}
	}
	for _, name := range []string{s.Changes, s.Clears} {
		if !declares(s.Connector.Describe(), name) {
			t.Errorf("%s changes or clears %q, which the connector does not declare", s.Name, name)
		}
	}
}

func declares(d sdk.Description, name string) bool {
	for _, a := range d.Attributes {
		if a.Name == name {
			return true
		}
	}
	return false
}

// recorder gathers outcomes from cases that run in parallel.
type recorder struct {
	mu      sync.Mutex
	results Results
}

func (r *recorder) note(c Case, o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[c.Name] = o
}
