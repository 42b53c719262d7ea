package flow_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func leaving(u *federation.Upstream) { u.Logout = true }

// departing is a browser that signed out here and is at the upstream's door.
func (s *stack) departing(p *provider) *browser {
	s.t.Helper()
	b := s.browser().get(start).with("corp").through(p).backWith("code", "")
	sid, user := s.session()
	b.get(s.logoutPath(user, sid))
	if !strings.HasPrefix(b.page.url.String(), p.server.URL+"/logout?") {
		s.t.Fatalf("at %s, want the upstream", b.page.url)
	}
	return b
}

func (b *browser) departure() string {
	return federation.LogoutReturnPath + "?state=" + b.page.url.Query().Get("state")
}

// Who signs out is signed out at the upstream, too, and comes back to where the
// application wanted them.
func TestSignOutUpstream(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newStackOn(t, db)
		p := newProvider(t, s.clock.Now)
		s.federate(p, leaving)
		b := s.departing(p)
		q := b.page.url.Query()
		token := q.Get("id_token_hint")
		got := map[string]string{"client_id": q.Get("client_id"), "post_logout_redirect_uri": q.Get("post_logout_redirect_uri"), "tenant": q.Get("tenant")}
		want := map[string]string{"client_id": "anteroom", "post_logout_redirect_uri": s.server.URL + "/sign-out/upstream", "tenant": "1"}
		if diff := cmp.Diff(want, got); diff != "" || strings.Count(token, ".") != 2 || q.Has("return_to") {
			t.Errorf("request (-want +got):\n%s%v", diff, q)
		}
		if _, _, sessions := people(t, db); sessions != 0 {
			t.Error("the session goes on while the upstream is asked")
		}
		back := b.departure()
		b.get(back).leftFor(afterLogout)
		b.get(back).at("/sign-out") // used up: nothing leads to the application again

		own := s.browser().get(start).with("corp").through(p).backWith("code", "").get("/sign-out")
		own.submit("/sign-out", nil)
		own.get(own.departure()).at("/sign-out/done")
	}, store.Migrations())
}

// The way back is the browser's that left, once, for ten minutes.
func TestSignOutUpstreamIsBound(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p, leaving)
	s.browser().get(s.departing(p).departure()).at("/sign-out")
	s.browser().get(federation.LogoutReturnPath + "?state=x&return_to=https://evil.example").at("/sign-out")
	s.browser().get(federation.LogoutReturnPath).at("/sign-out")
	late := s.departing(p)
	s.clock.advance(11 * time.Minute)
	late.get(late.departure()).at("/sign-out")
	// ID tokens are gone with their sessions.
	s.browser().get(start).with("corp").through(p).backWith("code", "")
	sid, _ := s.session()
	kept := store.Departures{DB: s.db, Sealer: plainSealer{}}
	if _, err := kept.Origin(t.Context(), sid); err != nil {
		t.Error(err)
	}
	_, err := s.db.Exec(t.Context(), `DELETE FROM sessions`)
	must(t, err)
	if n, err := kept.Sweep(t.Context(), s.clock.Now(), 10); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := kept.Origin(t.Context(), sid); err == nil {
		t.Error("the ID token outlasts its session")
	}
}

// Nobody is kept here by an upstream that need not, cannot or does not sign them out.
func TestSignOutWithoutUpstream(t *testing.T) {
	for name, c := range map[string]struct {
		before, between func(s *stack, p *provider)
	}{
		"not wanted":       {before: func(s *stack, p *provider) { s.offer("corp", p) }},
		"no longer wanted": {between: func(s *stack, p *provider) { s.offer("corp", p) }},
		"disabled": {between: func(s *stack, p *provider) {
			s.offer("corp", p, leaving, func(u *federation.Upstream) { u.Enabled = false })
		}},
		"no endpoint": {before: func(_ *stack, p *provider) {
			p.lieMetadata = func(m map[string]any) { delete(m, "end_session_endpoint") }
		}},
		"plain endpoint": {before: func(_ *stack, p *provider) {
			p.lieMetadata = func(m map[string]any) { m["end_session_endpoint"] = "http://other.example/logout" }
		}},
		"down": {between: func(s *stack, p *provider) {
			p.server.CloseClientConnections()
			p.server.Close()
			s.clock.advance(2 * time.Hour)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			p := newProvider(t, s.clock.Now)
			s.federate(p, leaving)
			if c.before != nil {
				c.before(s, p)
			}
			b := s.browser().get(start).with("corp").through(p).backWith("code", "")
			if c.between != nil {
				c.between(s, p)
			}
			sid, user := s.session()
			b.get(s.logoutPath(user, sid)).leftFor(afterLogout)
			if _, _, sessions := people(t, s.db); sessions != 0 {
				t.Errorf("%d sessions", sessions)
			}
		})
	}
	s := newStack(t)
	s.federate(newProvider(t, s.clock.Now), leaving)
	b := s.browser().get(start).signIn().backWith("code", "")
	sid, user := s.session()
	b.get(s.logoutPath(user, sid)).leftFor(afterLogout)
}

// A code, or a form, between the upstream's answer and the session does not lose it.
func TestSignOutUpstreamAfterCode(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p, leaving, confirming(all()...))
	s.browser().get(start).with("corp").through(p).submit(confirmPath, nil).backWith("code", "").
		get("/sign-out").submit("/sign-out", nil).status(http.StatusSeeOther)
	show := s.enrolAs("grace")
	b := s.browser().get(start).with("corp").through(p).submit("/sign-in/code", map[string]string{"code": show()}).backWith("code", "")
	sid, user := s.session()
	b.get(s.logoutPath(user, sid))
	if !strings.HasPrefix(b.page.url.String(), p.server.URL+"/logout?") {
		t.Errorf("at %s, want the upstream", b.page.url)
	}
}
