package op_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Fosite deletes the challenge before it compares: a wrong verifier and then
// none at all redeemed the code.
func TestPKCEDowngrade(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for name, first := range map[string]string{"wrong": strings.Repeat("x", 43), "short": "x", "missing": ""} {
			code := s.code(t, authorizeForm())
			refused(t, s.token(codeForm(code, "code_verifier", first)), http.StatusBadRequest, "invalid_grant")
			if got := refused(t, s.token(codeForm(code, "code_verifier", "")), http.StatusBadRequest, "invalid_grant"); t.Failed() {
				t.Fatalf("%s verifier, then none: %+v", name, got)
			}
			refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
		}
		if n := s.count(t, "oauth_access"); n != 0 {
			t.Errorf("access tokens = %d, want 0", n)
		}
	})
}

func TestPKCEIsRequired(t *testing.T) {
	s := lite(t)
	for name, form := range map[string]url.Values{
		"no challenge":    authorizeForm("code_challenge", ""),
		"nothing":         authorizeForm("code_challenge", "", "code_challenge_method", ""),
		"plain":           authorizeForm("code_challenge", verifier, "code_challenge_method", "plain"),
		"no method":       authorizeForm("code_challenge_method", ""),
		"not a hash":      authorizeForm("code_challenge", "short"),
		"not base64url":   authorizeForm("code_challenge", strings.Repeat("+", 43)),
		"public, nothing": nativeForm("code_challenge", ""),
	} {
		if q := redirected(t, s.authorize(form)); q.Get("error") != "invalid_request" || q.Get("code") != "" {
			t.Errorf("%s: %v; want invalid_request", name, q)
		}
	}
	if len(s.signIns.begun) != 0 {
		t.Error("a sign-in began for a request without PKCE")
	}
}

// parallel runs n requests at once and returns their answers.
func parallel(n int, do func() *httptest.ResponseRecorder) []*httptest.ResponseRecorder {
	answers := make([]*httptest.ResponseRecorder, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i] = do()
		})
	}
	close(start)
	wg.Wait()
	return answers
}

// winners returns the answers with tokens; the others must be invalid_grant.
func winners(t *testing.T, answers []*httptest.ResponseRecorder) []tokens {
	t.Helper()
	var won []tokens
	for _, w := range answers {
		if w.Code == http.StatusOK {
			won = append(won, decodeTokens(t, w))
			continue
		}
		refused(t, w, http.StatusBadRequest, "invalid_grant")
	}
	return won
}

func TestCodeDoubleRedemptionUnder8ParallelRequests(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for range 5 {
			code := s.code(t, authorizeForm())
			won := winners(t, parallel(8, func() *httptest.ResponseRecorder { return s.token(codeForm(code)) }))
			if len(won) > 1 {
				t.Fatalf("%d requests redeemed one code", len(won))
			}
			// The losers ended what the winner got.
			for _, got := range won {
				if w := s.userinfo(got.AccessToken); w.Code != http.StatusUnauthorized {
					t.Errorf("userinfo after a double redemption = %d, want 401", w.Code)
				}
				refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
			}
		}
	})
}

func TestRefreshDoubleUseUnder8ParallelRequests(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.grace("0s")
		for range 5 {
			first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
			won := winners(t, parallel(8, func() *httptest.ResponseRecorder { return s.token(refreshForm(first.RefreshToken)) }))
			if len(won) > 1 {
				t.Fatalf("%d requests used one refresh token", len(won))
			}
			for _, got := range won {
				refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
			}
		}
	})
}

// The decision commits with the tokens that rest on it, or not at all: of 8
// requests for one code only the winner's permit is kept.
func TestDecisionCommitsWithItsTokens(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		code := s.code(t, authorizeForm())
		won := winners(t, parallel(8, func() *httptest.ResponseRecorder { return s.token(codeForm(code)) }))
		kept := 0
		s.ledger.set(func(l *ledger) {
			for _, d := range l.committed {
				if d.Request.Grant == provisioning.GrantCode && d.Verdict == provisioning.VerdictPermit {
					kept++
				}
			}
		})
		if kept != len(won) {
			t.Errorf("%d permits were kept for %d token responses", kept, len(won))
		}
	})
}

// RFC 6749 section 4.1.2: a code used twice ends what came of it.
func TestCodeReplayRevokesFamily(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		code := s.code(t, authorizeForm())
		got := granted(t, s.token(codeForm(code)))
		refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
		if w := s.userinfo(got.AccessToken); w.Code != http.StatusUnauthorized {
			t.Errorf("userinfo after a replay = %d, want 401", w.Code)
		}
		refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
	})
}

func TestRefreshReuse(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.grace("0s")
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		second := granted(t, s.token(refreshForm(first.RefreshToken)))
		refused(t, s.token(refreshForm(first.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		refused(t, s.token(refreshForm(second.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		if w := s.userinfo(second.AccessToken); w.Code != http.StatusUnauthorized {
			t.Errorf("userinfo after a reuse = %d, want 401", w.Code)
		}
	})
}

func TestExpiredCode(t *testing.T) {
	s := lite(t)
	code := s.code(t, authorizeForm())
	s.clock.advance(61 * time.Second)
	refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_grant")
}

func TestRefreshLifetimes(t *testing.T) {
	const day = 24 * time.Hour
	t.Run("idle", func(t *testing.T) {
		s := lite(t)
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		s.clock.advance(30*day + time.Minute)
		refused(t, s.token(refreshForm(first.RefreshToken)), http.StatusBadRequest, "invalid_grant")
	})
	t.Run("absolute", func(t *testing.T) {
		s := lite(t)
		got := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		for range 8 {
			s.clock.advance(20 * day)
			got = granted(t, s.token(refreshForm(got.RefreshToken)))
		}
		s.clock.advance(21 * day) // 181 days
		refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
	})
}

// The family of another application's code or token is out of reach.
func TestForeignCodeAndRefreshToken(t *testing.T) {
	s := lite(t)
	code := redirected(t, s.authorize(nativeForm())).Get("code")
	refused(t, s.token(codeForm(code, "redirect_uri", "com.example.app:/cb")), http.StatusBadRequest, "invalid_grant")
	w := s.do(post(op.PathToken, codeForm(code, "client_id", "native", "redirect_uri", "com.example.app:/cb")))
	got := granted(t, w)
	refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
	granted(t, s.do(post(op.PathToken, refreshForm(got.RefreshToken, "client_id", "native"))))
}

func TestRedirectURIMustMatchAtToken(t *testing.T) {
	s := lite(t)
	code := s.code(t, authorizeForm())
	refused(t, s.token(codeForm(code, "redirect_uri", "")), http.StatusBadRequest, "invalid_grant")
	refused(t, s.token(codeForm(code, "redirect_uri", callback+"/")), http.StatusBadRequest, "invalid_grant")
	granted(t, s.token(codeForm(code)))
}

// A half-written response must never stay: not when the last step fails, not
// when a write in between does.
func TestStoreHasTransactions(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.signIns.issued = func(context.Context) error { return errBoom }
		if q := redirected(t, s.authorize(authorizeForm())); q.Get("error") != "server_error" {
			t.Errorf("redirect = %v, want server_error", q)
		}
		if s.rows(t) != "0 0 0 0" {
			t.Errorf("rows after a failed sign-in = %s, want none", s.rows(t))
		}
		s.signIns.issued = nil
		code := s.code(t, authorizeForm())
		if _, err := s.db.Exec(t.Context(), "ALTER TABLE oauth_refresh RENAME TO away"); err != nil {
			t.Fatal(err)
		}
		refused(t, s.token(codeForm(code)), http.StatusInternalServerError, "server_error")
		if n := s.count(t, "oauth_access"); n != 0 {
			t.Errorf("access tokens after a failed write = %d, want 0", n)
		}
		if _, err := s.db.Exec(t.Context(), "ALTER TABLE away RENAME TO oauth_refresh"); err != nil {
			t.Fatal(err)
		}
		granted(t, s.token(codeForm(code))) // the code was not used up
	})
}

// A panic between BEGIN and COMMIT left SQLite's one writer inside a transaction.
func TestPanicAfterBegin(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.signIns.issued = func(context.Context) error { panic(errBoom) }
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			s.authorize(authorizeForm())
		}()
		s.signIns.issued = nil
		if s.rows(t) != "0 0 0 0" {
			t.Errorf("rows after a panic = %s, want none", s.rows(t))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := httptest.NewRequest(http.MethodGet, op.PathAuthorize+"?"+authorizeForm().Encode(), nil).WithContext(ctx)
		if q := redirected(t, s.do(r)); q.Get("code") == "" {
			t.Errorf("after a panic: %v, want a code", q)
		}
	})
}

// Fosite insists on a state of 8 characters; the specifications do not.
func TestMissingState(t *testing.T) {
	s := lite(t)
	for _, state := range []string{"", "x", "1234567"} {
		q := redirected(t, s.authorize(authorizeForm("state", state)))
		if q.Get("code") == "" || q.Get("state") != state || q.Has("state") != (state != "") {
			t.Errorf("state %q: redirect %v; want a code and the same state", state, q)
		}
	}
}

// A short nonce passed authorize and failed at token, with the code burned.
func TestShortNonce(t *testing.T) {
	s := lite(t)
	for _, nonce := range []string{"", "n"} {
		claims := idClaims(t, granted(t, s.token(codeForm(s.code(t, authorizeForm("nonce", nonce))))).IDToken)
		if got, _ := claims["nonce"].(string); got != nonce {
			t.Errorf("nonce = %q, want %q", got, nonce)
		}
	}
}

// Fosite ignores max_age=0. Here the flow is told, and a sign-in that was not
// fresh is not issued even if the flow errs.
func TestMaxAgeZero(t *testing.T) {
	s := lite(t)
	got := granted(t, s.token(codeForm(s.code(t, authorizeForm("max_age", "0")))))
	if age := s.signIns.begun[0].MaxAge; age == nil || *age != 0 {
		t.Errorf("the flow was told max_age %v, want 0", age)
	}
	if idClaims(t, got.IDToken)["auth_time"] == nil {
		t.Error("auth_time is missing")
	}
	s.signIns.prepare = func(row *flow.SignIn) { row.Fresh, row.AuthTime = false, row.CreatedAt.Add(-time.Second) }
	for _, form := range []url.Values{authorizeForm("max_age", "0"), authorizeForm("prompt", "login"), authorizeForm("prompt", "select_account")} {
		if q := redirected(t, s.authorize(form)); q.Get("error") != "login_required" {
			t.Errorf("an old sign-in with %v: %v; want login_required", form, q)
		}
	}
}

func TestMaxAge(t *testing.T) {
	s := lite(t)
	for _, bad := range []string{"-1", "x", "1.5", "1e3", "0x1", "+1", " 1"} {
		if q := redirected(t, s.authorize(authorizeForm("max_age", bad))); q.Get("error") != "invalid_request" {
			t.Errorf("max_age %q: %v; want invalid_request", bad, q)
		}
	}
	s.signIns.prepare = func(row *flow.SignIn) { row.Fresh, row.AuthTime = false, row.CreatedAt.Add(-time.Hour) }
	for age, want := range map[string]string{
		"10": "login_required", "3599": "login_required", "3700": "", "99999999999999999999": "", "9223372036854775807": "",
	} {
		if q := redirected(t, s.authorize(authorizeForm("max_age", age))); q.Get("error") != want {
			t.Errorf("max_age %s an hour after the sign-in: %v; want error %q", age, q, want)
		}
	}
}

// Fosite compares auth_time with the time of the request: the time the response
// is made, after a wait, would be the wrong one, and so would a rest of
// microseconds.
func TestWaitDoesNotSpoilAuthTime(t *testing.T) {
	s := lite(t)
	for name, prepare := range map[string]func(*flow.SignIn){
		"signed in, then waited": func(row *flow.SignIn) {
			row.CreatedAt = row.CreatedAt.Add(-20 * time.Second)
			row.AuthTime = row.CreatedAt.Add(2 * time.Second)
		},
		"signed in within the same second": func(row *flow.SignIn) {
			row.CreatedAt = row.CreatedAt.Add(-time.Minute).Truncate(time.Second).Add(900 * time.Millisecond)
			row.AuthTime = row.CreatedAt.Truncate(time.Second)
		},
	} {
		s.signIns.prepare = prepare
		if q := redirected(t, s.authorize(authorizeForm("prompt", "login", "max_age", "1"))); q.Get("code") == "" {
			t.Errorf("%s: %v; want a code", name, q)
		}
	}
}

func TestDuplicateParameters(t *testing.T) {
	s := lite(t)
	query := authorizeForm().Encode()
	twice := func(extra string) *httptest.ResponseRecorder {
		return s.do(httptest.NewRequest(http.MethodGet, op.PathAuthorize+"?"+query+"&"+extra, nil))
	}
	for _, extra := range []string{"scope=openid", "nonce=other", "code_challenge=x", "unknown=1&unknown=2"} {
		if q := redirected(t, twice(extra)); q.Get("error") != "invalid_request" || q.Get("state") != givenState {
			t.Errorf("%s: %v; want invalid_request", extra, q)
		}
	}
	if q := redirected(t, twice("state=other")); q.Get("error") != "invalid_request" || q.Has("state") {
		t.Errorf("state twice: %v; want invalid_request without a state", q)
	}
	for _, extra := range []string{"client_id=app", "redirect_uri=" + url.QueryEscape(callback)} {
		if w := twice(extra); w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d to %q; want a page", extra, w.Code, w.Header().Get("Location"))
		}
	}
	r := post(op.PathAuthorize, authorizeForm())
	r.URL.RawQuery = "scope=openid"
	if q := redirected(t, s.do(r)); q.Get("error") != "invalid_request" {
		t.Errorf("scope in query and body: %v; want invalid_request", q)
	}
	form := codeForm("x")
	form.Add("code", "y")
	refused(t, s.token(form), http.StatusBadRequest, "invalid_request")
}

// Fosite never compares the registered scheme, takes a user name along, and
// gives every client any port.
func TestLoopbackRedirect(t *testing.T) {
	s := lite(t)
	native := s.apps["native"]
	native.RedirectURIs = []string{"http://127.0.0.1/cb", "http://[::1]/cb", "https://127.0.0.1/tls", "http://localhost/cb", "http://127.0.0.1:7000/q?a=b"}
	s.apps["native"] = native
	web := s.apps["app"]
	web.RedirectURIs = []string{"http://127.0.0.1/cb"}
	s.apps["app"] = web
	for _, c := range []struct {
		client, uri string
		ok          bool
	}{
		{"native", "http://127.0.0.1/cb", true},
		{"native", "http://127.0.0.1:49152/cb", true},
		{"native", "http://[::1]:49152/cb", true},
		{"native", "http://127.0.0.1:1/q?a=b", true},
		{"native", "http://127.0.0.1:1/q?a=c", false},
		{"native", "http://127.0.0.1:1/q", false},
		{"native", "http://127.0.0.1:/cb", false},
		{"native", "http://127.0.0.1:9/tls", false},
		{"native", "https://127.0.0.1:9/tls", false},
		{"native", "https://127.0.0.1:9/cb", false},
		{"native", "http://user:pw@127.0.0.1:9/cb", false},
		{"native", "http://localhost:9/cb", false},
		{"native", "http://127.0.0.2:9/cb", false},
		{"native", "http://127.0.0.1.evil.example:9/cb", false},
		{"native", "http://127.0.0.1:9/cb/../cb", false},
		{"native", "http://127.0.0.1:9/%63b", false},
		{"native", "http://127.0.0.1:9/cb#f", false},
		{"native", "HTTP://127.0.0.1:9/cb", false},
		{"app", "http://127.0.0.1/cb", true},
		{"app", "http://127.0.0.1:49152/cb", false},
	} {
		w := s.authorize(authorizeForm("client_id", c.client, "redirect_uri", c.uri, "scope", "openid"))
		if sent := strings.HasPrefix(w.Header().Get("Location"), c.uri); sent != c.ok || (w.Code == http.StatusSeeOther) != c.ok {
			t.Errorf("%s to %s: %d %q; want accepted = %v", c.client, c.uri, w.Code, w.Header().Get("Location"), c.ok)
		}
	}
}

func TestUnknownGrantType(t *testing.T) {
	s := lite(t)
	for _, grant := range []string{"password", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit", "authorization_code refresh_token"} {
		refused(t, s.token(url.Values{"grant_type": {grant}}), http.StatusBadRequest, "unsupported_grant_type")
	}
	refused(t, s.token(url.Values{"code": {"x"}}), http.StatusBadRequest, "invalid_request")
}

// Run with -race: fosite's Config fills itself in on first use, without a lock.
func TestConfigHasNoDataRace(t *testing.T) {
	s := lite(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			code := redirected(t, s.authorize(authorizeForm())).Get("code")
			if w := s.token(codeForm(code)); w.Code != http.StatusOK {
				t.Errorf("token = %d %s", w.Code, w.Body)
			}
			s.token(url.Values{"grant_type": {"client_credentials"}})
			s.token(codeForm("x", "client_secret", "y"))
		})
	}
	wg.Wait()
}
