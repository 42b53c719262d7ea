package op_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
)

func TestDiscovery(t *testing.T) {
	s := lite(t)
	var bodies []string
	for _, path := range []string{op.PathDiscovery, op.PathServerMetadata} {
		w := s.do(httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %v", path, w.Code, w.Header())
		}
		bodies = append(bodies, w.Body.String())
	}
	if bodies[0] != bodies[1] {
		t.Error("the two metadata documents differ")
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(bodies[0]), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/oauth2/authorize", "token_endpoint": issuer + "/oauth2/token",
		"userinfo_endpoint": issuer + "/oauth2/userinfo", "jwks_uri": issuer + "/oauth2/jwks",
		"request_parameter_supported": false, "request_uri_parameter_supported": false, "claims_parameter_supported": true,
		"authorization_response_iss_parameter_supported": true,
		"code_challenge_methods_supported":               []any{"S256"},
		"prompt_values_supported":                        []any{"none", "login", "create", "consent", "select_account"},
		"response_types_supported":                       []any{"code"},
		"grant_types_supported":                          []any{"authorization_code", "refresh_token", "client_credentials", deviceGrantType},
		"device_authorization_endpoint":                  issuer + "/oauth2/device_authorization",
		"token_endpoint_auth_methods_supported":          []any{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		"id_token_signing_alg_values_supported":          []any{"RS256", "ES256", "EdDSA"},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPublishedKeysHaveNoPrivatePart(t *testing.T) {
	s := lite(t)
	w := s.do(httptest.NewRequest(http.MethodGet, op.PathKeys, nil))
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 3 {
		t.Fatalf("keys = %d, want 3", len(set.Keys))
	}
	for _, k := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if k[private] != nil {
				t.Errorf("key %v shows its %s", k["kid"], private)
			}
		}
	}
}

func TestErrorsGoToTheApplication(t *testing.T) {
	s := lite(t)
	app := s.apps["native"]
	app.GrantTypes = []string{"refresh_token"}
	s.apps["native"] = app
	for name, c := range map[string]struct {
		form url.Values
		code string
	}{
		"request object":        {authorizeForm("request", "eyJ"), "request_not_supported"},
		"request uri":           {authorizeForm("request_uri", "https://evil.example/r"), "request_uri_not_supported"},
		"other request URN":     {authorizeForm("request_uri", "urn:ietf:params:oauth:other:x"), "request_uri_not_supported"},
		"registration":          {authorizeForm("registration", "{}"), "registration_not_supported"},
		"no response type":      {authorizeForm("response_type", ""), "invalid_request"},
		"implicit":              {authorizeForm("response_type", "id_token token"), "unsupported_response_type"},
		"hybrid":                {authorizeForm("response_type", "code id_token"), "unsupported_response_type"},
		"response mode":         {authorizeForm("response_mode", "fragment"), "invalid_request"},
		"unknown response mode": {authorizeForm("response_mode", "x"), "invalid_request"},
		"scope":                 {authorizeForm("scope", "openid admin"), "invalid_scope"},
		"scope by case":         {authorizeForm("scope", "OpenID"), "invalid_scope"},
		"prompt none and more":  {authorizeForm("prompt", "none login"), "invalid_request"},
		"unknown prompt":        {authorizeForm("prompt", "always"), "invalid_request"},
		"long parameter":        {authorizeForm("login_hint", strings.Repeat("x", 5000)), "invalid_request"},
		"grant not allowed":     {nativeForm(), "unauthorized_client"},
	} {
		w := s.authorize(c.form)
		q := redirected(t, w)
		if q.Get("error") != c.code || q.Get("state") != givenState || q.Get("iss") != issuer || q.Has("code") {
			t.Errorf("%s: %v; want %s with state and iss", name, q, c.code)
		}
		if !strings.HasPrefix(w.Header().Get("Location"), c.form.Get("redirect_uri")+"?") {
			t.Errorf("%s: went to %s", name, w.Header().Get("Location"))
		}
		if !strings.Contains(q.Get("error_description"), "(reference ") {
			t.Errorf("%s: description %q has no reference", name, q.Get("error_description"))
		}
	}
	if len(s.signIns.begun) != 0 || s.rows(t) != "0 0 0 0" {
		t.Errorf("%d sign-ins began, rows %s", len(s.signIns.begun), s.rows(t))
	}
}

// Before client and redirect URI are verified nothing is sent anywhere.
func TestErrorsThatMustNotBeRedirected(t *testing.T) {
	s := lite(t)
	disabled := confidential()
	disabled.ClientID, disabled.Enabled = "off", false
	s.apps["off"] = disabled
	two := confidential()
	two.ClientID, two.RedirectURIs = "two", []string{callback, callback + "2"}
	s.apps["two"] = two
	for name, form := range map[string]url.Values{
		"no client":            authorizeForm("client_id", ""),
		"unknown client":       authorizeForm("client_id", "nobody"),
		"disabled client":      authorizeForm("client_id", "off"),
		"other URI":            authorizeForm("redirect_uri", "https://evil.example/cb"),
		"longer URI":           authorizeForm("redirect_uri", callback+"/x"),
		"other case":           authorizeForm("redirect_uri", strings.ToUpper(callback)),
		"query":                authorizeForm("redirect_uri", callback+"?x=y"),
		"fragment":             authorizeForm("redirect_uri", callback+"#x"),
		"which of two":         authorizeForm("client_id", "two", "redirect_uri", ""),
		"long query":           authorizeForm("login_hint", strings.Repeat("x", 20000)),
		"javascript":           authorizeForm("redirect_uri", "javascript:alert(1)"),
		"openid without a URI": authorizeForm("client_id", "two", "redirect_uri", "", "scope", "openid"),
	} {
		w := s.authorize(form)
		if w.Code < 400 || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), " ref ") {
			t.Errorf("%s: %d to %q, body %s; want a page with a reference", name, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, op.PathAuthorize+"?client_id=app&redirect_uri=%zz", nil)
	if w := s.do(r); w.Code != http.StatusBadRequest {
		t.Errorf("malformed query: %d, want 400", w.Code)
	}
	big := post(op.PathAuthorize, url.Values{"client_id": {strings.Repeat("x", 70000)}})
	if w := s.do(big); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("long body: %d, want 413", w.Code)
	}
}

// Without openid the redirect URI may be left out when there is only one.
func TestOmittedRedirectURI(t *testing.T) {
	s := lite(t)
	code := s.code(t, authorizeForm("redirect_uri", "", "scope", "reports"))
	got := granted(t, s.token(codeForm(code, "redirect_uri", "")))
	if got.IDToken != "" || got.Scope != "reports" {
		t.Errorf("tokens = %+v; want no ID token", got)
	}
	if w := s.authorize(authorizeForm("redirect_uri", "")); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "redirect_uri is missing") {
		t.Errorf("an OpenID Connect request without redirect_uri: %d %s", w.Code, w.Body)
	}
}

func TestRegisteredQueryStays(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.RedirectURIs = []string{callback + "?tenant=1"}
	s.apps["app"] = app
	w := s.authorize(authorizeForm("redirect_uri", callback+"?tenant=1"))
	if q := redirected(t, w); q.Get("tenant") != "1" || q.Get("code") == "" || !strings.HasPrefix(w.Header().Get("Location"), callback+"?tenant=1&") {
		t.Errorf("redirect = %s", w.Header().Get("Location"))
	}
}

// PostgreSQL keeps no NUL and no broken UTF-8: such a request is the client's
// fault, not a server_error.
func TestTextsTheDatabaseRefuses(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for _, bad := range []string{"a\x00b", "a\xffb", "a\nb"} {
			for _, name := range []string{"nonce", "login_hint", "ui_locales", "state", "scope"} {
				if q := redirected(t, s.authorize(authorizeForm(name, bad))); q.Get("error") != "invalid_request" {
					t.Errorf("%s %q: %v; want invalid_request", name, bad, q)
				}
			}
			if w := s.authorize(authorizeForm("client_id", bad)); w.Code != http.StatusBadRequest {
				t.Errorf("client_id %q: %d, want a page", bad, w.Code)
			}
			r := httptest.NewRequest(http.MethodGet, op.PathResume+"?"+url.Values{"sign_in": {bad}}.Encode(), nil)
			if w := s.do(r); w.Code != http.StatusBadRequest {
				t.Errorf("sign_in %q: %d, want a page", bad, w.Code)
			}
			refused(t, s.do(post(op.PathToken, codeForm(bad, "client_id", bad))), http.StatusUnauthorized, "invalid_client")
			refused(t, s.token(codeForm(bad)), http.StatusBadRequest, "invalid_grant")
		}
	})
}

func TestFlowIsToldTheRequest(t *testing.T) {
	s := lite(t)
	form := authorizeForm("prompt", "select_account consent login", "login_hint", "alice", "ui_locales", "de en", "max_age", "60", "scope", "openid email")
	form.Set("unknown", "x")
	redirected(t, s.authorize(form))
	minute := time.Minute
	want := flow.AuthorizeRequest{
		Client: "app", Form: params(form, "unknown", ""), RedirectURI: callback, Scopes: []string{"openid", "email"},
		Asks: []string{"openid", "email"}, Prompt: []string{"consent", "login"}, MaxAge: &minute, LoginHint: "alice", UILocales: "de en",
	}
	if diff := cmp.Diff(want, s.signIns.begun[0]); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestStepsLeadToPages(t *testing.T) {
	s := lite(t)
	for action, path := range map[flow.Action]string{
		flow.ActionAuthenticate: "/sign-in", flow.ActionSecondFactor: "/sign-in/code", flow.ActionConfirm: "/sign-in/confirm",
		flow.ActionRegister: "/register", flow.ActionConsent: "/consent", flow.ActionWait: "/wait",
	} {
		s.signIns.step = flow.Step{Action: action}
		w := s.authorize(authorizeForm())
		id := redirected(t, w).Get("sign_in")
		if !strings.HasPrefix(w.Header().Get("Location"), path+"?sign_in=") || id == "" {
			t.Errorf("%s: %s; want %s", action, w.Header().Get("Location"), path)
		}
		resumed := s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+id, nil))
		if resumed.Header().Get("Location") != w.Header().Get("Location") {
			t.Errorf("%s resumed: %s; want the same page", action, resumed.Header().Get("Location"))
		}
	}
	if s.rows(t) != "0 0 0 0" {
		t.Errorf("rows = %s, want none before the sign-in ends", s.rows(t))
	}
}

// After the wait the code is issued, and a reload gets the same answer.
func TestResumeIssuesOnceAndReplays(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.signIns.step = flow.Step{Action: flow.ActionWait}
		id := redirected(t, s.authorize(authorizeForm())).Get("sign_in")
		s.signIns.step = flow.Step{Action: flow.ActionIssue}
		resume := func() string {
			w := s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+id, nil))
			if q := redirected(t, w); q.Get("code") == "" || q.Get("state") != givenState {
				t.Errorf("resumed to %v, want a code", q)
			}
			return w.Header().Get("Location")
		}
		first := resume()
		if second := resume(); second != first {
			t.Errorf("a reload went to %s, want %s again", second, first)
		}
		if s.rows(t) != "1 1 0 0" {
			t.Errorf("rows = %s, want one grant and code", s.rows(t))
		}
		var grant string
		if err := s.db.QueryRow(t.Context(), "SELECT id FROM oauth_grant").Scan(&grant); err != nil {
			t.Fatal(err)
		}
		if grant != id {
			t.Errorf("grant = %s, want the sign-in's id %s", grant, id)
		}
	})
}

// Two tabs that issue at the same time: one code, and both tabs get it.
func TestParallelResumeIssuesOneCode(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.signIns.step = flow.Step{Action: flow.ActionWait}
		id := redirected(t, s.authorize(authorizeForm())).Get("sign_in")
		s.signIns.step = flow.Step{Action: flow.ActionIssue}
		s.signIns.prepare = nil
		for id, row := range s.signIns.rows {
			row.Version = 1
			s.signIns.rows[id] = row
		}
		answers := parallel(4, func() *httptest.ResponseRecorder {
			return s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+id, nil))
		})
		seen := map[string]int{}
		for _, w := range answers {
			seen[redirected(t, w).Get("code")]++
		}
		if len(seen) != 1 || s.rows(t) != "1 1 0 0" {
			t.Errorf("codes = %v, rows %s; want one code for all", seen, s.rows(t))
		}
	})
}

func TestFailedStepGoesToTheApplication(t *testing.T) {
	s := lite(t)
	s.signIns.step = flow.Step{Action: flow.ActionFail, Error: "access_denied", Description: "not \"allowed\" \\ ü"}
	q := redirected(t, s.authorize(authorizeForm()))
	if q.Get("error") != "access_denied" || q.Get("iss") != issuer || q.Get("state") != givenState {
		t.Errorf("redirect = %v", q)
	}
	if got := q.Get("error_description"); got != "not 'allowed'     (reference REF-1)" {
		t.Errorf("description = %q; want only the characters RFC 6749 allows, and the sign-in's reference", got)
	}
	if len(s.signIns.ended) != 1 {
		t.Errorf("ended = %d sign-ins, want 1", len(s.signIns.ended))
	}
}

// The application lost its redirect URI, or was disabled, while the user signed
// in: nothing may be sent there.
func TestApplicationChangedDuringSignIn(t *testing.T) {
	for name, change := range map[string]func(*application.Application){
		"another redirect URI": func(a *application.Application) { a.RedirectURIs = []string{callback + "2"} },
		"disabled":             func(a *application.Application) { a.Enabled = false },
		"scope taken away":     func(a *application.Application) { a.Scopes = []string{"openid"} },
		"grant taken away":     func(a *application.Application) { a.GrantTypes = []string{"client_credentials"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := lite(t)
			s.signIns.step = flow.Step{Action: flow.ActionWait}
			id := redirected(t, s.authorize(authorizeForm())).Get("sign_in")
			s.signIns.step = flow.Step{Action: flow.ActionIssue}
			app := s.apps["app"]
			change(&app)
			s.apps["app"] = app
			w := s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+id, nil))
			if strings.Contains(w.Header().Get("Location"), "code=") || s.rows(t) != "0 0 0 0" {
				t.Errorf("answer = %d %s, rows %s; want no code", w.Code, w.Header().Get("Location"), s.rows(t))
			}
			if gone := !app.Enabled || app.RedirectURIs[0] != callback; gone != (w.Code >= 400) {
				t.Errorf("status = %d, location %q", w.Code, w.Header().Get("Location"))
			}
		})
	}
}

func TestUnknownSignIn(t *testing.T) {
	s := lite(t)
	for _, query := range []string{"", "?sign_in=", "?sign_in=nobody"} {
		if w := s.do(httptest.NewRequest(http.MethodGet, op.PathResume+query, nil)); w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
			t.Errorf("resume %q: %d, want a page with 400", query, w.Code)
		}
	}
	s.signIns.step = flow.Step{Action: flow.ActionExpired}
	app := s.apps["app"]
	app.InitiateLoginURI = "https://app.example/login"
	s.apps["app"] = app
	if w := s.authorize(authorizeForm()); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), app.InitiateLoginURI) {
		t.Errorf("expired: %d %s, want 410 and the way back", w.Code, w.Body)
	}
}

// What the gate says between the step and the transaction counts.
func TestGateChangesItsMindBeforeIssue(t *testing.T) {
	s := lite(t)
	asked := 0
	s.signIns.permit = func(*flow.SignIn) error {
		if asked++; asked == 1 {
			s.signIns.step = flow.Step{Action: flow.ActionWait}
			return flow.ErrNotYet
		}
		return nil
	}
	if w := s.authorize(authorizeForm()); !strings.HasPrefix(w.Header().Get("Location"), "/wait?") {
		t.Errorf("location = %s, want the wait page", w.Header().Get("Location"))
	}
	s.signIns.step = flow.Step{Action: flow.ActionIssue}
	s.signIns.permit = func(*flow.SignIn) error { return flow.ErrNotYet }
	if w := s.authorize(authorizeForm()); w.Code != http.StatusInternalServerError || s.rows(t) != "0 0 0 0" {
		t.Errorf("never ready: %d, rows %s; want an error page and nothing issued", w.Code, s.rows(t))
	}
}

func TestInvalidClient(t *testing.T) {
	s := lite(t)
	second := confidential()
	second.ClientID, second.AuthMethod = "poster", application.AuthPost
	s.apps["poster"] = second
	off := confidential()
	off.ClientID, off.Enabled = "off", false
	s.apps["off"] = off
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	secret := appSecret.Reveal()
	nothing := func(*http.Request) {}
	for name, c := range map[string]struct {
		form    url.Values
		prepare func(*http.Request)
	}{
		"wrong secret":               {codeForm("x"), basic("app", "wrong")},
		"empty secret":               {codeForm("x"), basic("app", "")},
		"unknown":                    {codeForm("x"), basic("nobody", secret)},
		"disabled":                   {codeForm("x"), basic("off", secret)},
		"post instead of basic":      {codeForm("x", "client_id", "app", "client_secret", secret), nothing},
		"basic instead of post":      {codeForm("x"), basic("poster", secret)},
		"none instead of basic":      {codeForm("x", "client_id", "app"), nothing},
		"a secret for a public one":  {codeForm("x", "client_id", "native", "client_secret", "x"), nothing},
		"basic for a public one":     {codeForm("x"), basic("native", "")},
		"nothing":                    {codeForm("x"), nothing},
		"another scheme":             {codeForm("x", "client_id", "native"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }},
		"assertion":                  {codeForm("x", "client_id", "app", "client_assertion", "x", "client_assertion_type", "y"), nothing},
		"badly encoded inside basic": {codeForm("x"), basic("app", "%zz")},
	} {
		r := post(op.PathToken, c.form)
		c.prepare(r)
		w := s.do(r)
		refused(t, w, http.StatusUnauthorized, "invalid_client")
		if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: WWW-Authenticate = %q", name, w.Header().Get("WWW-Authenticate"))
		}
		if t.Failed() {
			t.Fatalf("case %s", name)
		}
	}
	both := post(op.PathToken, codeForm("x", "client_secret", secret))
	both.SetBasicAuth("app", secret)
	refused(t, s.do(both), http.StatusBadRequest, "invalid_request")
	other := post(op.PathToken, codeForm("x", "client_id", "native"))
	other.SetBasicAuth("app", secret)
	refused(t, s.do(other), http.StatusBadRequest, "invalid_request")
	posted := post(op.PathToken, url.Values{"grant_type": {"client_credentials"}, "client_id": {"poster"}, "client_secret": {secret}})
	granted(t, s.do(posted))
}

func TestTokenRequestShape(t *testing.T) {
	s := lite(t)
	get := httptest.NewRequest(http.MethodGet, op.PathToken, nil)
	if w := s.do(get); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET = %d, want 405", w.Code)
	}
	inJSON := post(op.PathToken, codeForm("x"))
	inJSON.Header.Set("Content-Type", "application/json")
	refused(t, s.do(inJSON), http.StatusUnsupportedMediaType, "invalid_request")
	refused(t, s.do(post(op.PathToken, codeForm(strings.Repeat("x", 70000)))), http.StatusRequestEntityTooLarge, "invalid_request")
	refused(t, s.do(post(op.PathToken+"?code=x", codeForm("x"))), http.StatusBadRequest, "invalid_request")
	refused(t, s.token(codeForm("")), http.StatusBadRequest, "invalid_grant")
	refused(t, s.token(codeForm("nonsense")), http.StatusBadRequest, "invalid_grant")
	refused(t, s.token(refreshForm("nonsense")), http.StatusBadRequest, "invalid_grant")
}

// standing is one blocking binding whose account is in that state.
func standing(change func(*provisioning.Account)) []provisioning.Standing {
	b := provisioning.NewBinding("app", "directory")
	b.Blocking, b.OnRefresh = true, provisioning.RefreshEnsure
	a := &provisioning.Account{User: alice, Target: "directory", Desired: provisioning.DesiredPresent, DesiredRev: 1, State: provisioning.StatePending}
	change(a)
	return []provisioning.Standing{{Binding: b, Account: a}}
}

// A refusal at the token endpoint costs neither the code nor the refresh token:
// once the gate permits, both still work.
func TestGateAtTheTokenEndpoint(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		code := s.code(t, authorizeForm())
		s.ledger.set(func(l *ledger) { l.inactive = true })
		refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
		s.ledger.set(func(l *ledger) { l.inactive = false })
		got := granted(t, s.token(codeForm(code)))

		s.ledger.set(func(l *ledger) { l.inactive = true })
		refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		s.ledger.set(func(l *ledger) { l.inactive, l.err = false, errBoom })
		refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusInternalServerError, "server_error")
		s.ledger.set(func(l *ledger) {
			l.err = nil
			l.standings = standing(func(*provisioning.Account) {})
		})
		w := s.token(refreshForm(got.RefreshToken))
		refused(t, w, http.StatusServiceUnavailable, "temporarily_unavailable")
		if w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After = %q, want 2", w.Header().Get("Retry-After"))
		}
		// The account was never wanted: the refresh starts the work and waits for it.
		s.ledger.set(func(l *ledger) {
			l.standings = standing(func(*provisioning.Account) {})
			l.standings[0].Account = nil
			l.wanted = func(l *ledger) {
				l.standings = standing(func(a *provisioning.Account) {
					a.AppliedRev, a.State, a.ExternalID = 1, provisioning.StateInSync, "ext-1"
				})
			}
		})
		granted(t, s.token(refreshForm(got.RefreshToken)))
		if got := s.ledger.decisions[len(s.ledger.decisions)-1].Request; got.Grant != provisioning.GrantRefresh || got.Earlier == "" || got.Reference == "" {
			t.Errorf("the gate was asked %+v; want the grant, the earlier decision and a reference", got)
		}
	})
}

func TestIDTokenHint(t *testing.T) {
	s := lite(t)
	token := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).IDToken
	if q := redirected(t, s.authorize(authorizeForm("id_token_hint", token))); q.Get("code") == "" {
		t.Errorf("own hint: %v; want a code", q)
	}
	s.clock.advance(2 * time.Hour)
	s.signIns.prepare = func(row *flow.SignIn) { row.AuthTime = time.Now() } // fosite has its own clock
	if q := redirected(t, s.authorize(authorizeForm("id_token_hint", token))); q.Get("code") == "" {
		t.Errorf("expired hint: %v; want a code", q)
	}
	s.signIns.prepare = func(row *flow.SignIn) { row.AuthTime, row.User = time.Now(), "user-bob" }
	if q := redirected(t, s.authorize(authorizeForm("id_token_hint", token))); q.Get("error") != "login_required" {
		t.Errorf("hint at somebody else: %v; want login_required", q)
	}
	forged, err := ring().Sign(keys.TypeIDToken, keys.ES256, []byte(`{"sub":"user-alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, hint := range map[string]string{"no exp": forged, "garbage": "x.y.z", "cut": token[:len(token)-5]} {
		if q := redirected(t, s.authorize(authorizeForm("id_token_hint", hint))); q.Get("error") != "invalid_request" {
			t.Errorf("%s: %v; want invalid_request", name, q)
		}
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	good := op.Options{}
	if _, err := op.New(good); err == nil || !strings.Contains(err.Error(), "TokenKey") || !strings.Contains(err.Error(), "issuer") || !strings.Contains(err.Error(), "Gate is missing") {
		t.Errorf("New without anything = %v; want every problem named", err)
	}
	for _, bad := range []string{"", "ftp://x", "https://x/", "https://x/path", "https://x?y", "https://u@x", "x"} {
		if _, err := op.New(op.Options{Issuer: bad}); err == nil || !strings.Contains(err.Error(), "issuer") {
			t.Errorf("issuer %q: %v; want an error that names it", bad, err)
		}
	}
}

// Secrets, codes and tokens never reach the log or the database.
func TestNothingSecretIsKept(t *testing.T) {
	s := lite(t)
	code := s.code(t, authorizeForm())
	got := granted(t, s.token(codeForm(code)))
	s.token(codeForm(code))
	s.userinfo(got.AccessToken)
	dump := s.dump(t)
	for name, secret := range map[string]string{"code": code, "access token": got.AccessToken, "refresh token": got.RefreshToken, "client secret": appSecret.Reveal()} {
		for where, text := range map[string]string{"log": s.log.String(), "database": dump} {
			if strings.Contains(text, secret) || strings.Contains(text, secret[strings.IndexByte(secret, '.')+1:]) {
				t.Errorf("the %s has the %s", where, name)
			}
		}
	}
}

// dump returns all text and bytes of the OAuth tables.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, query := range []string{
		"SELECT hex(hash) || hash || redirect_uri || nonce || challenge FROM oauth_code", "SELECT hash || grant_id FROM oauth_access",
		"SELECT hash || grant_id FROM oauth_refresh", "SELECT id || client_id || scopes || session_id FROM oauth_grant",
	} {
		rows, err := s.db.Query(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all.WriteString(text)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
