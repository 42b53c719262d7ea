package flow_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const afterLogout = "https://payroll.example.com/out?state=x"

// session returns the sid and user of the one live session.
func (s *stack) session() (sid string, user provisioning.UserID) {
	s.t.Helper()
	must(s.t, s.db.QueryRow(s.t.Context(), "SELECT sid, user_id FROM sessions").Scan(&sid, &user))
	return sid, user
}

// An application with pairwise subjects names a session as its sector knows it, and no
// other name is believed.
func TestSignOutBySector(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	sid, user := s.session()
	ours, theirs := s.driver.Subjects.SID("a.example", sid), s.driver.Subjects.SID("b.example", sid)
	if ours == sid || ours == theirs {
		t.Fatalf("sectors know the session by %q and %q", ours, theirs)
	}
	for _, wrong := range []string{sid, theirs} {
		b.get(s.logoutPath(user, wrong) + "&sector=a.example").says("Sign out")
	}
	b.get(s.logoutPath(user, ours)).says("Sign out")
	b.get(s.logoutPath(user, ours) + "&sector=a.example").leftFor(afterLogout)
}

func (s *stack) logoutPath(user provisioning.UserID, sid string) string {
	return "/logout?" + url.Values{"client_id": {"payroll"}, "user": {string(user)}, "sid": {sid}, "return_to": {afterLogout}}.Encode()
}

const silently = "/authorize?client_id=payroll&prompt=none"

func TestSignOutByHint(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newStackOn(t, db)
		b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
		sid, user := s.session()
		b.get(s.logoutPath(user, sid)).leftFor(afterLogout)
		b.get(silently).backWith("error", "login_required")
		b.get(s.logoutPath(user, sid)).leftFor(afterLogout) // again, nothing is left to end
	}, store.Migrations())
}

// Whatever does not mean exactly this session is asked about, and until the person
// agrees nothing ends.
func TestSignOutAsksFirst(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	sid, user := s.session()
	for name, path := range map[string]string{
		"no hint": s.logoutPath("", ""), "another user": s.logoutPath("bob", sid), "another session": s.logoutPath(user, "other"),
		"no sid": s.logoutPath(user, ""), "nobody asks": "/logout",
	} {
		b.get(path).status(http.StatusOK).says("Sign out")
		b.get(silently).backWith("code", "")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	b.get(s.logoutPath("", "")).says("Payroll asks to sign you out").submit("/sign-out", nil).leftFor(afterLogout)
	b.get(silently).backWith("error", "login_required")
}

// The token of the form is for the address that was checked, and for no other.
func TestSignOutAddressCannotBeChanged(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	b.get(s.logoutPath("", "")).submit("/sign-out", map[string]string{"return_to": "https://evil.example/"}).status(http.StatusForbidden)
	form := b.get("/sign-out").fill("/sign-out", nil)
	form.Set("return_to", "https://evil.example/")
	b.post("/sign-out", form).status(http.StatusForbidden)
	b.get(silently).backWith("code", "")
}

// A session in one browser is no other browser's to end.
func TestSignOutInTwoBrowsers(t *testing.T) {
	s := newStack(t)
	first := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	sid, user := s.session()
	second := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	second.get(s.logoutPath(user, sid)).says("Sign out")
	s.browser().get(s.logoutPath(user, sid)).leftFor(afterLogout)
	first.get(silently).backWith("code", "")
	second.get(silently).backWith("code", "")
	first.get(s.logoutPath(user, sid)).leftFor(afterLogout)
	first.get(silently).backWith("error", "login_required")
	second.get(silently).backWith("code", "")
}

// Applications that want to hear of it join the session as they get their code.
func TestSignOutTellsApplications(t *testing.T) {
	s := newStack(t)
	app, err := s.apps.Get(t.Context(), "payroll")
	must(t, err)
	app.FrontchannelLogoutURI = "https://payroll.example.com/front"
	_, err = s.apps.Put(t.Context(), app)
	must(t, err)
	s.logouts.frames = []string{"https://payroll.example.com/front?sid=x"}
	s.browser().get("/authorize?client_id=closed").signIn().backWith("code", "")
	if len(s.logouts.joined) != 0 {
		t.Errorf("%v joined, and want to hear nothing", s.logouts.joined)
	}
	must(t, s.driver.Sessions.EndAllOf(t.Context(), s.ada(t)))
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	sid, user := s.session()
	if s.logouts.joined[sid] != "payroll" {
		t.Errorf("joined %v, want payroll in %s", s.logouts.joined, sid)
	}
	b.get(s.logoutPath(user, sid)).status(http.StatusOK).says("Signing you out")
	if csp := b.page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-src https://payroll.example.com") {
		t.Errorf("policy %q", csp)
	}
	frame := b.page.find(func(n *html.Node) bool { return n.Data == "iframe" })
	refresh := b.page.find(func(n *html.Node) bool { return n.Data == "meta" && attr(n, "http-equiv") == "refresh" })
	if frame == nil || attr(frame, "src") != s.logouts.frames[0] || refresh == nil || attr(refresh, "content") != "4;url="+afterLogout {
		t.Errorf("page:\n%s", b.page.body)
	}
	b.get(silently).backWith("error", "login_required")
}

func (s *stack) ada(t *testing.T) provisioning.UserID {
	t.Helper()
	u, err := s.users.ByLogin(t.Context(), "ada")
	must(t, err)
	return u.ID
}
