package daemon

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// registerAt registers an application over HTTP, with a token unless that is "", and
// returns its client_id.
func registerAt(t *testing.T, h http.Handler, token string) (provisioning.ClientID, int) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/oauth2/register", strings.NewReader(`{"redirect_uris":["https://rp.example.com/cb"]}`))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct {
		ID provisioning.ClientID `json:"client_id"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // a page, where there is no endpoint
	return answer.ID, w.Code
}

func (s *System) openRegistration(mode registration.Mode) {
	s.Config.Registration.Mode, s.Config.Registration.Scopes = string(mode), registration.DefaultScopes()
	s.Config.Registration.MaxApplications, s.Config.Registration.KeepUnused = 100, 24*time.Hour
	s.buildRegistrations()
}

// Without the configuration there is no endpoint, and nothing speaks of one.
func TestRegistrationIsOffByDefault(t *testing.T) {
	s := openSystem(t)
	for _, mode := range []registration.Mode{"", registration.ModeOff, registration.ModeToken, registration.ModeOpen} {
		s.openRegistration(mode)
		h, err := s.Handler(t.Context())
		must(t, err)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil))
		on := mode == registration.ModeToken || mode == registration.ModeOpen
		if got := strings.Contains(w.Body.String(), `"registration_endpoint"`); got != on {
			t.Errorf("mode %q: the metadata speak of registration = %v", mode, got)
		}
		want := map[registration.Mode]int{registration.ModeToken: http.StatusUnauthorized, registration.ModeOpen: http.StatusCreated}[mode]
		if _, got := registerAt(t, h, ""); got != want && (on || got != http.StatusNotFound) {
			t.Errorf("mode %q: registering answers %d", mode, got)
		}
		_, secret, err := s.Registrations.IssueToken(t.Context(), "", 1, time.Hour)
		must(t, err)
		if _, got := registerAt(t, h, secret.Reveal()); (got == http.StatusCreated) != on {
			t.Errorf("mode %q: registering with a token answers %d", mode, got)
		}
	}
}

// Who registers all the time, or tries to, must wait.
func TestRegistrationIsThrottled(t *testing.T) {
	s := openSystem(t)
	s.openRegistration(registration.ModeOpen)
	h, err := s.Handler(t.Context())
	must(t, err)
	register := func(address string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/oauth2/register", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for i := range 60 {
		if w := register("192.0.2.1:1000"); w.Code != http.StatusBadRequest {
			t.Fatalf("try %d: %d %s", i, w.Code, w.Body)
		}
	}
	if w := register("192.0.2.1:1001"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("the 61st: %d %v", w.Code, w.Header())
	}
	if w := register("192.0.2.2:1000"); w.Code != http.StatusBadRequest {
		t.Errorf("from elsewhere: %d", w.Code)
	}
}

// An application that registered itself is no way around the accounts that users need:
// the default bindings hold for it, until an admin gives it bindings of its own.
func TestRegisteredApplicationHasDefaultBindings(t *testing.T) {
	s := openSystem(t)
	s.openRegistration(registration.ModeOpen)
	h, err := s.Handler(t.Context())
	must(t, err)
	ctx := t.Context()
	client, _ := registerAt(t, h, "")
	person, err := s.Users.Import(ctx, user.User{Login: "ada", Email: "ada@example.com", Home: "elsewhere"}, "")
	must(t, err)
	r := provisioning.Request{Client: client, User: person.ID, Grant: provisioning.GrantAuthorize, SignIn: "s", Reference: "R"}
	verdict := func(want provisioning.Verdict) provisioning.Decision {
		t.Helper()
		d, err := s.Gate.Start(ctx, r)
		if err != nil || d.Verdict != want || d.Request.Client != client {
			t.Fatalf("decision %+v, %v, want %s", d, err, want)
		}
		return d
	}
	verdict(provisioning.VerdictPermit) // there are no default bindings
	for _, name := range []provisioning.TargetName{"dir", "own"} {
		_, err = s.Targets.Put(ctx, provisioning.Target{Name: name, Connector: "scim2"}, s.Now())
		must(t, err)
	}
	b := provisioning.NewBinding(provisioning.DefaultClient, "dir")
	b.Blocking = true
	must(t, s.Bindings.Put(ctx, b))
	verdict(provisioning.VerdictWait)
	if permit, _, err := s.Gate.Permit(ctx, r); err != nil || permit.Allows(client, person.ID) {
		t.Errorf("a permit without the account: %v", err)
	}
	accounts, err := s.Accounts.List(ctx, provisioning.AccountFilter{User: person.ID})
	if err != nil || len(accounts) != 1 || accounts[0].Target != "dir" || accounts[0].Client != provisioning.DefaultClient {
		t.Fatalf("accounts %+v, %v, want one in dir, there for the default bindings", accounts, err)
	}
	own := provisioning.NewBinding(client, "own")
	must(t, s.Bindings.Put(ctx, own))
	if d := verdict(provisioning.VerdictPermit); len(d.Findings) != 1 || d.Findings[0].Target != "own" {
		t.Errorf("decision %+v, want one about its own binding", d)
	}
	must(t, s.deleteApplication(ctx, client))
	if left, err := s.Bindings.ByClient(ctx, client); err != nil || len(left) != 0 {
		t.Errorf("bindings %+v, %v of an application that is gone", left, err)
	}
	if _, err := s.Registrations.Applications.Get(ctx, client); !errors.Is(err, application.ErrNotFound) {
		t.Errorf("the application: %v", err)
	}
}

// With an application goes all that was issued to it.
func TestDeletedApplicationHoldsNothing(t *testing.T) {
	s := openSystem(t)
	app := application.New("app", "The application")
	app.RedirectURIs, app.SecretHash = []string{"https://app.example/cb"}, application.HashSecret("a secret")
	_, err := s.Applications.Put(t.Context(), app)
	must(t, err)
	for _, client := range []string{"app", "other"} {
		_, err = s.db.Exec(t.Context(), `INSERT INTO oauth_grant (id, client_id, user_id, decision_id, scopes, session_id, auth_time, created_at, expires_at)
			VALUES ($1, $1, 'u1', 'd1', 'openid', 's1', 1, 1, 9000000000000000)`, client)
		must(t, err)
	}
	must(t, s.ResourceServers.Put(t.Context(), resourceserver.Server{Identifier: "urn:example:api", Settings: resourceserver.Settings{
		Applications: []provisioning.ClientID{"app", "other"}, Introspection: []provisioning.ClientID{"app"},
	}}))
	must(t, s.deleteApplication(t.Context(), "app"))
	if api, err := s.ResourceServers.Get(t.Context(), "urn:example:api"); err != nil || api.Serves(application.Application{ClientID: "app"}) || api.Introspects("app") || !api.Serves(application.Application{ClientID: "other"}) {
		t.Errorf("the resource server serves %+v, %v", api, err)
	}
	var standing string
	must(t, s.db.QueryRow(t.Context(), `SELECT client_id FROM oauth_grant WHERE revoked_at = 0`).Scan(&standing))
	if standing != "other" {
		t.Errorf("the grant of %q stands, want that of the other", standing)
	}
}
