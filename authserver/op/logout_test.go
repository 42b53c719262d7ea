package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
)

func (s *server) logout(form url.Values) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest(http.MethodGet, op.PathLogout+"?"+form.Encode(), nil))
}

// hint signs what looks like an ID token.
func hint(t testing.TB, typ keys.Type, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": issuer, "sub": string(alice), "aud": []string{"app"}, "sid": "sid-1", "exp": time.Now().Add(-24 * time.Hour).Unix(),
	}
	for name, v := range changes {
		claims[name] = v
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := ring().Sign(typ, keys.ES256, payload)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// What the flow is asked to do for a logout request.
func TestLogoutRequests(t *testing.T) {
	s := lite(t)
	own := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).IDToken
	full := flow.SignOutRequest{Client: "app", User: alice, SID: "sid-1", ReturnTo: afterLogout + "?state=a+b", UILocales: "de"}
	for name, c := range map[string]struct {
		form url.Values
		want flow.SignOutRequest
	}{
		"everything": {url.Values{
			"id_token_hint": {own}, "client_id": {"app"}, "post_logout_redirect_uri": {afterLogout}, "state": {"a b"}, "ui_locales": {"de"},
		}, full},
		"hint alone":             {url.Values{"id_token_hint": {own}}, flow.SignOutRequest{Client: "app", User: alice, SID: "sid-1"}},
		"expired hint":           {url.Values{"id_token_hint": {hint(t, keys.TypeIDToken, nil)}}, flow.SignOutRequest{Client: "app", User: alice, SID: "sid-1"}},
		"aud is one string":      {url.Values{"id_token_hint": {hint(t, keys.TypeIDToken, map[string]any{"aud": "app"})}}, flow.SignOutRequest{Client: "app", User: alice, SID: "sid-1"}},
		"client_id instead":      {url.Values{"client_id": {"app"}, "post_logout_redirect_uri": {afterLogout}}, flow.SignOutRequest{Client: "app", ReturnTo: afterLogout}},
		"registered with query":  {url.Values{"client_id": {"app"}, "post_logout_redirect_uri": {afterLogout + "?x=1"}, "state": {"s"}}, flow.SignOutRequest{Client: "app", ReturnTo: afterLogout + "?x=1&state=s"}},
		"URI without a client":   {url.Values{"post_logout_redirect_uri": {afterLogout}, "state": {"s"}}, flow.SignOutRequest{}},
		"state alone":            {url.Values{"state": {"s"}}, flow.SignOutRequest{}},
		"nothing":                {nil, flow.SignOutRequest{}},
		"an application gone":    {url.Values{"client_id": {"gone"}}, flow.SignOutRequest{}},
		"hint of one gone":       {url.Values{"id_token_hint": {hint(t, keys.TypeIDToken, map[string]any{"aud": "gone"})}}, flow.SignOutRequest{}},
		"what nobody knows":      {url.Values{"logout_hint": {"alice"}, "x": {"1", "2"}}, flow.SignOutRequest{}},
		"empty is as good as no": {url.Values{"client_id": {""}, "id_token_hint": {""}}, flow.SignOutRequest{}},
	} {
		s.signIns.out = nil
		if w := s.logout(c.form); w.Code != http.StatusOK || len(s.signIns.out) != 1 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		if diff := cmp.Diff(c.want, s.signIns.out[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What does not check ends no session and sends the browser nowhere.
func TestLogoutRefusals(t *testing.T) {
	s := lite(t)
	own := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).IDToken
	for name, form := range map[string]url.Values{
		"modified hint":         {"id_token_hint": {own[:len(own)-5]}},
		"no token":              {"id_token_hint": {"x"}},
		"another issuer":        {"id_token_hint": {hint(t, keys.TypeIDToken, map[string]any{"iss": "https://other"})}},
		"no subject":            {"id_token_hint": {hint(t, keys.TypeIDToken, map[string]any{"sub": ""})}},
		"no audience":           {"id_token_hint": {hint(t, keys.TypeIDToken, map[string]any{"aud": []string{}})}},
		"a logout token":        {"id_token_hint": {hint(t, keys.TypeLogoutToken, nil)}},
		"another's hint":        {"id_token_hint": {own}, "client_id": {"native"}},
		"not registered":        {"id_token_hint": {own}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"query added":           {"id_token_hint": {own}, "post_logout_redirect_uri": {afterLogout + "?y=2"}},
		"slash added":           {"id_token_hint": {own}, "post_logout_redirect_uri": {afterLogout + "/"}},
		"a redirect_uri":        {"id_token_hint": {own}, "post_logout_redirect_uri": {callback}},
		"URI of an unknown one": {"client_id": {"gone"}, "post_logout_redirect_uri": {afterLogout}},
		"repeated":              {"post_logout_redirect_uri": {afterLogout, "https://evil.example/"}, "client_id": {"app"}},
		"too long":              {"client_id": {"app"}, "state": {strings.Repeat("x", 5000)}},
		"control characters":    {"client_id": {"app"}, "state": {"a\x00b"}},
	} {
		w := s.logout(form)
		if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" || !strings.HasPrefix(w.Body.String(), "page: ") {
			t.Errorf("%s: %d %q %s; want an error page", name, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
	if len(s.signIns.out) != 0 {
		t.Errorf("signed out: %+v", s.signIns.out)
	}
}

// A form of another site comes without our cookies; what it asks for is asked for
// again with them.
func TestLogoutByPostStartsOver(t *testing.T) {
	s := lite(t)
	form := url.Values{"client_id": {"app"}, "post_logout_redirect_uri": {afterLogout}, "state": {"s"}}
	w := s.do(post(op.PathLogout, form))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != op.PathLogout+"?"+form.Encode() || len(s.signIns.out) != 0 {
		t.Errorf("POST = %d %q", w.Code, w.Header().Get("Location"))
	}
	if w := s.do(post(op.PathLogout, url.Values{"state": {strings.Repeat("x", 70000)}})); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge form = %d, want 413", w.Code)
	}
}

func FuzzLogout(f *testing.F) {
	s := lite(f)
	f.Add("id_token_hint=a.b.c&post_logout_redirect_uri=https://app.example/out&client_id=app&state=x")
	f.Add("client_id=app&post_logout_redirect_uri=https://app.example/out%0d%0a")
	f.Fuzz(func(t *testing.T, query string) {
		s.signIns.out = nil
		r := httptest.NewRequest(http.MethodGet, op.PathLogout, nil)
		r.URL.RawQuery = query
		w := s.do(r)
		if w.Code >= http.StatusInternalServerError || w.Header().Get("Location") != "" {
			t.Errorf("%q: %d %q", query, w.Code, w.Header().Get("Location"))
		}
		for _, out := range s.signIns.out {
			if out.ReturnTo != "" && !strings.HasPrefix(out.ReturnTo, afterLogout) {
				t.Errorf("%q leads to %s", query, out.ReturnTo)
			}
		}
	})
}
