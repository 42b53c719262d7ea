package e2e

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
)

func logoutModules() []conformanceModule {
	return []conformanceModule{
		{"oidcc-rp-initiated-logout-discovery-endpoint-verification", logoutDiscovery},
		{"oidcc-rp-initiated-logout", logoutFull},
		{"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", logoutRefused(func(q url.Values) {
			q.Set("post_logout_redirect_uri", "http://127.0.0.1:9/somewhere/else")
		})},
		{"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", logoutRefused(func(q url.Values) {
			q.Set("post_logout_redirect_uri", suiteAfterLogout+"?foo=bar")
		})},
		{"oidcc-rp-initiated-logout-modified-id-token-hint", logoutRefused(func(q url.Values) {
			header, rest, _ := strings.Cut(q.Get("id_token_hint"), ".")
			payload, signature, _ := strings.Cut(rest, ".")
			changed := []byte(signature)
			slices.Reverse(changed)
			q.Set("id_token_hint", header+"."+payload+"."+string(changed))
		})},
		{"oidcc-rp-initiated-logout-bad-id-token-hint", logoutRefused(func(q url.Values) { q.Set("id_token_hint", "1234") })},
		{"oidcc-rp-initiated-logout-no-id-token-hint", logoutAsked(func(q url.Values) { q.Del("id_token_hint") })},
		{"oidcc-rp-initiated-logout-no-params", logoutAsked(func(q url.Values) { clear(q) })},
		{"oidcc-rp-initiated-logout-only-state", logoutAsked(func(q url.Values) {
			q.Del("id_token_hint")
			q.Del("post_logout_redirect_uri")
		})},
		{"oidcc-rp-initiated-logout-no-post-logout-redirect-uri", logoutWithoutReturn},
		{"oidcc-rp-initiated-logout-no-state", logoutWithoutState},
	}
}

func logoutDiscovery(t *testing.T, s *suite) {
	if s.endpoint(t, "end_session_endpoint") == "" {
		t.Error("no end_session_endpoint")
	}
}

// logout signs in and opens a full logout request with changes.
func (p *party) logout(change func(url.Values)) *browser.Page {
	p.Helper()
	g := p.signIn()
	q := url.Values{"id_token_hint": {g.idToken()}, "post_logout_redirect_uri": {suiteAfterLogout}, "state": {"state of the suite"}}
	change(q)
	return p.open(p.endpoint(p.T, "end_session_endpoint") + "?" + q.Encode())
}

func (p *party) wantBack(page *browser.Page, want string) {
	p.Helper()
	if page.Location == nil || page.Location.String() != want {
		p.Errorf("at %s (%d, %q), want %s", page.URL, page.Status, page.Title, want)
	}
	if p.signedIn() {
		p.Error("the session lives on")
	}
}

func logoutFull(t *testing.T, s *suite) {
	p := s.party(t)
	p.wantBack(p.logout(func(url.Values) {}), suiteAfterLogout+"?state=state+of+the+suite")
}

func logoutWithoutState(t *testing.T, s *suite) {
	p := s.party(t)
	p.wantBack(p.logout(func(q url.Values) { q.Del("state") }), suiteAfterLogout)
}

func logoutWithoutReturn(t *testing.T, s *suite) {
	p := s.party(t)
	page := p.logout(func(q url.Values) {
		q.Del("post_logout_redirect_uri")
		q.Del("state")
	})
	if page.Location != nil || page.Title == "" || !strings.Contains(page.Text, "You are signed out") || p.signedIn() {
		t.Errorf("at %s: %s", page.URL, page.Text)
	}
}

// logoutRefused wants an error page, no redirect and the session untouched.
func logoutRefused(change func(url.Values)) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.party(t)
		if page := p.logout(change); page.Location != nil || page.Status != 400 {
			t.Errorf("at %s (%d): %s", page.URL, page.Status, page.Text)
		}
		if !p.signedIn() {
			t.Error("the session ended")
		}
	}
}

// logoutAsked wants the person to be asked, and our own page afterwards: nothing
// says that the request came from the application.
func logoutAsked(change func(url.Values)) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.party(t)
		page := p.logout(change)
		if page.Location != nil || !p.signedIn() {
			t.Fatalf("at %s (%d), want the question first", page.URL, page.Status)
		}
		page = p.submit(page, "/sign-out", nil)
		if page.Location != nil || !strings.Contains(page.Text, "You are signed out") || p.signedIn() {
			t.Errorf("at %s: %s", page.URL, page.Text)
		}
	}
}
