package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/provisioning"
)

// employ imports users of the application and waits for their accounts.
func (s *stack) employ(t *testing.T, logins ...string) map[string]provisioning.Account {
	t.Helper()
	out := map[string]provisioning.Account{}
	for _, login := range logins {
		u := s.importUser(t, login)
		if err := s.Lifecycle.Registered(t.Context(), u.ID, appID); err != nil {
			t.Fatal(err)
		}
	}
	for _, login := range logins {
		out[login] = s.account(t, login, inSync)
	}
	return out
}

// drift names what a comparison found, by login.
func (s *stack) drift(t *testing.T, repair bool) (provisioning.DriftReport, []string) {
	t.Helper()
	report, err := s.Reconcile(t.Context(), "directory", repair)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range report.Drifts {
		u, err := s.Users.Get(t.Context(), d.User)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(string(d.Kind)+" "+u.Login+" "+strings.Join(d.Attributes, ",")))
	}
	slices.Sort(out)
	return report, out
}

// remove deletes an account behind our back.
func (up upstream) remove(t *testing.T, id string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, up.BaseURL+"/Users/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+up.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatalf("delete: %s, %v", res.Status, err)
	}
}

func (up upstream) patch(t *testing.T, id string, operations ...map[string]any) {
	t.Helper()
	up.call(t, http.MethodPatch, "/Users/"+id, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations,
	}, &map[string]any{})
}

// Somebody deletes an account, changes one, disables one and adds one of their
// own, behind our back: that is what the report says, and a repair mends ours and
// leaves theirs alone.
func TestDriftIsReportedAndRepaired(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: url})
		accounts := s.employ(t, "ann", "bob", "cid", "dan")
		up.remove(t, accounts["bob"].ExternalID)
		up.patch(t, accounts["cid"].ExternalID, map[string]any{"op": "replace", "path": "name.familyName", "value": "Tampered"})
		up.patch(t, accounts["dan"].ExternalID, map[string]any{"op": "replace", "path": "active", "value": false})
		up.add(t, map[string]any{"userName": "foreign", "externalId": "hr-7", "active": true})
		foreign := up.find(t, "foreign")

		writes := s.proxy.Writes()
		report, drifts := s.drift(t, false)
		want := []string{"changed cid name.familyName", "inactive dan", "missing bob"}
		if diff := cmp.Diff(want, drifts); diff != "" || !report.Complete || report.Listed != 4 || report.InStep != 1 || report.Unknown != 1 || report.Due != 0 {
			t.Errorf("report = %+v (-want +got):\n%s", report, diff)
		}
		if n := s.proxy.Writes() - writes; n != 0 {
			t.Errorf("%d writes by a report", n)
		}
		if report, _ = s.drift(t, true); report.Due != 3 {
			t.Errorf("%d accounts due to be repaired, want 3", report.Due)
		}
		for login := range accounts {
			s.account(t, login, inSync)
		}
		eventually(t, "the repair", func() bool {
			again, drifts := s.drift(t, false)
			return again.Complete && len(drifts) == 0 && again.InStep == 4
		})
		if diff := cmp.Diff(foreign, up.find(t, "foreign")); diff != "" {
			t.Errorf("the foreign account changed (-before +after):\n%s", diff)
		}
		if again := s.account(t, "bob", inSync); again.ExternalID == accounts["bob"].ExternalID || !again.Created {
			t.Errorf("bob's account = %+v, want a new one", again)
		}
		last, err := s.Reconciliations.Last(t.Context(), "directory")
		if err != nil || last == nil || last.InStep != 4 || last.Total() != 0 {
			t.Errorf("last = %+v, %v", last, err)
		}
	})
}

// A server that does not list all it counts makes no account missing.
func TestDriftOfAListThatIsCutShort(t *testing.T) {
	t.Parallel()
	up := upstream(peers.Start(t, peers.Scimmy))
	s := startStack(t, up, stackOptions{})
	const login = "missing"
	accounts := s.employ(t, login)
	up.remove(t, accounts[login].ExternalID)
	if report, drifts := s.drift(t, false); !report.Complete || !slices.Equal(drifts, []string{"missing missing"}) {
		t.Errorf("report = %+v, want the account missing from a list that is complete", report)
	}
	const moreThanAPage = 25 // and it lists one page only
	for i := range moreThanAPage {
		up.add(t, map[string]any{"userName": fmt.Sprint("foreign", i), "active": true})
	}
	report, drifts := s.drift(t, true)
	if report.Complete || !strings.HasPrefix(report.Incomplete, "unsupported: ") || len(drifts) != 0 || report.Due != 0 {
		t.Errorf("report = %+v, want it incomplete and nothing missing", report)
	}
}
