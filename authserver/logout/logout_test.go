package logout_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/logout"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const issuer = "https://login.example"

type applications map[provisioning.ClientID]application.Application

func (a applications) Get(_ context.Context, id provisioning.ClientID) (application.Application, error) {
	app, ok := a[id]
	if !ok {
		return application.Application{}, application.ErrNotFound
	}
	return app, nil
}

// plain stands for signing: the token is its payload, and names type and algorithm.
type plain struct{}

func (plain) Sign(typ keys.Type, alg keys.Alg, payload []byte) (string, error) {
	return string(typ) + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + string(alg), nil
}

// world is the service on a database, with an application that listens.
type world struct {
	*testing.T
	db      *sqldb.DB
	apps    applications
	service *logout.Service
	sender  *logout.Sender
	nudged  int
	now     time.Time
	log     *strings.Builder

	mu     sync.Mutex
	status int // of the application's next answers
	tokens []string
}

func newWorld(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{T: t, db: db, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), status: http.StatusOK, log: &strings.Builder{}}
	listener := httptest.NewServer(w)
	t.Cleanup(listener.Close)
	w.apps = applications{}
	for _, id := range []provisioning.ClientID{"back", "both", "silent", "off"} {
		app := application.New(id, string(id))
		app.Enabled = id != "off"
		if id != "silent" {
			app.BackchannelLogoutURI = listener.URL + "/" + string(id)
		}
		if id == "both" || id == "off" {
			app.FrontchannelLogoutURI = "https://app.example/front?x=1"
		}
		w.apps[id] = app
	}
	w.service = &logout.Service{
		Issuer: issuer, Participants: store.Participants{DB: db}, Notices: store.LogoutNotices{DB: db}, Applications: w.apps, Commits: db,
		Nudge: func() { w.nudged++ }, Now: func() time.Time { return w.now },
	}
	w.sender = logout.NewSender(w.service, plain{}, listener.Client(), slog.New(slog.NewTextHandler(w.log, nil)))
	return w
}

// ServeHTTP is the applications' logout endpoint.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens = append(w.tokens, r.URL.Path+" "+r.PostFormValue("logout_token"))
	rw.WriteHeader(w.status)
}

// told returns the paths that were asked since, sorted.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var paths []string
	for _, t := range w.tokens {
		path, _, _ := strings.Cut(t, " ")
		paths = append(paths, path)
	}
	slices.Sort(paths)
	w.tokens = nil
	return paths
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) join(clients ...provisioning.ClientID) {
	w.Helper()
	for _, c := range clients {
		w.must(w.service.Join(w.Context(), "sid-1", c, subject.Alias{Subject: "u1", SID: "sid-1"}))
	}
}

func (w *world) end() {
	w.Helper()
	w.must(w.db.InTx(w.Context(), func(ctx context.Context) error {
		return w.service.Ended(ctx, session.Session{ID: "x", SID: "sid-1", User: "u1"})
	}))
}

func (w *world) count(table string) int {
	w.Helper()
	var n int
	w.must(w.db.QueryRow(w.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n))
	return n
}

func each(t *testing.T, f func(w *world)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(newWorld(t, db)) }, store.Migrations())
}

func TestEveryoneWhoTookPartIsTold(t *testing.T) {
	each(t, func(w *world) {
		w.must(w.service.Join(w.Context(), "sid-1", "both", subject.Alias{Subject: "its-subject", SID: "its-sid"}))
		w.join("back", "back", "silent", "off")
		w.must(w.service.Join(w.Context(), "sid-2", "back", subject.Alias{Subject: "u2", SID: "sid-2"}))
		w.must(w.service.Join(w.Context(), "", "back", subject.Alias{Subject: "u2"}))
		frames, err := w.service.Frames(w.Context(), "sid-1")
		want := []string{"https://app.example/front?x=1&iss=https%3A%2F%2Flogin.example&sid=its-sid"}
		if diff := cmp.Diff(want, frames); diff != "" || err != nil {
			w.Errorf("frames (-want +got):\n%s(%v)", diff, err)
		}
		w.end()
		if w.nudged != 1 {
			w.Errorf("nudged %d times, want once, after the commit", w.nudged)
		}
		if n := w.sender.Send(w.Context()); n != 2 {
			w.Errorf("sent %d, want 2", n)
		}
		if diff := cmp.Diff([]string{"/back", "/both"}, w.told()); diff != "" {
			w.Errorf("told (-want +got):\n%s", diff)
		}
		if w.count("logout_notice") != 0 || w.count("session_application") != 1 {
			w.Error("something is left")
		}
		w.end() // again: nobody takes part any more
		if n := w.sender.Send(w.Context()); n != 0 {
			w.Errorf("sent %d more", n)
		}
	})
}

func TestRolledBackEndTellsNobody(t *testing.T) {
	each(t, func(w *world) {
		w.join("back")
		boom := errors.New("boom")
		err := w.db.InTx(w.Context(), func(ctx context.Context) error {
			w.must(w.service.Ended(ctx, session.Session{SID: "sid-1"}))
			return boom
		})
		if !errors.Is(err, boom) || w.sender.Send(w.Context()) != 0 || w.count("session_application") != 1 || w.nudged != 0 {
			w.Errorf("told of a session that did not end (%v)", err)
		}
	})
}

// The claims of Back-Channel Logout 1.0 section 2.4, and no nonce.
func TestLogoutToken(t *testing.T) {
	w := newWorld(t, sqldbtest.SQLite(t, store.Migrations()))
	w.must(w.service.Join(t.Context(), "sid-1", "back", subject.Alias{Subject: "its-subject", SID: "its-sid"}))
	if err := w.service.Join(t.Context(), "sid-1", "both", subject.Alias{SID: "sid-1"}); err == nil {
		t.Error("an application joined that knows nobody")
	}
	w.end()
	w.sender.Send(t.Context())
	_, token, _ := strings.Cut(w.tokens[0], " ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[0] != "logout+jwt" || parts[2] != "RS256" {
		t.Fatalf("token %q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	w.must(err)
	var claims map[string]any
	w.must(json.Unmarshal(payload, &claims))
	jti, _ := claims["jti"].(string)
	delete(claims, "jti")
	want := map[string]any{
		"iss": issuer, "sub": "its-subject", "aud": []any{"back"}, "sid": "its-sid", "iat": float64(w.now.Unix()), "exp": float64(w.now.Unix() + 120),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if diff := cmp.Diff(want, claims); diff != "" || len(jti) < 16 {
		t.Errorf("claims (-want +got):\n%s jti %q", diff, jti)
	}
}

// A failure that may pass is tried again, less and less often, for an hour.
func TestRetriesEnd(t *testing.T) {
	each(t, func(w *world) {
		w.join("back")
		w.end()
		w.status = http.StatusServiceUnavailable
		tries := 0
		for end := w.now.Add(2 * time.Hour); w.now.Before(end); w.now = w.now.Add(time.Second) {
			tries += w.sender.Send(w.Context())
		}
		if tries < 10 || tries > 20 || w.count("logout_notice") != 0 {
			w.Errorf("%d attempts, %d notices left; want some over an hour and then none", tries, w.count("logout_notice"))
		}
		if log := w.log.String(); !strings.Contains(log, "was not told") || !strings.Contains(log, "client_id=back") {
			w.Errorf("log %q", log)
		}
	})
}

func TestItIsToldLater(t *testing.T) {
	each(t, func(w *world) {
		w.join("back")
		w.end()
		w.status = http.StatusBadGateway
		w.sender.Send(w.Context())
		w.status = http.StatusNoContent
		if w.sender.Send(w.Context()) != 0 {
			w.Error("tried again at once")
		}
		w.now = w.now.Add(2 * time.Second)
		if w.sender.Send(w.Context()) != 1 || w.count("logout_notice") != 0 {
			w.Error("not told after the pause")
		}
	})
}

// What the application says no to is not asked twice.
func TestRefusalIsFinal(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusFound, http.StatusNotFound} {
		w := newWorld(t, sqldbtest.SQLite(t, store.Migrations()))
		w.join("back")
		w.end()
		w.status = status
		if w.sender.Send(t.Context()) != 1 || w.count("logout_notice") != 0 {
			t.Errorf("%d: it is tried again", status)
		}
	}
}

// Several servers share the notices; each is sent by one of them.
func TestClaimIsExclusive(t *testing.T) {
	each(t, func(w *world) {
		for range 20 {
			w.join("back", "both")
			w.end()
		}
		sent := make([]int, 4)
		var wg sync.WaitGroup
		for i := range sent {
			wg.Go(func() {
				for n := w.sender.Send(w.Context()); n > 0; n = w.sender.Send(w.Context()) {
					sent[i] += n
				}
			})
		}
		wg.Wait()
		if got := len(w.told()); got != 40 || w.count("logout_notice") != 0 {
			w.Errorf("told %d times, want 40 (%v)", got, sent)
		}
	})
}

func TestParticipantsOfGoneSessionsAreSwept(t *testing.T) {
	each(t, func(w *world) {
		w.join("back", "both")
		if n, err := (store.Participants{DB: w.db}).Sweep(w.Context(), 10); n != 2 || err != nil {
			w.Errorf("Sweep = %d, %v; want 2", n, err)
		}
	})
}
