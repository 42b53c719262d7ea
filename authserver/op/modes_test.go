package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
)

// posted returns the fields of the form that goes to the application.
func posted(t testing.TB, w *httptest.ResponseRecorder) url.Values {
	t.Helper()
	rest, ok := strings.CutPrefix(w.Body.String(), "post to "+callback+": ")
	fields, err := url.ParseQuery(rest)
	if !ok || err != nil || w.Code != http.StatusOK || w.Header().Get("Location") != "" {
		t.Fatalf("answer = %d %s (%v); want a form", w.Code, w.Body, err)
	}
	return fields
}

func TestFormPost(t *testing.T) {
	s := lite(t)
	fields := posted(t, s.authorize(authorizeForm("response_mode", "form_post")))
	if fields.Get("state") != givenState || fields.Get("iss") != issuer {
		t.Errorf("fields = %v", fields)
	}
	granted(t, s.token(codeForm(fields.Get("code"))))
	if fields := posted(t, s.authorize(authorizeForm("response_mode", "form_post", "scope", "openid admin"))); fields.Get("error") != "invalid_scope" || fields.Get("state") != givenState {
		t.Errorf("error = %v", fields)
	}
	s.signIns.step = flow.Step{Action: flow.ActionFail, Error: "access_denied"}
	if fields := posted(t, s.authorize(authorizeForm("response_mode", "form_post"))); fields.Get("error") != "access_denied" || fields.Get("code") != "" {
		t.Errorf("error = %v", fields)
	}
}

// A reload gets the same form again.
func TestFormPostIsReplayed(t *testing.T) {
	s := lite(t)
	s.signIns.step = flow.Step{Action: flow.ActionWait}
	id := redirected(t, s.authorize(authorizeForm("response_mode", "form_post"))).Get("sign_in")
	s.signIns.step = flow.Step{Action: flow.ActionIssue}
	resume := func() string {
		return posted(t, s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+id, nil))).Get("code")
	}
	if first := resume(); first == "" || resume() != first {
		t.Error("a reload got another code")
	}
}

func TestResponseModes(t *testing.T) {
	s := lite(t)
	if q := redirected(t, s.authorize(authorizeForm("response_mode", "query"))); q.Get("code") == "" {
		t.Errorf("query: %v", q)
	}
	for _, mode := range []string{"fragment", "jwt", "web_message", "FORM_POST"} {
		if q := redirected(t, s.authorize(authorizeForm("response_mode", mode))); q.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", mode, q)
		}
	}
	if q := redirected(t, s.authorize(nativeForm("response_mode", "form_post"))); q.Get("error") != "invalid_request" {
		t.Errorf("form_post to a private scheme: %v", q)
	}
}

// Without PKCE, if the admin said so; but a challenge that was given must be met,
// and a verifier for none is refused (RFC 9700 section 4.8.2).
func TestPKCEOptional(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		app := s.apps["app"]
		app.PKCEOptional = true
		s.apps["app"] = app
		without := authorizeForm("code_challenge", "", "code_challenge_method", "")
		granted(t, s.token(codeForm(s.code(t, without), "code_verifier", "")))
		granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		code := s.code(t, without)
		refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
		refused(t, s.token(codeForm(code, "code_verifier", "")), http.StatusBadRequest, "invalid_grant")
		code = s.code(t, authorizeForm())
		refused(t, s.token(codeForm(code, "code_verifier", "")), http.StatusBadRequest, "invalid_grant")
		refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
		if q := redirected(t, s.authorize(authorizeForm("code_challenge", ""))); q.Get("error") != "invalid_request" {
			t.Errorf("a method without a challenge: %v", q)
		}
		code = s.code(t, without)
		app.PKCEOptional = false
		s.apps["app"] = app
		if q := redirected(t, s.authorize(without)); q.Get("error") != "invalid_request" {
			t.Errorf("no longer optional: %v", q)
		}
		granted(t, s.token(codeForm(code, "code_verifier", ""))) // it was when the code was made
	})
}

func claimsOf(t testing.TB, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &claims); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return claims
}

func TestClaimsParameter(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		ask := `{"userinfo": {"name": {"essential": true}, "phone_number": null, "x": null}, "id_token": {"email": null, "sub": {"value": "user-alice"}}}`
		got := granted(t, s.token(codeForm(s.code(t, authorizeForm("scope", "openid offline_access", "claims", ask)))))
		if asks := s.signIns.begun[0].Asks; !cmp.Equal(asks, []string{"openid", "offline_access", "email", "profile"}) {
			t.Errorf("consent is about %v; want the scopes of the claims, too", asks)
		}
		info := claimsOf(t, s.userinfo(got.AccessToken))
		if len(info) != 2 || info["name"] != "Alice Doe" {
			t.Errorf("userinfo = %v; want the name, and no number: its scope is not the application's", info)
		}
		for _, token := range []string{got.IDToken, granted(t, s.token(refreshForm(got.RefreshToken))).IDToken} {
			if claims := idClaims(t, token); claims["email"] != "alice@example.com" || claims["name"] != nil || claims["sub"] != string(alice) {
				t.Errorf("ID token = %v", claims)
			}
		}
	})
}

func TestClaimsThatCannotBe(t *testing.T) {
	s := lite(t)
	for ask, want := range map[string]string{
		`{`: "invalid_request", `[]`: "invalid_request", `{"userinfo": 1}`: "invalid_request", `{"id_token": {"sub": "x"}}`: "invalid_request",
		`{"id_token": {"sub": {"value": "user-bob"}}}`:                              "login_required",
		`{"id_token": {"acr": {"essential": true, "values": ["urn:mace:x"]}}}`:      "unmet_authentication_requirements",
		`{"id_token": {"acr": {"values": ["urn:mace:x"]}}}`:                         "",
		`{"id_token": {"acr": {"essential": true, "values": ["urn:mace:x", "0"]}}}`: "",
		`{"other": {"name": null}, "userinfo": null}`:                               "",
	} {
		if q := redirected(t, s.authorize(authorizeForm("claims", ask))); q.Get("error") != want || (q.Get("code") == "") != (want != "") {
			t.Errorf("%s: %v; want %q", ask, q, want)
		}
	}
}

func TestPhoneScope(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.Scopes = append(app.Scopes, "phone")
	s.apps["app"] = app
	s.users.profile.PhoneNumber = "+4930123456"
	got := granted(t, s.token(codeForm(s.code(t, authorizeForm("scope", "openid phone")))))
	if info := claimsOf(t, s.userinfo(got.AccessToken)); info["phone_number"] != "+4930123456" || len(info) != 2 {
		t.Errorf("userinfo = %v", info)
	}
}

// A form of another site comes without our cookies.
func TestAuthorizeByPostOfAnotherSite(t *testing.T) {
	s := lite(t)
	r := post(op.PathAuthorize, authorizeForm())
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := s.do(r)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != op.PathAuthorize+"?"+authorizeForm().Encode() || len(s.signIns.begun) != 0 {
		t.Errorf("POST = %d %q", w.Code, w.Header().Get("Location"))
	}
	r = post(op.PathAuthorize, authorizeForm("state", strings.Repeat("x", 17000)))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := s.do(r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge form = %d, want 413", w.Code)
	}
}

func FuzzClaims(f *testing.F) {
	s := lite(f)
	f.Add(`{"userinfo": {"name": {"essential": true, "values": [1, {}]}}, "id_token": {"sub": {"value": ["user-alice"]}}}`)
	f.Fuzz(func(t *testing.T, ask string) {
		w := s.authorize(authorizeForm("claims", ask))
		u, err := url.Parse(w.Header().Get("Location"))
		if w.Code != http.StatusSeeOther || err != nil || u.Query().Get("error") == "server_error" {
			t.Errorf("%q: %d %s", ask, w.Code, w.Header().Get("Location"))
		}
		for _, d := range s.ledger.committed {
			if d.Request.User != provisioning.UserID(alice) {
				t.Errorf("%q: a decision for %s", ask, d.Request.User)
			}
		}
	})
}
