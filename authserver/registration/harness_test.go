package registration_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

const issuer = "https://login.example.com"

// endpoint is the registration endpoint on a real database.
type endpoint struct {
	*registration.Service
	http.Handler
	db   *sqldb.DB
	now  time.Time
	wait time.Duration // of who registers too often
	// asked counts how often a sector was asked; one at refuse.example lists nobody.
	asked int
}

// Check implements registration.Sectors.
func (e *endpoint) Check(_ context.Context, before, a application.Application) error {
	if a.SectorIdentifierURI == "" || a.SectorIdentifierURI == before.SectorIdentifierURI {
		return nil
	}
	e.asked++
	if strings.HasPrefix(a.SectorIdentifierURI, "https://refuse.example/") {
		return errors.New("cannot be fetched: 10.0.0.7: connection refused")
	}
	return nil
}

func newEndpoint(t testing.TB, db *sqldb.DB, mode registration.Mode) *endpoint {
	t.Helper()
	e := &endpoint{db: db, now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	now := func() time.Time { return e.now }
	apps := store.Applications{DB: db, Now: now}
	e.Service = &registration.Service{
		Policy:       registration.Policy{Mode: mode, Scopes: registration.DefaultScopes(), MaxApplications: 5, KeepUnused: 24 * time.Hour},
		Applications: apps, Store: store.Registrations{DB: db}, Tokens: store.Registrations{DB: db}, Consents: store.Consents{DB: db}, Sectors: e,
		Remove: func(ctx context.Context, id provisioning.ClientID) error {
			a, err := apps.Get(ctx, id)
			if err != nil {
				return err
			}
			return apps.Delete(ctx, id, a.Revision)
		},
		InTx: db.InTx, Now: now,
	}
	mux := http.NewServeMux()
	registration.Endpoint{
		Service: e.Service, Issuer: issuer, Log: slog.New(slog.DiscardHandler), Reference: func() string { return "REF-1" },
		Allow:   func(context.Context, string) (time.Duration, error) { return e.wait, nil },
		Address: func(r *http.Request) string { return r.RemoteAddr },
	}.Mount(mux)
	e.Handler = mux
	return e
}

// each runs f on both dialects.
func each(t *testing.T, mode registration.Mode, f func(t *testing.T, e *endpoint)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(t, newEndpoint(t, db, mode)) }, store.Migrations())
}

// lite runs on SQLite: for tests in which the database decides nothing.
func lite(t testing.TB, mode registration.Mode) *endpoint {
	t.Helper()
	return newEndpoint(t, sqldbtest.SQLite(t, store.Migrations()), mode)
}

// reply is an answer of the endpoint.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (r reply) text(name string) string {
	text, _ := r.body[name].(string)
	return text
}

// send sends a body, a value or raw text; a token "" is left out.
func (e *endpoint) send(t testing.TB, method, path, token string, body any) reply {
	t.Helper()
	raw, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(raw))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			t.Fatalf("%d %q: %v", w.Code, w.Body, err)
		}
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s may be cached: %v", method, path, w.Header())
	}
	return out
}

func (e *endpoint) register(t testing.TB, token string, body any) reply {
	t.Helper()
	return e.send(t, http.MethodPost, registration.Path, token, body)
}

// made registers and wants it to succeed.
func (e *endpoint) made(t testing.TB, token string, body any) reply {
	t.Helper()
	r := e.register(t, token, body)
	if r.status != http.StatusCreated {
		t.Fatalf("answer %d %v, want 201", r.status, r.body)
	}
	return r
}

// wants checks for an error whose description has the words.
func (r reply) wants(t testing.TB, status int, code string, words ...string) {
	t.Helper()
	if r.status != status || r.text("error") != code {
		t.Errorf("answer %d %v, want %d %s", r.status, r.body, status, code)
	}
	for _, w := range words {
		if !strings.Contains(r.text("error_description"), w) {
			t.Errorf("%q does not say %q", r.text("error_description"), w)
		}
	}
	if status == http.StatusUnauthorized && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), `Bearer realm="registration"`) {
		t.Errorf("WWW-Authenticate = %q", r.header.Get("WWW-Authenticate"))
	}
}

// token makes an initial access token.
func (e *endpoint) token(t testing.TB, uses int) (registration.TokenID, string) {
	t.Helper()
	token, secret, err := e.IssueToken(t.Context(), "for the test", uses, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token.ID, secret.Reveal()
}

func (e *endpoint) app(t testing.TB, r reply) application.Application {
	t.Helper()
	a, err := e.Applications.Get(t.Context(), provisioning.ClientID(r.text("client_id")))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (e *endpoint) count(t testing.TB) int {
	t.Helper()
	n, err := e.Store.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func path(r reply) string { return strings.TrimPrefix(r.text("registration_client_uri"), issuer) }

func verifies(a application.Application, secret string) bool {
	return application.VerifySecret(a.SecretHash, sdk.Secret(secret))
}

// fields are metadata, and changes to them; nil leaves one out.
type fields map[string]any

func wish(changes fields) fields {
	out := fields{"redirect_uris": []string{"https://rp.example.com/cb"}, "client_name": "The RP"}
	for name, v := range changes {
		if out[name] = v; v == nil {
			delete(out, name)
		}
	}
	return out
}
