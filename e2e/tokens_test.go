package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// is reports whether it is this error, and carries no token.
func (a answer) is(status int, code string) bool {
	return a.status == status && a.text("error") == code && !a.has("access_token") && !a.has("refresh_token") && !a.has("id_token")
}

func (a answer) has(name string) bool { return a.body[name] != nil }

// claims returns the payload of the ID token, which the transport vouches for.
func (a answer) claims(t *testing.T) map[string]any {
	t.Helper()
	parts := strings.Split(a.text("id_token"), ".")
	if len(parts) != 3 {
		t.Fatalf("no ID token in %v", slices.Sorted(maps.Keys(a.body)))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// send posts a form, with credentials unless the client is "".
func (s *stack) send(t *testing.T, path, client string, form url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client != "" {
		req.SetBasicAuth(client, appSecret)
	}
	return s.do(t, req)
}

// do may run on any goroutine: a failure is the zero answer.
func (s *stack) do(t *testing.T, req *http.Request) answer {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if err := json.NewDecoder(res.Body).Decode(&a.body); err != nil {
		t.Errorf("%s %s: %s: %v", req.Method, req.URL.Path, res.Status, err)
	}
	return a
}

func (s *stack) refresh(t *testing.T, token string) answer {
	t.Helper()
	return s.send(t, "/oauth2/token", appID, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func (s *stack) redeem(t *testing.T, r request, callback *url.URL) answer {
	t.Helper()
	return s.send(t, "/oauth2/token", appID, redemption(r, callback))
}

func redemption(r request, callback *url.URL) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")},
		"redirect_uri": {appCallback}, "code_verifier": {r.verifier},
	}
}

// userinfo asks with the token in the header.
func (s *stack) userinfo(t *testing.T, method, token string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.issuer+"/oauth2/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return s.do(t, req)
}

// withCode registers a user and returns the request whose code came back.
func (s *stack) withCode(t *testing.T, login string) (request, *url.URL) {
	t.Helper()
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	r := rp.request(promptCreate)
	return r, arrive(t, b, register(t, b, r.url, login))
}

// withTokens registers a user and redeems the code.
func (s *stack) withTokens(t *testing.T, login string) answer {
	t.Helper()
	r, callback := s.withCode(t, login)
	a := s.redeem(t, r, callback)
	if a.status != http.StatusOK || !a.has("access_token") || !a.has("refresh_token") || !a.has("id_token") {
		t.Fatalf("code redeemed: %d %v", a.status, a.body)
	}
	return a
}

func TestRefreshRotatesAndReuseEndsTheFamily(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database})
		first := s.withTokens(t, "ada")
		calls := len(s.proxy.Requests())
		second := s.refresh(t, first.text("refresh_token"))
		if second.status != http.StatusOK || second.text("refresh_token") == first.text("refresh_token") || !second.has("refresh_token") {
			t.Fatalf("refresh: %d %v, want a new refresh token", second.status, second.body)
		}
		if diff := cmp.Diff(first.claims(t)["provisioned"], second.claims(t)["provisioned"]); diff != "" || first.claims(t)["sub"] != second.claims(t)["sub"] {
			t.Errorf("the ID token after a refresh differs (-first +second):\n%s", diff)
		}
		if n := len(s.proxy.Requests()) - calls; n != 0 {
			t.Errorf("a refresh in sync made %d calls, want none", n)
		}
		if a := s.userinfo(t, http.MethodGet, second.text("access_token")); a.status != http.StatusOK {
			t.Errorf("userinfo with the new token: %d %v", a.status, a.body)
		}
		if a := s.refresh(t, first.text("refresh_token")); !a.is(http.StatusBadRequest, "invalid_grant") {
			t.Errorf("reuse: %d %v, want invalid_grant", a.status, a.body)
		}
		s.revoked(t, second)
		if a := s.userinfo(t, http.MethodGet, first.text("access_token")); a.status != http.StatusUnauthorized {
			t.Errorf("userinfo with the first token: %d, want 401", a.status)
		}
	})
}

// revoked checks that neither token of the answer is good for anything.
func (s *stack) revoked(t *testing.T, tokens answer) {
	t.Helper()
	if a := s.userinfo(t, http.MethodGet, tokens.text("access_token")); !a.is(http.StatusUnauthorized, "invalid_token") {
		t.Errorf("userinfo of a revoked family: %d %v, want invalid_token", a.status, a.body)
	}
	if a := s.refresh(t, tokens.text("refresh_token")); !a.is(http.StatusBadRequest, "invalid_grant") {
		t.Errorf("refresh of a revoked family: %d %v, want invalid_grant", a.status, a.body)
	}
}

func TestDisabledUserGetsNothingMore(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database})
		tokens := s.withTokens(t, "ada")
		r, callback := s.withCode(t, "bob")
		for _, login := range []string{"ada", "bob"} {
			if err := s.Users.SetActive(t.Context(), s.user(t, login).ID, false); err != nil {
				t.Fatal(err)
			}
		}
		before := s.issued(t)
		s.revoked(t, tokens)
		if a := s.redeem(t, r, callback); !a.is(http.StatusBadRequest, "invalid_grant") {
			t.Errorf("code of a disabled user: %d %v, want invalid_grant", a.status, a.body)
		}
		if n := s.issued(t) - before; n != 0 {
			t.Errorf("%d rows issued for disabled users", n)
		}
		s.account(t, "ada", func(a provisioning.Account) bool { return a.State == provisioning.StateSuspended && a.InSync() })
		// Who is enabled again may go on: nothing of theirs was used up.
		if err := s.Users.SetActive(t.Context(), s.user(t, "ada").ID, true); err != nil {
			t.Fatal(err)
		}
		s.account(t, "ada", inSync)
		if a := s.refresh(t, tokens.text("refresh_token")); a.status != http.StatusOK {
			t.Errorf("refresh once enabled again: %d %v", a.status, a.body)
		}
	})
}

// change makes an update of the user's account due.
func (s *stack) change(t *testing.T, login string) {
	t.Helper()
	_, err := s.Users.Update(t.Context(), s.user(t, login).ID, func(u *user.User) error {
		u.GivenName += "x"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// later checks that the answer asks to come back with the same token.
func later(t *testing.T, a answer) {
	t.Helper()
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if !a.is(http.StatusServiceUnavailable, "temporarily_unavailable") || err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("refresh: %d %v, Retry-After %q; want 503 and when to come back", a.status, a.body, a.header.Get("Retry-After"))
	}
}

func TestRefreshWithEnsureIsPutOffWhileTheTargetIsDown(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		t.Parallel()
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: true, on_refresh: ensure"})
		tokens := s.withTokens(t, "ada")
		slow, release := held()
		s.proxy.Script(http.MethodPatch, "/Users/*", slow)
		s.change(t, "ada")
		before := s.issued(t)
		later(t, s.refresh(t, tokens.text("refresh_token")))
		if n := s.issued(t) - before; n != 0 {
			t.Errorf("%d rows issued with a 503", n)
		}
		release()
		s.account(t, "ada", inSync)
		again := s.refresh(t, tokens.text("refresh_token"))
		if again.status != http.StatusOK {
			t.Fatalf("the same token afterwards: %d %v", again.status, again.body)
		}
		s.revokesWhenReused(t, tokens, again)
	})
}

// revokesWhenReused shows that the refresh token was rotated exactly once.
func (s *stack) revokesWhenReused(t *testing.T, old, fresh answer) {
	t.Helper()
	if a := s.refresh(t, old.text("refresh_token")); !a.is(http.StatusBadRequest, "invalid_grant") {
		t.Errorf("reuse: %d %v, want invalid_grant", a.status, a.body)
	}
	s.revoked(t, fresh)
}

// What a refresh waits for a moment, it also tells the outcome of.
func TestRefreshWithEnsureWaitsForQuickWork(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{binding: "blocking: true, on_refresh: ensure"})
	tokens := s.withTokens(t, "ada")
	slow, release := held()
	s.proxy.Script(http.MethodPatch, "/Users/*", slow)
	s.change(t, "ada")
	// The refresh is on its way once its decision to wait is there.
	result := make(chan answer, 1)
	go func() { result <- s.refresh(t, tokens.text("refresh_token")) }()
	db := s.db(t)
	eventually(t, "a decision to wait", func() bool {
		var n int
		err := db.QueryRow(t.Context(), "SELECT count(*) FROM decision WHERE grant_type = 'refresh_token' AND verdict = 'wait'").Scan(&n)
		return err == nil && n > 0
	})
	release()
	a := <-result
	if a.status != http.StatusOK {
		t.Fatalf("refresh: %d %v", a.status, a.body)
	}
	want := map[string]any{"directory": map[string]any{"id": s.account(t, "ada", inSync).ExternalID, "state": "in_sync"}}
	if diff := cmp.Diff(want, a.claims(t)["provisioned"]); diff != "" {
		t.Errorf("claim provisioned (-want +got):\n%s", diff)
	}
}

// An application becomes Blocking while a user has tokens and no account: the
// refresh is put off, not refused, and the token is good afterwards.
func TestRefreshIsPutOffUntilTheFirstAccountIsThere(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		t.Parallel()
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: false"})
		slow, release := held()
		s.proxy.Script(http.MethodPost, "/Users", faultproxy.Status(http.StatusServiceUnavailable, nil, ""), slow)
		tokens := s.withTokens(t, "ada")
		s.apply(t, stackOptions{binding: "blocking: true"})
		later(t, s.refresh(t, tokens.text("refresh_token")))
		release()
		s.account(t, "ada", inSync)
		if a := s.refresh(t, tokens.text("refresh_token")); a.status != http.StatusOK {
			t.Errorf("the same token afterwards: %d %v", a.status, a.body)
		}
	})
}

// The default checks the ledger alone: an update that is due, or fails, does not
// hold a refresh up; on_refresh skip does not even look.
func TestRefreshGoesOnWhileAnUpdateIsDue(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"check", "skip"} {
		t.Run(policy, func(t *testing.T) {
			up, _ := startElimity(t)
			s := startStack(t, up, stackOptions{binding: "blocking: true, on_refresh: " + policy})
			tokens := s.withTokens(t, "ada")
			end := s.until(http.MethodPatch, "/Users/*", faultproxy.Status(http.StatusServiceUnavailable, nil, ""))
			defer end()
			s.change(t, "ada")
			if a := s.refresh(t, tokens.text("refresh_token")); a.status != http.StatusOK {
				t.Errorf("refresh: %d %v", a.status, a.body)
			}
		})
	}
}

// Several who redeem one code: one gets tokens, and then loses them, since one of
// the others stole the code (RFC 6749 section 4.1.2).
func TestCodeRedeemedInParallelSucceedsOnceAndIsThenRevoked(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database})
		r, callback := s.withCode(t, "ada")
		const n = 8
		won := make(chan answer, n)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				a := s.redeem(t, r, callback)
				if a.status == http.StatusOK {
					won <- a
				} else if !a.is(http.StatusBadRequest, "invalid_grant") {
					t.Errorf("a loser got %d %v, want invalid_grant", a.status, a.body)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d redeemed the code, want 1", len(won))
		}
		s.revoked(t, <-won)
	})
}

func TestRefreshTokenUsedInParallelSucceedsOnceAndIsThenRevoked(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database})
		tokens := s.withTokens(t, "ada")
		const n = 8
		won := make(chan answer, n)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				a := s.refresh(t, tokens.text("refresh_token"))
				if a.status == http.StatusOK {
					won <- a
				} else if !a.is(http.StatusBadRequest, "invalid_grant") {
					t.Errorf("a loser got %d %v, want invalid_grant", a.status, a.body)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d used the refresh token, want 1", len(won))
		}
		s.revoked(t, <-won)
	})
}

func TestUserinfoTellsTheAccountsByGetAndPost(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{})
	tokens := s.withTokens(t, "ada")
	a := s.account(t, "ada", inSync)
	want := map[string]any{
		"sub": string(a.User), "email": "ada@example.com", "email_verified": false, "given_name": "Ada",
		"family_name": "Example", "preferred_username": "ada",
		"provisioned": map[string]any{"directory": map[string]any{"id": a.ExternalID, "state": "in_sync"}},
	}
	token := tokens.text("access_token")
	for name, got := range map[string]answer{
		"GET, header":  s.userinfo(t, http.MethodGet, token),
		"POST, header": s.userinfo(t, http.MethodPost, token),
		"POST, form":   s.send(t, "/oauth2/userinfo", "", url.Values{"access_token": {token}}),
	} {
		delete(got.body, "name") // derived from the other names
		if diff := cmp.Diff(want, got.body); diff != "" || got.status != http.StatusOK {
			t.Errorf("%s: %d (-want +got):\n%s", name, got.status, diff)
		}
	}
	for name, got := range map[string]answer{
		"refresh token": s.userinfo(t, http.MethodGet, tokens.text("refresh_token")),
		"ID token":      s.userinfo(t, http.MethodGet, tokens.text("id_token")),
		"nothing known": s.userinfo(t, http.MethodPost, "nothing"),
	} {
		if !got.is(http.StatusUnauthorized, "invalid_token") {
			t.Errorf("%s at userinfo: %d %v, want invalid_token", name, got.status, got.body)
		}
	}
}

// registered are applications for every combination of grants that can be
// registered.
func registered() (yaml string, grants map[string][]string) {
	grants = map[string][]string{
		"code":         {"authorization_code"},
		"code-refresh": {"authorization_code", "refresh_token"},
		"machine":      {"client_credentials"},
		"code-machine": {"authorization_code", "client_credentials"},
		"all":          {"authorization_code", "refresh_token", "client_credentials"},
	}
	for _, id := range slices.Sorted(maps.Keys(grants)) {
		yaml += fmt.Sprintf("  - {client_id: %s, redirect_uris: [%q], secret: {env: APP_SECRET}, scopes: [openid, profile, email, offline_access, provisioning, reports], grant_types: [%s]}\n",
			id, appCallback, strings.Join(grants[id], ", "))
	}
	return yaml, grants
}

// Whatever an application registered, only the code flow issues at the
// authorization endpoint.
func TestAuthorizationEndpointRefusesEveryOtherResponseType(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	yaml, grants := registered()
	s := startStack(t, up, stackOptions{more: yaml})
	b := s.withSession(t, "ada")
	before := s.issued(t)
	for id, granted := range grants {
		code := "unsupported_response_type"
		if !slices.Contains(granted, "authorization_code") {
			code = "unauthorized_client"
		}
		rp := newRelyingPartyOf(t, s.issuer, id)
		for _, responseType := range []string{
			"token", "id_token", "id_token token", "code token", "code id_token", "code id_token token", "none", "device_code", "CODE", "code code",
		} {
			r := rp.request()
			page, err := b.Get(t.Context(), strings.Replace(r.url, "response_type=code", "response_type="+url.QueryEscape(responseType), 1))
			if err != nil || page.Location == nil {
				t.Fatalf("%s, response_type=%s: page %+v, %v", id, responseType, page, err)
			}
			refused(t, s, r, page.Location, code)
			if page.Location.Fragment != "" {
				t.Errorf("%s, response_type=%s: answered in the fragment %q", id, responseType, page.Location.Fragment)
			}
		}
	}
	if n := s.issued(t) - before; n != 0 {
		t.Errorf("%d rows issued", n)
	}
	r := newRelyingPartyOf(t, s.issuer, "code").request() // the session would have allowed it
	if page, err := b.Get(t.Context(), r.url); err != nil || page.Location == nil || !page.Location.Query().Has("code") {
		t.Errorf("code flow: %+v, %v", page, err)
	}
}

// Nothing but the four grants is answered, and each only to who registered it.
func TestTokenEndpointRefusesEveryOtherGrant(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	yaml, grants := registered()
	s := startStack(t, up, stackOptions{more: yaml})
	tokens := s.withTokens(t, "ada")
	before := s.issued(t)
	foreign := map[string]url.Values{
		"password": {"username": {"ada"}, "password": {password}, "scope": {"openid"}},
		"implicit": {},
		"urn:ietf:params:oauth:grant-type:token-exchange": {"subject_token": {tokens.text("access_token")}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}},
		"urn:ietf:params:oauth:grant-type:jwt-bearer":     {"assertion": {tokens.text("id_token")}},
		"urn:ietf:params:oauth:grant-type:saml2-bearer":   {"assertion": {"x"}},
		"urn:openid:params:grant-type:ciba":               {"auth_req_id": {"x"}},
		"AUTHORIZATION_CODE":                              {"code": {"x"}},
		"authorization_code password":                     {"code": {"x"}, "username": {"ada"}, "password": {password}},
		"unknown":                                         {},
	}
	for id := range grants {
		for grantType, form := range foreign {
			form.Set("grant_type", grantType)
			if a := s.send(t, "/oauth2/token", id, form); !a.is(http.StatusBadRequest, "unsupported_grant_type") {
				t.Errorf("%s, %s: %d %v, want unsupported_grant_type", id, grantType, a.status, a.body)
			}
		}
	}
	known := map[string]url.Values{
		"authorization_code": {"code": {"x"}, "redirect_uri": {appCallback}, "code_verifier": {strings.Repeat("v", 43)}},
		"refresh_token":      {"refresh_token": {tokens.text("refresh_token")}},
		"client_credentials": {"scope": {"openid"}},
		"urn:ietf:params:oauth:grant-type:device_code": {"device_code": {"x"}},
	}
	for id, granted := range grants {
		for grantType, form := range known {
			form.Set("grant_type", grantType)
			code := map[string]string{"authorization_code": "invalid_grant", "refresh_token": "invalid_grant", "client_credentials": "invalid_scope"}[grantType] // nobody here registered the fourth
			if !slices.Contains(granted, grantType) {
				code = "unauthorized_client"
			}
			if a := s.send(t, "/oauth2/token", id, form); !a.is(http.StatusBadRequest, code) {
				t.Errorf("%s, %s: %d %v, want %s", id, grantType, a.status, a.body, code)
			}
		}
	}
	if n := s.issued(t) - before; n != 0 {
		t.Errorf("%d rows issued", n)
	}
	if a := s.refresh(t, tokens.text("refresh_token")); a.status != http.StatusOK {
		t.Errorf("strangers used up the refresh token: %d %v", a.status, a.body)
	}
	machine := s.send(t, "/oauth2/token", "machine", url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}})
	if machine.status != http.StatusOK || machine.has("refresh_token") || machine.has("id_token") {
		t.Errorf("client_credentials: %d %v, want an access token alone", machine.status, machine.body)
	}
}

// One credential is enough for nothing without the other: no endpoint issues to
// who cannot authenticate.
func TestTokenEndpointRefusesWrongClients(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{})
	r, callback := s.withCode(t, "ada")
	form := redemption(r, callback)
	before := s.issued(t)
	form.Set("client_id", appID)
	if a := s.send(t, "/oauth2/token", "", form); !a.is(http.StatusUnauthorized, "invalid_client") {
		t.Errorf("without a secret: %d %v, want invalid_client", a.status, a.body)
	}
	form.Set("client_secret", "wrong")
	if a := s.send(t, "/oauth2/token", "", form); !a.is(http.StatusUnauthorized, "invalid_client") {
		t.Errorf("with a wrong secret: %d %v, want invalid_client", a.status, a.body)
	}
	if a := s.send(t, "/oauth2/token", otherAppID, redemption(r, callback)); !a.is(http.StatusBadRequest, "invalid_grant") {
		t.Errorf("another application: %d %v, want invalid_grant", a.status, a.body)
	}
	if n := s.issued(t) - before; n != 0 {
		t.Errorf("%d rows issued", n)
	}
}
