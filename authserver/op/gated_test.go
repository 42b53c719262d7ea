package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
)

// way is how an application gets a user's token.
type way struct {
	auth, mode string
	pushed     bool
	dpop       jose.SignatureAlgorithm // "" for bearer tokens
	resource   string                  // which its access tokens are for; "" for our own endpoints
	format     application.TokenFormat // of its access tokens
}

// as posts a form, authenticated with the way's method.
func (s *server) as(t *testing.T, w way, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	var r *http.Request
	switch w.auth {
	case "client_secret_basic":
		r = post(path, form)
		r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	case "client_secret_post":
		r = post(path, params(form, "client_id", "app", "client_secret", appSecret.Reveal()))
	case "private_key_jwt":
		r = post(path, params(form, "client_assertion_type", jwtBearer, "client_assertion", s.assertion(t, nil)))
	default:
		r = post(path, params(form, "client_id", "app"))
	}
	if w.dpop != "" {
		r.Header.Set("DPoP", holderOf(w.dpop).proof(t, s, http.MethodPost, path, nil, nil))
	}
	return s.do(r)
}

// begin sends the authorization request of the way.
func (s *server) begin(t *testing.T, w way) *httptest.ResponseRecorder {
	t.Helper()
	form := authorizeForm("response_mode", w.mode, "scope", "openid offline_access", "resource", w.resource)
	if !w.pushed {
		return s.authorize(form)
	}
	return s.authorize(continued(t, s.as(t, w, op.PathPushed, form)))
}

// ways returns every way the discovery document offers, and fails for one that
// nothing here tries.
func (s *server) ways(t *testing.T) []way {
	t.Helper()
	var offered struct {
		Grants []string `json:"grant_types_supported"`
		Types  []string `json:"response_types_supported"`
		Auths  []string `json:"token_endpoint_auth_methods_supported"`
		Modes  []string `json:"response_modes_supported"`
		Proofs []string `json:"dpop_signing_alg_values_supported"`
	}
	w := s.do(httptest.NewRequest(http.MethodGet, op.PathDiscovery, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &offered); err != nil {
		t.Fatal(err)
	}
	for _, known := range []struct{ offered, tried []string }{
		{offered.Grants, []string{"authorization_code", "refresh_token", "client_credentials", deviceGrantType}}, // client_credentials has no user
		{offered.Types, []string{"code"}},
		{offered.Auths, []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}},
		{offered.Modes, []string{"query", "form_post"}},
		{offered.Proofs, []string{"ES256", "RS256", "PS256", "EdDSA"}}, // tried with one way to authenticate each
	} {
		if !slices.Equal(slices.Sorted(slices.Values(known.offered)), slices.Sorted(slices.Values(known.tried))) {
			t.Fatalf("offered are %v, tried %v: try every one against the gate", known.offered, known.tried)
		}
	}
	var all []way
	for i, auth := range offered.Auths {
		for _, mode := range offered.Modes {
			all = append(all, way{auth: auth, mode: mode}, way{auth: auth, mode: mode, pushed: true})
		}
		for _, pushed := range []bool{false, true} {
			all = append(all, way{auth: auth, mode: "query", pushed: pushed, dpop: jose.SignatureAlgorithm(offered.Proofs[i%len(offered.Proofs)])})
		}
	}
	for _, format := range []application.TokenFormat{application.TokenOpaque, application.TokenJWT} {
		all = append(all, way{auth: "client_secret_basic", mode: "query", resource: reports, format: format},
			way{auth: "none", mode: "query", pushed: true, resource: reports, format: format, dpop: jose.ES256})
	}
	return append(all, way{auth: "client_secret_basic", mode: "query", format: application.TokenJWT})
}

// Whichever way an application asks, the gate has its word when the code is made,
// when it is redeemed and when a token is refreshed, and what it refused costs
// neither the code nor the refresh token.
func TestEveryWayAsksTheGate(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for _, w := range s.ways(t) {
			app := confidential()
			app.AuthMethod = application.AuthMethod(w.auth)
			switch app.AuthMethod {
			case application.AuthPrivateKeyJWT:
				app = signer(t)
			case application.AuthNone:
				app.SecretHash, app.GrantTypes = "", slices.DeleteFunc(app.GrantTypes, func(g string) bool { return g == application.GrantClientCredentials })
			}
			app.AccessTokenFormat = w.format
			s.apps["app"] = app
			server := reportsServer()
			server.TokenFormat = w.format
			s.servers[reports] = server
			s.refuseWay(t, w)
			if w.mode == "query" && !w.pushed { // nor does it matter who made the application
				app.SelfRegistered = true
				s.apps["app"] = app
				s.refuseWay(t, w)
			}
		}
	})
}

func (s *server) refuseWay(t *testing.T, w way) {
	t.Helper()
	deny := func(denied bool) { s.ledger.set(func(l *ledger) { l.inactive = denied }) }
	before := s.count(t, "oauth_code")
	deny(true)
	if answer := s.begin(t, w); strings.Contains(answer.Header().Get("Location")+answer.Body.String(), "code=") || s.count(t, "oauth_code") != before {
		t.Errorf("%+v: a code without a permit: %d %v %s", w, answer.Code, answer.Header(), answer.Body)
	}
	deny(false)
	code := s.codeOf(t, w)
	refresh := s.refuseThenGrant(t, w, codeForm(code), provisioning.GrantCode, "invalid_grant")
	s.refuseThenGrant(t, w, refreshForm(refresh), provisioning.GrantRefresh, "invalid_grant")
	if w.pushed || w.mode != "query" {
		return // a device has neither
	}
	asked := s.deviceAsks(t, s.as(t, w, op.PathDevice, url.Values{"scope": {"openid offline_access"}, "resource": {w.resource}}))
	deny(true)
	before = s.count(t, "oauth_grant")
	if answer := s.allowDevice(t, asked); answer.Code < http.StatusBadRequest || s.count(t, "oauth_grant") != before {
		t.Errorf("%+v: a device was allowed without a permit: %d %v", w, answer.Code, answer.Header())
	}
	deny(false)
	refused(t, s.as(t, w, op.PathToken, deviceForm(asked)), http.StatusBadRequest, "authorization_pending")
	s.allowDevice(t, asked)
	refresh = s.refuseThenGrant(t, w, deviceForm(asked), provisioning.GrantDevice, "access_denied")
	s.refuseThenGrant(t, w, refreshForm(refresh), provisioning.GrantRefresh, "invalid_grant")
}

// codeOf returns the code of a permitted request, from the address or the form.
func (s *server) codeOf(t *testing.T, w way) string {
	t.Helper()
	answer := s.begin(t, w)
	text := answer.Header().Get("Location")
	if w.mode == "form_post" {
		text = "?" + answer.Body.String()[strings.LastIndexAny(answer.Body.String(), "? \n")+1:]
	}
	_, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil || values.Get("code") == "" {
		t.Fatalf("%+v: no code in %d %q %s", w, answer.Code, text, answer.Body)
	}
	return values.Get("code")
}

// refuseThenGrant redeems twice: first the gate refuses, then it permits. It
// returns the refresh token.
func (s *server) refuseThenGrant(t *testing.T, w way, form url.Values, grant provisioning.Grant, refusal string) string {
	t.Helper()
	rows := s.count(t, "oauth_access")
	s.ledger.set(func(l *ledger) { l.inactive, l.decisions = true, nil })
	refused(t, s.as(t, w, op.PathToken, form), http.StatusBadRequest, refusal)
	s.ledger.set(func(l *ledger) {
		l.inactive = false
		if len(l.decisions) != 1 || l.decisions[0].Request.Grant != grant || l.decisions[0].Request.User != alice {
			t.Errorf("%+v: decisions = %+v, want one about %s", w, l.decisions, grant)
		}
	})
	if n := s.count(t, "oauth_access"); n != rows {
		t.Errorf("%+v: %d access tokens without a permit", w, n-rows)
	}
	got := granted(t, s.as(t, w, op.PathToken, form))
	if (got.TokenType == "DPoP") != (w.dpop != "") {
		t.Errorf("%+v: the token type is %s", w, got.TokenType)
	}
	return got.RefreshToken
}
