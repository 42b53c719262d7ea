package e2e

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// status returns what the server says of the login's accounts: "active",
// "suspended" or "none".
func (u upstream) status(t *testing.T, login string) string {
	t.Helper()
	found := u.find(t, login)
	if len(found) == 0 {
		return "none"
	}
	if len(found) > 1 {
		t.Fatalf("%s has %d accounts", login, len(found))
	}
	if active, _ := found[0]["active"].(bool); active {
		return "active"
	}
	return "suspended"
}

func (s *stack) becomes(t *testing.T, login, status string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is %s", login, status), func() bool { return s.up.status(t, login) == status })
}

func newDirectory(t *testing.T) upstream {
	t.Helper()
	server := httptest.NewServer(directory.New(directory.Options{Token: scimToken}))
	t.Cleanup(server.Close)
	return upstream{BaseURL: server.URL + directory.SCIMPath, Token: scimToken}
}

// Leavers never sign in: disable, enable and delete reach the directory by
// themselves, and an account that was there before is only let go.
func TestLeaversReachTheDirectory(t *testing.T) {
	t.Parallel()
	for policy, end := range map[string]string{"suspend": "suspended", "delete": "none"} {
		t.Run(policy, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, database string) { leaversReach(t, database, policy, end) })
		})
	}
}

func leaversReach(t *testing.T, database, policy, end string) {
	up := newDirectory(t)
	s := startStack(t, up, stackOptions{database: database, target: "on_user_delete: " + policy, more: "default_bindings: [{target: directory}]"})
	up.add(t, map[string]any{"userName": "older", "active": true})
	for _, login := range []string{"leaver", "older"} {
		u := s.importUser(t, login)
		s.account(t, login, inSync)
		s.becomes(t, login, "active")
		for _, status := range []string{"suspended", "active"} {
			if err := s.Users.SetActive(t.Context(), u.ID, status == "active"); err != nil {
				t.Fatal(err)
			}
			s.becomes(t, login, status)
		}
		s.account(t, login, inSync)
		s.leaves(t, u.ID)
	}
	s.becomes(t, "leaver", end)
	s.becomes(t, "older", "active")
}

// leaves deletes the user and waits until that is carried out.
func (s *stack) leaves(t *testing.T, id provisioning.UserID) {
	t.Helper()
	if err := s.Users.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deletion is carried out", func() bool {
		a, err := s.Accounts.Get(t.Context(), id, "directory")
		return err == nil && a.InSync() && a.Desired == provisioning.DesiredAbsent
	})
}

// A binding that is added reaches those who registered before, and one that is
// removed takes their accounts away as its policy says.
func TestBindingComesAndGoes(t *testing.T) {
	t.Parallel()
	up := newDirectory(t)
	s := startStack(t, up, stackOptions{binding: "on_loss: suspend"})
	u, err := s.Users.Import(t.Context(), user.User{Login: "early", Email: "early@example.com", Home: appID}, password)
	if err != nil {
		t.Fatal(err)
	}
	s.becomes(t, "early", "active")
	if err := s.Bindings.Delete(t.Context(), appID, "directory"); err != nil {
		t.Fatal(err)
	}
	s.becomes(t, "early", "suspended")
	if err := s.Bindings.Put(t.Context(), provisioning.NewBinding(appID, "directory")); err != nil {
		t.Fatal(err)
	}
	s.becomes(t, "early", "active")
	if a := s.account(t, "early", inSync); a.User != u.ID || a.Lost {
		t.Errorf("account = %+v, want it there for the binding", a)
	}
}
