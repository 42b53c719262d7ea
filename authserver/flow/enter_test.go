package flow_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/flow"
)

// entering is a server with a page of ours that speaks for an application's device.
func entering(t *testing.T) *stack {
	t.Helper()
	s := newStack(t)
	own := s.server.Config.Handler
	s.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/enter" {
			own.ServeHTTP(w, r)
			return
		}
		if err := s.driver.Enter(w, r, flow.AuthorizeRequest{Client: "payroll", Device: []byte("device")}); err != nil {
			s.driver.Error(w, r, err)
		}
	})
	return s
}

// The gate holds up what a page of ours began as it does an application's request,
// and the sign-in knows to the end which device it is for.
func TestEnterWaitsForTheGate(t *testing.T) {
	s := entering(t)
	s.blocking("directory")
	b := s.browser().get("/enter").at("/sign-in").signIn().at("/wait")
	in, err := s.driver.SignIns.Get(t.Context(), flow.ID(b.signInID()))
	if err != nil || !bytes.Equal(in.Request.Device, []byte("device")) || s.codes() != 0 {
		t.Errorf("sign-in = %+v, %v with %d answers; want it to wait for the device", in.Request, err, s.codes())
	}
	s.ledger.inSync("directory")
	b.get("/wait?sign_in="+b.signInID()).backWith("code", "")
	if s.codes() != 1 {
		t.Errorf("%d answers, want one", s.codes())
	}
}

// With a session and nothing to wait for no page is needed, and the sign-in is stored
// all the same: package op resumes it.
func TestEnterWithASession(t *testing.T) {
	s := entering(t)
	b := s.browser().get("/enter").signIn().backWith("code", "")
	before := s.rows()
	b.get("/enter").backWith("code", "")
	if s.codes() != 2 || s.rows() != before+1 {
		t.Errorf("%d answers, %d more sign-ins; want two and one", s.codes(), s.rows()-before)
	}
}
