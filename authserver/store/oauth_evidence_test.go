package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
)

// A decision lives while anything rests on it: the grant, a code, or a token of
// either kind.
func TestLiveDecisions(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		g := oauthGrant("g")
		must(t, s.AddGrant(t.Context(), g))
		must(t, s.AddCode(t.Context(), oauthCode(g)))
		must(t, s.AddAccessToken(t.Context(), op.AccessToken{Hash: op.HashToken("a"), Grant: "g", Decision: "decision-3", ExpiresAt: oauthNow.Add(time.Hour)}))
		must(t, s.AddRefreshToken(t.Context(), op.RefreshToken{
			Hash: op.HashToken("r"), Grant: "g", Decision: "decision-4", ExpiresAt: oauthNow.Add(time.Hour), KeepUntil: oauthNow.Add(time.Hour),
		}))
		var all []provisioning.DecisionRef
		for i := range 6 {
			all = append(all, provisioning.DecisionRef{ID: provisioning.DecisionID(fmt.Sprint("decision-", i)), Client: "app", User: "user-1"})
		}
		live, err := s.LiveDecisions(t.Context(), all)
		must(t, err)
		want := map[provisioning.DecisionID]bool{"decision-1": true, "decision-2": true, "decision-3": true, "decision-4": true}
		if diff := cmp.Diff(want, live); diff != "" {
			t.Errorf("live (-want +got):\n%s", diff)
		}
		live, err = s.LiveDecisions(t.Context(), []provisioning.DecisionRef{{ID: "decision-1", Client: "app", User: "user-2"}})
		if len(live) != 0 || err != nil {
			t.Errorf("of another user: %v, %v", live, err)
		}
	})
}
