package flow_test

import (
	"net/http"
	"net/url"
	"testing"

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
