package op_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/op"
)

// quiet is a server for fuzzing; nothing it does may panic.
func quiet(f *testing.F) *server {
	f.Helper()
	return lite(f)
}

// FuzzAuthorize sends any query. Whatever it is, the answer is a page or a
// redirect to a registered URI, and a code comes only with all that is required.
func FuzzAuthorize(f *testing.F) {
	f.Add(authorizeForm().Encode())
	f.Add(nativeForm().Encode())
	f.Add(authorizeForm("prompt", "none login", "max_age", "-1").Encode())
	f.Add(authorizeForm("redirect_uri", "http://127.0.0.1:1/cb").Encode() + "&state=2")
	f.Add(authorizeForm("scope", "openid", "resource", reports).Encode() + "&resource=urn:example:other")
	f.Add(authorizeForm("scope", "openid", "resource", reports).Encode() + "&resource=&resource=https://x.example/%23")
	f.Add("client_id=app&redirect_uri=%zz")
	f.Add("client_id=native&redirect_uri=http%3A%2F%2F127.0.0.1%3A99999999%2Fcb&response_type=code&scope=%00")
	s := quiet(f)
	s.servers[reports] = reportsServer()
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: op.PathAuthorize, RawQuery: query}, Header: http.Header{}}
		w := s.do(r)
		location := w.Header().Get("Location")
		if w.Code != http.StatusSeeOther {
			if location != "" || w.Code < 400 || w.Code == http.StatusInternalServerError {
				t.Fatalf("status %d, location %q", w.Code, location)
			}
			return
		}
		if !strings.HasPrefix(location, callback+"?") && !strings.HasPrefix(location, "com.example.app:/cb?") &&
			!strings.HasPrefix(location, "http://127.0.0.1") {
			t.Fatalf("redirect to %q", location)
		}
		u, err := url.Parse(location)
		if err != nil {
			t.Fatalf("location %q: %v", location, err)
		}
		if host := u.Hostname(); host != "" && host != "app.example" && host != "127.0.0.1" {
			t.Fatalf("redirect to host %q", host)
		}
		got, sent := u.Query(), r.URL.Query()
		if got.Get("iss") != issuer || got.Has("code") == got.Has("error") || got.Get("error") == "server_error" {
			t.Fatalf("answer %v", got)
		}
		if got.Has("code") && (sent.Get("code_challenge_method") != "S256" || len(sent.Get("code_challenge")) != 43 || sent.Get("response_type") != "code") {
			t.Fatalf("a code for %q", query)
		}
		for _, resource := range sent["resource"] {
			if got.Has("code") && resource != "" && resource != reports && resource != issuer {
				t.Fatalf("a code for the unknown resource %q", resource)
			}
		}
	})
}

// send posts a body as it is, with Basic authentication if there is an id.
func (s *server) send(path, body, id, secret string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", formURLType)
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	return s.do(r)
}

// FuzzToken sends any body. Nobody has a code here, so nothing may come of it
// but an error, except a client's own token.
func FuzzToken(f *testing.F) {
	f.Add(codeForm("x").Encode(), "app", appSecret.Reveal())
	f.Add(refreshForm("x.y").Encode(), "app", appSecret.Reveal())
	f.Add("grant_type=client_credentials&scope=reports", "app", appSecret.Reveal())
	f.Add("grant_type=client_credentials&scope=%zz", "", "")
	f.Add("client_id=native&grant_type=authorization_code&code=", "", "")
	f.Add("grant_type=authorization_code&code=a&code=b&client_assertion=x", "native", "%zz")
	s := quiet(f)
	f.Fuzz(func(t *testing.T, body, id, secret string) {
		w := s.send(op.PathToken, body, id, secret)
		got := decodeTokens(t, w)
		if w.Code == http.StatusOK {
			if secret != appSecret.Reveal() && !strings.Contains(body, appSecret.Reveal()) || got.RefreshToken != "" || got.IDToken != "" {
				t.Fatalf("tokens %+v for %q", got, body)
			}
			return
		}
		if w.Code >= 500 || w.Code < 400 || got.Error == "" || got.AccessToken != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("answer %d %s", w.Code, w.Body)
		}
		if (w.Code == http.StatusUnauthorized) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Fatalf("status %d with WWW-Authenticate %q", w.Code, w.Header().Get("WWW-Authenticate"))
		}
		if strings.ContainsAny(got.Description, "\"\\") {
			t.Fatalf("description %q", got.Description)
		}
	})
}

// FuzzPush pushes any body. A request_uri comes only for a complete request of a
// client that proved who it is, and never for one that names a request_uri.
func FuzzPush(f *testing.F) {
	f.Add(authorizeForm().Encode(), "app", appSecret.Reveal())
	f.Add(authorizeForm("request_uri", "urn:ietf:params:oauth:request_uri:x").Encode(), "app", appSecret.Reveal())
	f.Add(authorizeForm("client_id", "native").Encode(), "app", appSecret.Reveal())
	f.Add(authorizeForm("client_secret", appSecret.Reveal()).Encode()+"&state=2", "", "")
	f.Add(nativeForm("claims", `{"userinfo":{}}`).Encode(), "", "")
	f.Add("client_id=%zz", "app", "%zz")
	s := quiet(f)
	f.Fuzz(func(t *testing.T, body, id, secret string) {
		w := s.send(op.PathPushed, body, id, secret)
		if w.Code != http.StatusCreated {
			if w.Code >= 500 || w.Code < 400 || strings.Contains(w.Body.String(), "urn:ietf:params:oauth:request_uri:") || decodeTokens(t, w).Error == "" {
				t.Fatalf("answer %d %s", w.Code, w.Body)
			}
			return
		}
		sent, err := url.ParseQuery(body)
		if err != nil || sent.Has("request_uri") || len(sent.Get("code_challenge")) != 43 || sent.Get("response_type") != "code" {
			t.Fatalf("a request_uri for %q", body)
		}
		if sent.Get("client_id") != "native" && secret != appSecret.Reveal() && sent.Get("client_secret") != appSecret.Reveal() {
			t.Fatalf("a request_uri for %q without credentials", body)
		}
	})
}
