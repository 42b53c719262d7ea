package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
)

type memory map[string]session.Session

func (m memory) Insert(_ context.Context, s session.Session) error { m[s.ID] = s; return nil }

func (m memory) Get(_ context.Context, id string) (session.Session, error) {
	s, ok := m[id]
	if !ok {
		return session.Session{}, session.ErrNone
	}
	return s, nil
}

func (m memory) Touch(_ context.Context, id string, at time.Time) error {
	s := m[id]
	s.UsedAt = at
	m[id] = s
	return nil
}

func (m memory) Delete(_ context.Context, id string) error { delete(m, id); return nil }

func (m memory) Of(_ context.Context, user provisioning.UserID) ([]session.Session, error) {
	var out []session.Session
	for _, s := range m {
		if s.User == user {
			out = append(out, s)
		}
	}
	return out, nil
}

func (m memory) TakeAllOf(_ context.Context, user provisioning.UserID, keep string) ([]session.Session, error) {
	var all []session.Session
	for id, s := range m {
		if s.User == user && id != keep {
			delete(m, id)
			all = append(all, s)
		}
	}
	return all, nil
}

type fixture struct {
	*session.Manager
	rows memory
	now  time.Time
}

func newFixture() *fixture {
	f := &fixture{rows: memory{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	f.Manager = &session.Manager{
		Store: f.rows, List: f.rows, Cookies: session.NewCookies(true), Now: func() time.Time { return f.now },
		Address: func(*http.Request) string { return "192.0.2.1" },
	}
	return f
}

func request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func (f *fixture) start(t *testing.T, cookies ...*http.Cookie) *http.Cookie {
	t.Helper()
	_, cookie, err := f.Start(t.Context(), request(cookies...), "u1", "pwd")
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func (f *fixture) alive(t *testing.T, cookies ...*http.Cookie) bool {
	t.Helper()
	s, err := f.Current(t.Context(), request(cookies...))
	if err != nil && !errors.Is(err, session.ErrNone) {
		t.Fatal(err)
	}
	return err == nil && s.User == "u1"
}

func TestStartRotates(t *testing.T) {
	f := newFixture()
	first := f.start(t)
	second := f.start(t, first)
	if first.Value == second.Value || f.alive(t, first) || !f.alive(t, second) || len(f.rows) != 1 {
		t.Errorf("the earlier session lives on: %d rows", len(f.rows))
	}
	for id := range f.rows {
		if strings.Contains(id, second.Value) || id == second.Value {
			t.Error("the database holds the cookie's value")
		}
	}
}

// Applications know a session by its SID, which only another user changes.
func TestSIDSurvivesTheSameUser(t *testing.T) {
	f := newFixture()
	var ended []string
	f.Ended = func(_ context.Context, s session.Session) error {
		ended = append(ended, s.SID)
		return nil
	}
	sid := func(cookie *http.Cookie) string {
		s, err := f.Current(t.Context(), request(cookie))
		if err != nil {
			t.Fatal(err)
		}
		return s.SID
	}
	first := f.start(t)
	was := sid(first)
	second := f.start(t, first)
	if was == "" || sid(second) != was || len(ended) != 0 {
		t.Errorf("sid %q became %q, ended %v; want the same and nobody told", was, sid(second), ended)
	}
	_, third, err := f.Start(t.Context(), request(second), "u2", "pwd")
	if err != nil {
		t.Fatal(err)
	}
	other := sid(third)
	if other == was || len(ended) != 1 || ended[0] != was {
		t.Errorf("another user has sid %q, ended %v; want a new one, and the first told", other, ended)
	}
	if _, err := f.End(t.Context(), request(third)); err != nil || len(ended) != 2 || ended[1] != other {
		t.Errorf("End told %v (%v)", ended, err)
	}
	if f.start(t); sid(f.start(t)) == was {
		t.Error("two browsers share a sid")
	}
	if err := f.EndAllOf(t.Context(), "u1"); err != nil || len(ended) != 4 {
		t.Errorf("EndAllOf told of %d sessions, want 2 more (%v)", len(ended), err)
	}
}

func TestLifetimes(t *testing.T) {
	f := newFixture()
	cookie := f.start(t)
	f.now = f.now.Add(session.DefaultIdle - time.Second)
	if !f.alive(t, cookie) {
		t.Fatal("ended before the idle time")
	}
	f.now = f.now.Add(session.DefaultIdle)
	if f.alive(t, cookie) {
		t.Error("outlives the idle time")
	}
	cookie = f.start(t)
	for end := f.now.Add(session.DefaultLifetime); f.now.Before(end); f.now = f.now.Add(time.Hour) {
		if !f.alive(t, cookie) {
			t.Fatalf("a used session ended %s early", end.Sub(f.now))
		}
	}
	if f.alive(t, cookie) {
		t.Error("use keeps it alive beyond its lifetime")
	}
}

func TestEnd(t *testing.T) {
	f := newFixture()
	cookie := f.start(t)
	expired, err := f.End(t.Context(), request(cookie))
	if err != nil || f.alive(t, cookie) {
		t.Errorf("End = %v, alive %v", err, f.alive(t, cookie))
	}
	if expired == nil || expired.MaxAge >= 0 || expired.Name != cookie.Name {
		t.Errorf("cookie %v, want ours taken back", expired)
	}
	if none, err := f.End(t.Context(), request()); none != nil || err != nil {
		t.Errorf("End without a session = %v, %v", none, err)
	}
	cookie = f.start(t)
	if err := f.EndAllOf(t.Context(), "u1"); err != nil || f.alive(t, cookie) {
		t.Errorf("EndAllOf = %v", err)
	}
}

// A user sees the sessions that are alive, and ends all but the one they are in.
func TestSessionsOfAUser(t *testing.T) {
	f := newFixture()
	f.start(t)
	f.now = f.now.Add(session.DefaultIdle)
	second := f.start(t)
	r := request(second)
	r.Header.Set("User-Agent", "Firefox \xff"+strings.Repeat("x", 1000))
	third, _, err := f.Start(t.Context(), request(), "u1", "pwd")
	if err != nil {
		t.Fatal(err)
	}
	live, err := f.Of(t.Context(), "u1")
	if err != nil || len(live) != 2 {
		t.Fatalf("%d live sessions, %v; want 2", len(live), err)
	}
	if err := f.EndOthersOf(t.Context(), "u1", third.ID); err != nil || f.alive(t, second) {
		t.Errorf("EndOthersOf = %v, another lives on: %v", err, f.alive(t, second))
	}
	if _, err := f.Get(t.Context(), third.ID); err != nil {
		t.Errorf("the kept session: %v", err)
	}
	s, _, err := f.Start(t.Context(), r, "u1", "pwd")
	if err != nil || !strings.HasPrefix(s.Agent, "Firefox x") || len(s.Agent) > 300 || s.Address != "192.0.2.1" {
		t.Errorf("the session knows of its browser %q at %q, %v", s.Agent, s.Address, err)
	}
}

func TestCookieAttributes(t *testing.T) {
	f := newFixture()
	w := httptest.NewRecorder()
	f.Cookies.EnsureBrowser(w, request())
	for _, c := range append(w.Result().Cookies(), f.start(t)) {
		if !strings.HasPrefix(c.Name, "__Host-anteroom") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %s", c)
		}
	}
	plain := session.NewCookies(false)
	w = httptest.NewRecorder()
	plain.EnsureBrowser(w, request())
	if c := w.Result().Cookies()[0]; strings.HasPrefix(c.Name, "__") || c.Secure || !c.HttpOnly {
		t.Errorf("plain cookie %s", c)
	}
}

// Two cookies of one name, or one of another shape, are not ours.
func TestPlantedCookies(t *testing.T) {
	f := newFixture()
	cookie := f.start(t)
	planted := *cookie
	planted.Value = f.start(t).Value
	if f.alive(t, cookie, &planted) {
		t.Error("a doubled cookie counts")
	}
	planted.Value = "short"
	if f.alive(t, &planted) {
		t.Error("a malformed cookie counts")
	}
}

func TestBrowserKey(t *testing.T) {
	cookies := session.NewCookies(true)
	w := httptest.NewRecorder()
	b := cookies.EnsureBrowser(w, request())
	r := request(w.Result().Cookies()...)
	again := httptest.NewRecorder()
	if got := cookies.EnsureBrowser(again, r); got != b || len(again.Result().Cookies()) != 0 {
		t.Error("the same browser got another key")
	}
	other := cookies.EnsureBrowser(httptest.NewRecorder(), request())
	if !b.Is(b.Hash()) || other.Is(b.Hash()) || (session.Browser{}).Is(nil) || b.Is(nil) {
		t.Error("Is takes a foreign or empty key")
	}
	token := b.Token("x")
	if !b.CheckToken("x", token) || b.CheckToken("y", token) || other.CheckToken("x", token) || b.CheckToken("x", "") {
		t.Error("CheckToken takes a foreign token")
	}
	none := session.Browser{}
	if none.CheckToken("x", none.Token("x")) {
		t.Error("a token without a browser key counts")
	}
}

func FuzzCookies(f *testing.F) {
	f.Add("__Host-anteroom=abc; __Host-anteroom-browser=def")
	f.Add("__Host-anteroom=" + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, header string) {
		r := request()
		r.Header.Set("Cookie", header)
		m := newFixture()
		if _, err := m.Current(t.Context(), r); !errors.Is(err, session.ErrNone) {
			t.Errorf("Current of a stranger = %v", err)
		}
		if b, ok := m.Cookies.Browser(r); ok && !b.Is(b.Hash()) {
			t.Error("a browser is not itself")
		}
	})
}
