package op_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
)

// Sixty-four flows at once, each with tokens of its own: run with -race.
func TestManyFlowsAtOnce(t *testing.T) {
	const flows = 64
	each(t, func(t *testing.T, s *server) {
		codes := redirects(t, parallel(flows, func() *httptest.ResponseRecorder { return s.authorize(authorizeForm()) }))
		got := distinct(t, winners(t, parallel(flows, func() *httptest.ResponseRecorder { return s.token(codeForm(<-codes)) })))
		refresh := make(chan string, flows)
		for _, g := range got {
			refresh <- g.RefreshToken
		}
		next := distinct(t, winners(t, parallel(flows, func() *httptest.ResponseRecorder { return s.token(refreshForm(<-refresh)) })))
		if len(got) != flows || len(next) != flows {
			t.Errorf("%d redeemed and %d refreshed, want %d", len(got), len(next), flows)
		}
		for _, n := range next {
			if w := s.userinfo(n.AccessToken); w.Code != http.StatusOK {
				t.Fatalf("userinfo = %d %s", w.Code, w.Body)
			}
		}
		if n := s.count(t, "oauth_grant"); n != flows {
			t.Errorf("%d grants, want %d", n, flows)
		}
	})
}

// redirects returns the codes of the answers.
func redirects(t *testing.T, answers []*httptest.ResponseRecorder) chan string {
	t.Helper()
	codes := make(chan string, len(answers))
	for _, w := range answers {
		q := redirected(t, w)
		if q.Get("code") == "" {
			t.Fatalf("no code in %v", q)
		}
		codes <- q.Get("code")
	}
	return codes
}

// distinct fails for a token that two have.
func distinct(t *testing.T, all []tokens) []tokens {
	t.Helper()
	seen := map[string]bool{}
	for _, g := range all {
		if seen[g.AccessToken] || seen[g.RefreshToken] {
			t.Error("two flows have one token")
		}
		seen[g.AccessToken], seen[g.RefreshToken] = true, true
	}
	return all
}

// issuedTables are what the endpoints write.
func issuedTables() []string {
	return append(grantTables(), "pushed_request", "dpop_proof", "device_request")
}

// Half of the flows break off somewhere: when all is over, housekeeping leaves
// nothing of them. ANTEROOM_FLOWS says how many; make flows takes 10,000.
func TestBrokenFlowsLeaveNothing(t *testing.T) {
	flows := 200
	if v := os.Getenv("ANTEROOM_FLOWS"); v != "" {
		var err error
		if flows, err = strconv.Atoi(v); err != nil {
			t.Fatalf("ANTEROOM_FLOWS: %v", err)
		}
	}
	each(t, func(t *testing.T, s *server) {
		broken := s.breakOff(t, flows)
		for _, table := range issuedTables() {
			if s.count(t, table) == 0 {
				t.Errorf("%s is empty already: the flows did not reach it", table)
			}
			t.Logf("%d flows, of which %d broke off: %d rows of %s", flows, broken, s.count(t, table), table)
		}
		for {
			n, err := s.store.DeleteExpired(t.Context(), s.clock.Now().Add(400*24*time.Hour), 500)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		for _, table := range issuedTables() {
			n := s.count(t, table)
			t.Logf("after housekeeping: %d rows of %s", n, table)
			if n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}

// breakOff runs flows, eight at a time. Each is pushed, authorized, redeemed and
// refreshed; every other one stops before one of that.
func (s *server) breakOff(t *testing.T, flows int) (broken int) {
	t.Helper()
	const steps = 4
	last := make(chan int, flows)
	for i := range flows {
		if i%2 == 0 {
			last <- steps
			continue
		}
		broken++
		last <- 1 + rand.IntN(steps-1)
	}
	close(last)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range last {
				s.walk(t, n)
			}
		})
	}
	wg.Wait()
	return broken
}

// walk takes the first steps of a flow, every other time with tokens that are bound to a
// key.
func (s *server) walk(t *testing.T, steps int) {
	form := authorizeForm("scope", "openid offline_access")
	proofs := func(string) []string { return nil }
	if rand.IntN(2) == 0 {
		h := newHolder(t)
		proofs = func(path string) []string { return []string{h.proof(t, s, http.MethodPost, path, nil, nil)} }
	}
	push := func() *httptest.ResponseRecorder { return s.proving(op.PathPushed, form, proofs(op.PathPushed)...) }
	if steps == 1 {
		s.device(t, "openid") // for which nobody signs in
		if answer := push(); answer.Code != http.StatusCreated {
			t.Errorf("push = %d %s", answer.Code, answer.Body)
		}
		return
	}
	location, err := url.Parse(s.authorize(continued(t, push())).Header().Get("Location"))
	code := location.Query().Get("code")
	if err != nil || code == "" {
		t.Errorf("no code in %s (%v)", location, err)
		return
	}
	if steps == 2 {
		return
	}
	got := decodeTokens(t, s.proving(op.PathToken, codeForm(code), proofs(op.PathToken)...))
	if got.RefreshToken == "" {
		t.Errorf("redeem: %+v", got)
	}
	if steps == 3 {
		return
	}
	if next := decodeTokens(t, s.proving(op.PathToken, refreshForm(got.RefreshToken), proofs(op.PathToken)...)); next.RefreshToken == "" {
		t.Errorf("refresh: %+v", next)
	}
}
