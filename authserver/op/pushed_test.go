package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/op"
)

// push posts to the pushed authorization request endpoint as the application.
func (s *server) push(form url.Values) *httptest.ResponseRecorder {
	r := post(op.PathPushed, form)
	r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	return s.do(r)
}

// pushed returns the parameters that continue a request which was pushed.
func (s *server) pushed(t testing.TB, form url.Values) url.Values {
	t.Helper()
	return continued(t, s.push(form))
}

// continued checks the answer to a push and returns the parameters that continue
// the request.
func continued(t testing.TB, w *httptest.ResponseRecorder) url.Values {
	t.Helper()
	var got struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("answer = %d %s, want 201", w.Code, w.Body)
	}
	if !strings.HasPrefix(got.RequestURI, "urn:ietf:params:oauth:request_uri:") || got.ExpiresIn != 90 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("answer = %v %+v", w.Header(), got)
	}
	return url.Values{"client_id": {"app"}, "request_uri": {got.RequestURI}}
}

// errorPaged checks that the error stayed on our page.
func errorPaged(t *testing.T, w *httptest.ResponseRecorder, code string) {
	t.Helper()
	if w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Body.String(), "page: "+code+":") {
		t.Errorf("answer = %d %v %s; want a page with %s", w.Code, w.Header(), w.Body, code)
	}
}

func TestPushedRequest(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		// What the browser brings beside the request counts for nothing.
		front := s.pushed(t, authorizeForm("scope", "openid email", "login_hint", "alice"))
		beside := params(front, "redirect_uri", "https://evil.example/cb", "scope", "openid profile", "prompt", "none", "state", "another", "response_type", "token",
			"code_challenge", challengeOf(strings.Repeat("x", 43)), "response_mode", "form_post")
		q := redirected(t, s.authorize(beside))
		if q.Get("state") != givenState || q.Get("iss") != issuer {
			t.Errorf("answer = %v", q)
		}
		if req := s.signIns.begun[0]; len(req.Prompt) != 0 || req.LoginHint != "alice" || !slices.Equal(req.Scopes, []string{"openid", "email"}) {
			t.Errorf("the sign-in is about %+v", req)
		}
		if got := granted(t, s.token(codeForm(q.Get("code")))); got.Scope != "openid email" {
			t.Errorf("tokens = %+v", got)
		}
		errorPaged(t, s.authorize(front), "invalid_request_uri") // it was used
	})
}

// A reload before the code is issued begins again; of two sign-ins that began one
// gets a code.
func TestPushedRequestIsUsedAtIssue(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		front := s.pushed(t, authorizeForm())
		s.signIns.step = flow.Step{Action: flow.ActionAuthenticate}
		for range 2 {
			if w := s.authorize(front); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/sign-in?") {
				t.Fatalf("answer = %d %v", w.Code, w.Header())
			}
		}
		s.signIns.step = flow.Step{Action: flow.ActionIssue}
		s.clock.advance(20 * time.Minute) // the sign-in may take longer than the request may wait
		var answers []url.Values
		for id := range s.signIns.rows {
			answers = append(answers, redirected(t, s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+url.QueryEscape(string(id)), nil))))
		}
		if len(answers) != 2 || !answers[0].Has("code") || answers[1].Get("error") != "invalid_request_uri" || answers[1].Get("state") != givenState {
			t.Errorf("answers = %v; want a code, then invalid_request_uri", answers)
		}
		if n := s.count(t, "oauth_code"); n != 1 {
			t.Errorf("codes = %d, want 1", n)
		}
	})
}

func TestPushedRequestInParallel(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		front := s.pushed(t, authorizeForm())
		codes := 0
		for _, w := range parallel(8, func() *httptest.ResponseRecorder { return s.authorize(front) }) {
			if strings.Contains(w.Header().Get("Location"), "code=") {
				codes++
			}
		}
		if n := s.count(t, "oauth_code"); codes != 1 || n != 1 {
			t.Errorf("codes = %d, rows = %d; want 1", codes, n)
		}
	})
}

func TestPushedRequestExpires(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		front := s.pushed(t, authorizeForm())
		s.clock.advance(90 * time.Second)
		errorPaged(t, s.authorize(front), "invalid_request_uri")
		if _, err := s.store.DeleteExpired(t.Context(), s.clock.Now(), 10); err != nil {
			t.Fatal(err)
		}
		if n := s.count(t, "pushed_request"); n != 1 {
			t.Errorf("rows = %d; a sign-in may still be under way", n)
		}
		s.clock.advance(2 * time.Hour)
		if _, err := s.store.DeleteExpired(t.Context(), s.clock.Now(), 10); err != nil {
			t.Fatal(err)
		}
		if n := s.count(t, "pushed_request"); n != 0 {
			t.Errorf("rows = %d, want none", n)
		}
	})
}

func TestRequestURIRefused(t *testing.T) {
	s := lite(t)
	front := s.pushed(t, authorizeForm())
	for name, form := range map[string]url.Values{
		"other client": params(front, "client_id", "native"),
		"no client":    params(front, "client_id", ""),
		"unknown":      params(front, "request_uri", "urn:ietf:params:oauth:request_uri:unknown"),
		"nothing":      params(front, "request_uri", "urn:ietf:params:oauth:request_uri:"),
		"very long":    params(front, "request_uri", front.Get("request_uri")+strings.Repeat("x", 5000)),
	} {
		code := "invalid_request_uri"
		if name == "no client" {
			code = "invalid_request"
		}
		t.Run(name, func(t *testing.T) { errorPaged(t, s.authorize(form), code) })
	}
	for name, uri := range map[string]string{"web": "https://app.example/request.jwt", "other URN": "urn:example:x", "upper case": strings.ToUpper(front.Get("request_uri"))} {
		if q := redirected(t, s.authorize(authorizeForm("request_uri", uri))); q.Get("error") != "request_uri_not_supported" {
			t.Errorf("%s: %v, want request_uri_not_supported", name, q)
		}
	}
	if len(s.signIns.begun) != 0 {
		t.Error("a sign-in began")
	}
	redirected(t, s.authorize(front)) // and all of it used nothing up
}

func TestPushRefused(t *testing.T) {
	s := lite(t)
	for name, c := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"request_uri":        {authorizeForm("request_uri", "urn:ietf:params:oauth:request_uri:x"), 400, "invalid_request"},
		"request object":     {authorizeForm("request", "e30.e30."), 400, "request_not_supported"},
		"redirect_uri":       {authorizeForm("redirect_uri", "https://evil.example/cb"), 400, "invalid_request"},
		"response_type":      {authorizeForm("response_type", "token"), 400, "unsupported_response_type"},
		"no PKCE":            {authorizeForm("code_challenge", "", "code_challenge_method", ""), 400, "invalid_request"},
		"plain":              {authorizeForm("code_challenge_method", "plain"), 400, "invalid_request"},
		"scope":              {authorizeForm("scope", "openid unknown"), 400, "invalid_scope"},
		"prompt":             {authorizeForm("prompt", "none login"), 400, "invalid_request"},
		"other client":       {authorizeForm("client_id", "native"), 400, "invalid_request"},
		"repeated":           {url.Values{"client_id": {"app"}, "scope": {"openid", "email"}}, 400, "invalid_request"},
		"two ways to say it": {authorizeForm("client_secret", "x"), 400, "invalid_request"},
	} {
		if got := refused(t, s.push(c.form), c.status, c.code); t.Failed() {
			t.Fatalf("%s: %+v", name, got)
		}
	}
	wrong := post(op.PathPushed, authorizeForm())
	wrong.SetBasicAuth("app", "wrong")
	refused(t, s.do(wrong), http.StatusUnauthorized, "invalid_client")
	refused(t, s.do(post(op.PathPushed, authorizeForm())), http.StatusUnauthorized, "invalid_client")
	inQuery := post(op.PathPushed+"?prompt=none", authorizeForm())
	inQuery.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	refused(t, s.do(inQuery), http.StatusBadRequest, "invalid_request")
	if w := s.do(httptest.NewRequest(http.MethodGet, op.PathPushed+"?"+authorizeForm().Encode(), nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", w.Code)
	}
	if n := s.count(t, "pushed_request"); n != 0 {
		t.Errorf("%d requests were kept", n)
	}
	// A public client pushes, too: it names itself.
	if w := s.do(post(op.PathPushed, nativeForm())); w.Code != http.StatusCreated {
		t.Errorf("public client: %d %s", w.Code, w.Body)
	}
}

// Nothing that authenticates a client is kept with its request.
func TestPushedRequestKeepsNoCredentials(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.AuthMethod = "client_secret_post"
	s.apps["app"] = app
	if w := s.do(post(op.PathPushed, authorizeForm("client_secret", appSecret.Reveal()))); w.Code != http.StatusCreated {
		t.Fatalf("answer = %d %s", w.Code, w.Body)
	}
	var form string
	if err := s.db.QueryRow(t.Context(), "SELECT form FROM pushed_request").Scan(&form); err != nil || strings.Contains(form, "secret") || !strings.Contains(form, givenState) {
		t.Errorf("kept %s, %v", form, err)
	}
}

func TestPushedRequestsRequired(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.RequirePushedRequests = true
	s.apps["app"] = app
	if q := redirected(t, s.authorize(authorizeForm())); q.Get("error") != "invalid_request" || q.Get("state") != givenState {
		t.Errorf("a request that was not pushed: %v, want invalid_request", q)
	}
	if q := redirected(t, s.authorize(s.pushed(t, authorizeForm()))); !q.Has("code") {
		t.Errorf("a pushed request: %v, want a code", q)
	}
	all := newServer(t, s.db, func(o *op.Options) { o.RequirePushed = true })
	if q := redirected(t, all.authorize(nativeForm())); q.Get("error") != "invalid_request" {
		t.Errorf("with all required, another application: %v, want invalid_request", q)
	}
	for server, want := range map[*server]bool{s: false, all: true} {
		var said struct {
			Endpoint string `json:"pushed_authorization_request_endpoint"`
			Required bool   `json:"require_pushed_authorization_requests"`
		}
		w := server.do(httptest.NewRequest(http.MethodGet, op.PathDiscovery, nil))
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Endpoint != issuer+"/oauth2/par" || said.Required != want {
			t.Errorf("metadata = %+v, %v", said, err)
		}
	}
}
