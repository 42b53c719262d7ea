package flow_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// enrol gives ada an app and returns what it shows.
func (s *stack) enrol() func() string {
	s.t.Helper()
	return s.enrolAs("ada")
}

func (s *stack) enrolAs(login string) func() string {
	s.t.Helper()
	u, err := s.users.ByLogin(s.t.Context(), login)
	must(s.t, err)
	must(s.t, s.factor.Begin(s.t.Context(), u.ID))
	key, err := s.factor.Pending(s.t.Context(), u.ID, login)
	must(s.t, err)
	show := func() string {
		s.t.Helper()
		code, err := totp.GenerateCode(key.Secret(), s.clock.Now())
		must(s.t, err)
		return code
	}
	_, err = s.factor.Confirm(s.t.Context(), u.ID, show())
	must(s.t, err)
	s.clock.advance(time.Minute)
	return show
}

func TestSecondFactor(t *testing.T) { sqldbtest.Each(t, secondFactor, store.Migrations()) }

func secondFactor(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	show := s.enrol()
	b := s.browser().get("/authorize?client_id=payroll").signIn().at("/sign-in/code").says("Enter your code")
	if b.cookie("anteroom") != "" {
		t.Error("a session before the code")
	}
	b.twin().get("/authorize?client_id=payroll&prompt=none").backWith("error", "login_required")
	b.submit("/sign-in/code", map[string]string{"code": "000000"}).status(http.StatusUnauthorized).says("wrong")
	b.submit("/sign-in/code", map[string]string{"code": show()}).backWith("code", "")
	var amr string
	must(t, db.QueryRow(t.Context(), `SELECT amr FROM sessions`).Scan(&amr))
	if amr != `["pwd","otp","mfa"]` {
		t.Errorf("amr %s", amr)
	}
	b.get("/authorize?client_id=payroll").backWith("code", "") // the session knows
	used := show()
	other := s.browser().get("/authorize?client_id=payroll").signIn()
	other.submit("/sign-in/code", map[string]string{"code": used}).status(http.StatusUnauthorized)
}

// The password is no way around the code, and what it proved does not last.
func TestCodePageCannotBeSkipped(t *testing.T) {
	s := newStack(t)
	show := s.enrol()
	b := s.browser().get("/authorize?client_id=payroll").at("/sign-in")
	id := b.signInID()
	b.get("/sign-in/code?sign_in=" + id).at("/sign-in") // not before the password
	b.signIn().at("/sign-in/code")
	for _, path := range []string{"/oauth2/authorize/resume", "/wait", "/sign-in/code"} {
		b.get(path + "?sign_in=" + id).at("/sign-in/code")
	}
	other := s.browser().get("/authorize?client_id=payroll")
	other.get("/sign-in/code?sign_in=" + id).status(http.StatusForbidden)
	form := b.fill("/sign-in/code", map[string]string{"code": show()})
	form.Set("token", "x")
	b.twin().post("/sign-in/code", form).status(http.StatusForbidden)
	s.clock.advance(11 * time.Minute)
	b.get("/sign-in/code?sign_in=" + id).at("/sign-in")
	if s.codes() != 0 || b.cookie("anteroom") != "" {
		t.Error("signed in without a code")
	}
}

// Who began as one person may go on as another, and then needs the other's code.
func TestSecondFactorRestart(t *testing.T) {
	s := newStack(t)
	show := s.enrol()
	b := s.browser().get("/authorize?client_id=payroll")
	id := b.signInID()
	b.signIn().at("/sign-in/code")
	code := b.fill("/sign-in/code", map[string]string{"code": show()})
	b.get("/sign-in?sign_in="+id).at("/sign-in").submit("/sign-in", map[string]string{"login": "nobody", "password": "nonsense"}).status(http.StatusUnauthorized)
	ada, err := s.users.ByLogin(t.Context(), "ada")
	must(t, err)
	must(t, s.factor.Remove(t.Context(), ada.ID)) // by an admin, meanwhile
	b.post("/sign-in/code", code).at("/sign-in")
	b.signIn().backWith("code", "")
}

func TestDisabledBeforeTheCode(t *testing.T) {
	s := newStack(t)
	show := s.enrol()
	b := s.browser().get("/authorize?client_id=payroll").signIn().at("/sign-in/code")
	ada, err := s.users.ByLogin(t.Context(), "ada")
	must(t, err)
	must(t, s.users.Disable(t.Context(), ada.ID))
	b.submit("/sign-in/code", map[string]string{"code": show()}).at("/sign-in")
	if s.codes() != 0 || b.cookie("anteroom") != "" {
		t.Error("a disabled user is signed in")
	}
}
