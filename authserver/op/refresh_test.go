package op_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
)

// grace sets the application's refresh grace. Tests that stay within one take a
// minute, so that no slow machine leaves it.
func (s *server) grace(text string) {
	app := s.apps["app"]
	app.RefreshGrace = text
	s.apps["app"] = app
}

// A client whose answer was lost tries again and goes on. Only one of the answers
// is ever used: whoever comes with another afterwards ends the family.
func TestRefreshGrace(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.grace("1m")
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		lost := granted(t, s.token(refreshForm(first.RefreshToken)))
		again := granted(t, s.token(refreshForm(first.RefreshToken)))
		if again.RefreshToken == lost.RefreshToken || again.Scope != lost.Scope || idClaims(t, again.IDToken)["sub"] != string(alice) {
			t.Errorf("the second answer is %+v", again)
		}
		next := granted(t, s.token(refreshForm(again.RefreshToken)))
		granted(t, s.token(refreshForm(again.RefreshToken))) // the parent of the newest in its turn
		if s.active(t, lost.RefreshToken) || s.active(t, again.RefreshToken) || !s.active(t, next.RefreshToken) {
			t.Error("want the newest generation active and no earlier one")
		}
		refused(t, s.token(refreshForm(lost.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		refused(t, s.token(refreshForm(next.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		if w := s.userinfo(next.AccessToken); w.Code != http.StatusUnauthorized {
			t.Errorf("userinfo = %d, want 401", w.Code)
		}
	})
}

// What ends the family although the grace is not over, or because it is.
func TestRefreshGraceEnds(t *testing.T) {
	for name, reuse := range map[string]func(s *server, first, second tokens) *httptest.ResponseRecorder{
		"grandparent": func(s *server, first, second tokens) *httptest.ResponseRecorder {
			granted(t, s.token(refreshForm(second.RefreshToken)))
			return s.token(refreshForm(first.RefreshToken))
		},
		"another application": func(s *server, first, _ tokens) *httptest.ResponseRecorder {
			return s.asOther(op.PathToken, refreshForm(first.RefreshToken))
		},
		"strict": func(s *server, first, _ tokens) *httptest.ResponseRecorder {
			s.grace("0s")
			return s.token(refreshForm(first.RefreshToken))
		},
		"too late": func(s *server, first, _ tokens) *httptest.ResponseRecorder {
			s.clock.advance(time.Minute + time.Second)
			return s.token(refreshForm(first.RefreshToken))
		},
	} {
		s := lite(t) // its clock moves
		s.grace("1m")
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		second := granted(t, s.token(refreshForm(first.RefreshToken)))
		refused(t, reuse(s, first, second), http.StatusBadRequest, "invalid_grant")
		if s.active(t, second.RefreshToken) || s.active(t, second.AccessToken) {
			t.Errorf("%s: the family lives on", name)
		}
	}
}

// The window begins with the first use and does not move.
func TestRefreshGraceDoesNotSlide(t *testing.T) {
	s := lite(t)
	s.grace("1m")
	first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	granted(t, s.token(refreshForm(first.RefreshToken)))
	s.clock.advance(30 * time.Second)
	granted(t, s.token(refreshForm(first.RefreshToken)))
	s.clock.advance(31 * time.Second)
	refused(t, s.token(refreshForm(first.RefreshToken)), http.StatusBadRequest, "invalid_grant")
}

// Of requests at once all get an answer, and of the answers one goes on.
func TestRefreshGraceInParallel(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.grace("1m")
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		won := winners(t, parallel(4, func() *httptest.ResponseRecorder { return s.token(refreshForm(first.RefreshToken)) }))
		if len(won) != 4 {
			t.Fatalf("%d of 4 requests at once were answered, want all", len(won))
		}
		turn := make(chan string, len(won))
		for _, w := range won {
			turn <- w.RefreshToken
		}
		next := winners(t, parallel(len(won), func() *httptest.ResponseRecorder { return s.token(refreshForm(<-turn)) }))
		if len(next) > 1 {
			t.Errorf("%d of one generation went on, want one", len(next))
		}
		for _, n := range next {
			refused(t, s.token(refreshForm(n.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		}
	})
}
