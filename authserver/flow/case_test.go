package flow_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/user"
)

// flowCase is an unsaved sign-in that is about to be issued.
type flowCase struct {
	ada    user.User
	signIn *flow.SignIn
}

func newFlowCase(t *testing.T, s *stack) *flowCase {
	t.Helper()
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	ada, err := s.users.ByLogin(t.Context(), "ada")
	must(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/authorize", nil)
	for _, c := range b.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	in, step, err := s.driver.Begin(httptest.NewRecorder(), r, flow.AuthorizeRequest{Client: "payroll", RedirectURI: callback})
	if err != nil || step.Action != flow.ActionIssue {
		t.Fatalf("Begin = %s, %v; want issue", step.Action, err)
	}
	return &flowCase{ada, in}
}

func (c *flowCase) rename(t *testing.T, s *stack) {
	t.Helper()
	app, err := s.apps.Get(t.Context(), "payroll")
	must(t, err)
	app.Name = "Wages"
	_, err = s.apps.Put(t.Context(), app)
	must(t, err)
}

func (c *flowCase) wantNotYet(t *testing.T, s *stack) {
	t.Helper()
	if _, err := s.driver.Permit(t.Context(), c.signIn); !errors.Is(err, flow.ErrNotYet) {
		t.Errorf("Permit = %v, want ErrNotYet", err)
	}
}
