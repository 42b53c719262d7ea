package op_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/op"
)

const spaOrigin = "https://spa.example"

// from sends a request from a page.
func (s *server) from(origin string, r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Origin", origin)
	return s.do(r)
}

// readable checks who may read an answer.
func readable(t *testing.T, name string, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	h := w.Header()
	if got := h.Get("Access-Control-Allow-Origin"); got != want {
		t.Errorf("%s: %d may be read by %q, want %q", name, w.Code, got, want)
	}
	if h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%s: cookies are allowed", name)
	}
	if want != "*" && !slices.Contains(h.Values("Vary"), "Origin") {
		t.Errorf("%s: Vary is %q, want Origin", name, h.Values("Vary"))
	}
	if (h.Get("Access-Control-Expose-Headers") == "WWW-Authenticate, DPoP-Nonce, Retry-After") != (want != "" && want != "*") {
		t.Errorf("%s: exposed is %q", name, h.Get("Access-Control-Expose-Headers"))
	}
}

// crossOriginCalls are the application's calls, right and wrong.
func (s *server) crossOriginCalls(access string) map[string]*http.Request {
	basic := func(path string, form url.Values) *http.Request {
		r := post(path, form)
		r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
		return r
	}
	wrong := post(op.PathToken, codeForm("x"))
	wrong.SetBasicAuth("app", "wrong")
	info := httptest.NewRequest(http.MethodGet, op.PathUserinfo, nil)
	info.Header.Set("Authorization", "Bearer "+access)
	return map[string]*http.Request{
		"token":                 basic(op.PathToken, url.Values{"grant_type": {"client_credentials"}}),
		"token, error":          basic(op.PathToken, codeForm("x")),
		"wrong secret":          wrong,
		"pushed":                basic(op.PathPushed, authorizeForm()),
		"device":                basic(op.PathDevice, url.Values{"scope": {"openid"}}),
		"revoke":                basic(op.PathRevoke, url.Values{"token": {"x"}}),
		"userinfo":              info,
		"userinfo, in the body": post(op.PathUserinfo, url.Values{"access_token": {access}}),
	}
}

// An application's pages read what it is answered, errors too. Pages of nobody, and
// of another application, do not; nor does anybody's if it has none.
func TestCORSIsExactForEachApplication(t *testing.T) {
	s := lite(t)
	access := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).AccessToken
	other := public()
	other.ClientID, other.CORSOrigins = "other", []string{"https://other.example"}
	s.apps["other"] = other
	for name, r := range s.crossOriginCalls(access) {
		readable(t, name+", no origins", s.from(spaOrigin, r), "")
	}
	app := s.apps["app"]
	app.CORSOrigins = []string{"https://elsewhere.example", spaOrigin}
	s.apps["app"] = app
	for name, r := range s.crossOriginCalls(access) {
		readable(t, name, s.from(spaOrigin, r), spaOrigin)
	}
	for _, origin := range []string{"https://other.example", "null", "*", "http://spa.example", spaOrigin + ":8443", spaOrigin + ".evil.example", "https://SPA.example"} {
		for name, r := range s.crossOriginCalls(access) {
			readable(t, name+", "+origin, s.from(origin, r), "")
		}
	}
	for name, r := range s.crossOriginCalls(access) {
		readable(t, name+", no page", s.do(r), "")
	}
	app.Enabled = false
	s.apps["app"] = app
	for name, r := range s.crossOriginCalls(access) {
		readable(t, name+", disabled", s.from(spaOrigin, r), "")
	}
}

// Whose a request is decides: without that nobody reads the answer.
func TestCORSWithoutAnApplication(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.CORSOrigins = []string{spaOrigin}
	s.apps["app"] = app
	readable(t, "unknown client", s.from(spaOrigin, post(op.PathToken, codeForm("x", "client_id", "nobody"))), "")
	readable(t, "malformed", s.from(spaOrigin, httptest.NewRequest(http.MethodPost, op.PathToken, nil)), "")
	readable(t, "no token", s.from(spaOrigin, httptest.NewRequest(http.MethodGet, op.PathUserinfo, nil)), "")
	r := post(op.PathIntrospect, url.Values{"token": {"x"}})
	r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	if w := s.from(spaOrigin, r); w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("introspection: %d, may be read by %q", w.Code, w.Header().Get("Access-Control-Allow-Origin"))
	}
	if w := s.from(spaOrigin, httptest.NewRequest(http.MethodGet, op.PathAuthorize+"?"+authorizeForm().Encode(), nil)); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page may read the authorization response")
	}
}

// What everybody may know, any page may read.
func TestCORSOfPublicDocuments(t *testing.T) {
	s := lite(t)
	for _, path := range []string{op.PathDiscovery, op.PathServerMetadata, op.PathKeys} {
		readable(t, path, s.from(spaOrigin, httptest.NewRequest(http.MethodGet, path, nil)), "*")
	}
}

// A preflight is answered alike for everybody, and nothing is looked up for it.
func TestPreflight(t *testing.T) {
	s := lite(t)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	for path, methods := range map[string]string{
		op.PathToken: "POST", op.PathPushed: "POST", op.PathDevice: "POST", op.PathRevoke: "POST", op.PathUserinfo: "GET, POST",
		op.PathDiscovery: "GET", op.PathServerMetadata: "GET", op.PathKeys: "GET",
	} {
		r := httptest.NewRequest(http.MethodOptions, path, nil)
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		r.Header.Set("Access-Control-Request-Headers", "authorization,dpop")
		w := s.from(spaOrigin, r)
		readable(t, path, w, "*")
		h := w.Header()
		if w.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Methods") != methods || h.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, DPoP" {
			t.Errorf("%s: %d %v; want %s", path, w.Code, h, methods)
		}
	}
	for _, path := range []string{op.PathAuthorize, op.PathIntrospect, op.PathLogout, op.PathResume} {
		if w := s.from(spaOrigin, httptest.NewRequest(http.MethodOptions, path, nil)); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v, want 405", path, w.Code, w.Header())
		}
	}
}
