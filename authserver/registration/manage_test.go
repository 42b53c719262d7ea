package registration_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// An application reads, replaces and removes its registration with its own token, which
// stays the same.
func TestManage(t *testing.T) {
	each(t, registration.ModeOpen, func(t *testing.T, e *endpoint) {
		r := e.made(t, "", wish(fields{"client_uri": "https://rp.example.com/"}))
		token := r.text("registration_access_token")
		want := maps.Clone(r.body)
		delete(want, "client_secret")
		delete(want, "client_secret_expires_at")
		if diff := cmp.Diff(want, e.send(t, http.MethodGet, path(r), token, "").body); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
		e.now = e.now.Add(time.Minute)
		changed := e.send(t, http.MethodPut, path(r), token, wish(fields{
			"client_id": r.text("client_id"), "client_secret": r.text("client_secret"), "client_name": "Another name", "scope": "openid",
		}))
		a := e.app(t, r)
		if changed.status != http.StatusOK || changed.text("client_name") != "Another name" || changed.body["client_uri"] != nil || changed.body["client_secret"] != nil ||
			changed.text("registration_access_token") != token || changed.body["client_id_issued_at"] != r.body["client_id_issued_at"] {
			t.Errorf("answer %d %v", changed.status, changed.body)
		}
		if a.Name != "Another name" || a.Consent != application.ConsentAsk || !verifies(a, r.text("client_secret")) || !a.SelfRegistered || a.Revision != 2 {
			t.Errorf("application %+v", a)
		}
		if gone := e.send(t, http.MethodDelete, path(r), token, ""); gone.status != http.StatusNoContent || gone.body != nil {
			t.Errorf("delete: %d %v", gone.status, gone.body)
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			e.send(t, method, path(r), token, wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		}
		if e.count(t) != 0 {
			t.Error("the application is still there")
		}
	})
}

// A client cannot choose its secret; one that begins to need one gets one.
func TestManagedSecret(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	r := e.made(t, "", wish(fields{"token_endpoint_auth_method": "none"}))
	token, id := r.text("registration_access_token"), r.text("client_id")
	if r.body["client_secret"] != nil {
		t.Errorf("a public client has a secret: %v", r.body)
	}
	put := func(changes fields) reply {
		changes["client_id"] = id
		return e.send(t, http.MethodPut, path(r), token, wish(changes))
	}
	now := put(fields{"token_endpoint_auth_method": "client_secret_basic"})
	if !verifies(e.app(t, r), now.text("client_secret")) || now.body["client_secret_expires_at"] != 0.0 {
		t.Errorf("answer %v", now.body)
	}
	put(fields{"client_secret": "my own choice"}).wants(t, http.StatusBadRequest, "invalid_client_metadata", "client_secret")
	if !verifies(e.app(t, r), now.text("client_secret")) {
		t.Error("the secret changed")
	}
	put(fields{"token_endpoint_auth_method": "none"})
	if a := e.app(t, r); a.SecretHash != "" {
		t.Errorf("application %+v", a)
	}
}

func TestManageRefused(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	r, other := e.made(t, "", wish(nil)), e.made(t, "", wish(nil))
	token := r.text("registration_access_token")
	for _, wrong := range []string{"", "x", r.text("client_secret"), other.text("registration_access_token")} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			e.send(t, method, path(r), wrong, "not even JSON").wants(t, http.StatusUnauthorized, "invalid_token")
		}
	}
	for name, v := range (fields{
		"client_id": other.text("client_id"), "registration_access_token": "x", "registration_client_uri": "x", "client_id_issued_at": 1,
		"client_secret_expires_at": 0, "application_type": "x",
	}) {
		sent := wish(fields{"client_id": r.text("client_id")})
		sent[name] = v
		e.send(t, http.MethodPut, path(r), token, sent).wants(t, http.StatusBadRequest, "invalid_client_metadata", name)
	}
	e.send(t, http.MethodPut, path(r), token, wish(nil)).wants(t, http.StatusBadRequest, "invalid_client_metadata", "client_id")
	if a := e.app(t, r); a.Revision != 1 {
		t.Errorf("a refused change was made: %+v", a)
	}
}

// What an admin decided about an application, its client cannot take back.
func TestManagedByAdmin(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	r := e.made(t, "", wish(nil))
	token := r.text("registration_access_token")
	a := e.app(t, r)
	a.Enabled = false
	a, err := e.Applications.Put(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		e.send(t, method, path(r), token, wish(nil)).wants(t, http.StatusForbidden, "access_denied")
	}
	a.Enabled, a.SelfRegistered = true, false // taken over
	if _, err := e.Applications.Put(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		e.send(t, method, path(r), token, wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
	}
}

// Who allowed an application something allowed it under its name and its addresses.
func TestChangedApplicationAsksAgain(t *testing.T) {
	each(t, registration.ModeOpen, func(t *testing.T, e *endpoint) {
		r := e.made(t, "", wish(nil))
		token, a, consents := r.text("registration_access_token"), e.app(t, r), store.Consents{DB: e.db}
		allowed := func() int {
			scopes, err := consents.Of(t.Context(), "u1", a.ClientID)
			if err != nil {
				t.Fatal(err)
			}
			return len(scopes)
		}
		for _, c := range []struct {
			change fields
			asks   bool
		}{
			{fields{"application_type": "native"}, false}, {fields{"client_name": "Your bank"}, true},
			{fields{"client_name": "Your bank", "redirect_uris": []string{"https://evil.example/"}}, true},
			{fields{"client_name": "Your bank", "redirect_uris": []string{"https://evil.example/"}, "policy_uri": "https://evil.example/"}, true},
		} {
			if err := consents.Add(t.Context(), "u1", a.ClientID, []string{"openid"}, e.now); err != nil {
				t.Fatal(err)
			}
			c.change["client_id"] = string(a.ClientID)
			if got := e.send(t, http.MethodPut, path(r), token, wish(c.change)); got.status != http.StatusOK {
				t.Fatalf("%v: %d %v", c.change, got.status, got.body)
			}
			if (allowed() == 0) != c.asks {
				t.Errorf("after %v, asks again = %v, want %v", c.change, !c.asks, c.asks)
			}
		}
	})
}

// Nobody's applications go after a while; those that somebody uses stay.
func TestUnusedApplicationsGo(t *testing.T) {
	each(t, registration.ModeOpen, func(t *testing.T, e *endpoint) {
		allowed, granted, unused := e.made(t, "", wish(nil)), e.made(t, "", wish(nil)), e.made(t, "", wish(nil))
		admins := application.New("admins", "An admin's")
		admins.RedirectURIs, admins.SecretHash = []string{"https://a.example/"}, application.HashSecret("x")
		if _, err := e.Applications.Put(t.Context(), admins); err != nil {
			t.Fatal(err)
		}
		if err := (store.Consents{DB: e.db}).Add(t.Context(), "u1", e.app(t, allowed).ClientID, []string{"openid"}, e.now); err != nil {
			t.Fatal(err)
		}
		_, err := e.db.Exec(t.Context(), `INSERT INTO oauth_grant (id, client_id, user_id, decision_id, scopes, session_id, auth_time, created_at, expires_at)
			VALUES ('g1', $1, 'u1', 'd1', 'openid', 's1', 1, 1, $2)`, granted.text("client_id"), sqldb.Micros(e.now.Add(48*time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		remove := func(want int) {
			t.Helper()
			if n, err := e.RemoveUnused(t.Context(), 10); n != want || err != nil {
				t.Errorf("RemoveUnused = %d, %v, want %d", n, err, want)
			}
		}
		e.now = e.now.Add(24 * time.Hour)
		remove(0)
		e.now = e.now.Add(time.Second)
		remove(1)
		e.send(t, http.MethodGet, path(unused), unused.text("registration_access_token"), "").wants(t, http.StatusUnauthorized, "invalid_token")
		e.now = e.now.Add(24 * time.Hour) // the grant is over
		remove(1)
		e.app(t, allowed)
		if _, err := e.Applications.Get(t.Context(), "admins"); err != nil {
			t.Errorf("an admin's application: %v", err)
		}
		e.Policy.KeepUnused = 0
		remove(0)
	})
}

// No token and no secret is in the database.
func TestRegistrationKeepsHashes(t *testing.T) {
	e := lite(t, registration.ModeToken)
	_, token := e.token(t, 1)
	r := e.made(t, token, wish(nil))
	for _, table := range []string{"registration", "registration_token", "applications"} {
		rows, err := e.db.Query(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		values, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{token, r.text("client_secret"), r.text("registration_access_token")} {
				if strings.Contains(strings.Join(values, "\n"), secret) {
					t.Errorf("a secret is in %s", table)
				}
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
