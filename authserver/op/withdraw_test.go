package op_test

import (
	"net/http"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/store"
)

// Whatever an application holds of a user is worth nothing once the user withdrew
// it, a code that is on its way included.
func TestWithdrawnApplicationHoldsNothing(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		code := s.code(t, authorizeForm())
		if err := (store.Permissions{DB: s.db}).Withdraw(t.Context(), alice, "app", s.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if s.active(t, issued.AccessToken) || s.active(t, issued.RefreshToken) || s.userinfo(issued.AccessToken).Code != http.StatusUnauthorized {
			t.Error("a token lives on")
		}
		refused(t, s.token(refreshForm(issued.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
		if again := granted(t, s.token(codeForm(s.code(t, authorizeForm())))); !s.active(t, again.AccessToken) {
			t.Error("a new authorization is worth nothing")
		}
	})
}
