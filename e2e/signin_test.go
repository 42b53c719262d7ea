package e2e

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The main job: a first sign-in makes exactly one account before the code
// exists, with servers and a client nobody here wrote.
func TestFirstSignInMakesOneAccountBeforeTheCode(t *testing.T) {
	for _, name := range []string{peers.Scimmy, peers.BetterAuth} {
		t.Run(name, func(t *testing.T) {
			s := startStack(t, upstream(peers.Start(t, name)), stackOptions{})
			firstAndSecondSignIn(t, s)
		})
	}
}

func firstAndSecondSignIn(t *testing.T, s *stack) {
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	first := rp.request(promptCreate)
	callback := arrive(t, b, register(t, b, first.url, "ada"))
	// The application has its code: the account must be there now, not soon.
	a := s.account(t, "ada", func(provisioning.Account) bool { return true })
	if !inSync(a) || a.ExternalID == "" || a.Outcome != provisioning.OutcomeCreated {
		t.Errorf("account when the code was issued = %+v, want it created and in sync", a)
	}
	g, err := rp.exchange(t.Context(), first, callback)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"directory": map[string]any{"id": a.ExternalID, "state": "in_sync"}}
	if diff := cmp.Diff(want, g.claims["provisioned"]); diff != "" {
		t.Errorf("claim provisioned (-want +got):\n%s", diff)
	}
	if n := s.proxy.Count(http.MethodPost, "/Users"); n != 1 {
		t.Errorf("%d creates, want 1", n)
	}
	before := len(s.proxy.Requests())
	second := rp.request()
	page, err := b.Get(t.Context(), second.url)
	if err != nil || page.Location == nil {
		t.Fatalf("second sign-in shows a page: %+v, %v", page, err)
	}
	if _, err := rp.exchange(t.Context(), second, page.Location); err != nil {
		t.Fatal(err)
	}
	if n := len(s.proxy.Requests()) - before; n != 0 {
		t.Errorf("the second sign-in made %d calls, want 0", n)
	}
}
