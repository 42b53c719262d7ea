package flow_test

import (
	"net/http"
	"testing"
)

// A sign-in for a page of ours ends there, and is nothing that package op knows.
func TestOwnSignInIsNeverIssued(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/own").at("/sign-in").says("to manage your account")
	id := b.signInID()
	b.get("/oauth2/authorize/resume?sign_in=" + id).status(http.StatusNotFound)
	b.get("/sign-in?sign_in=" + id).signIn().at("/")
	b.get("/oauth2/authorize/resume?sign_in=" + id).status(http.StatusNotFound)
	b.get("/own").at("/") // signed in already
	b.get("/own?again").at("/sign-in").signIn().at("/")
	if s.codes() != 0 {
		t.Errorf("%d codes for a page of ours", s.codes())
	}
}

// The page of an application's sign-in is no way to one of ours.
func TestApplicationsSignInDoesNotReturn(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	b.get("/sign-in/done?sign_in=" + b.signInID()).status(http.StatusNotFound)
}
