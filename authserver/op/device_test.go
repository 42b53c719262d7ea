package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
)

const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"

type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"`
	Interval   int    `json:"interval"`
}

// deviceAsks reads the answer of the device authorization endpoint.
func (s *server) deviceAsks(t *testing.T, w *httptest.ResponseRecorder) deviceAnswer {
	t.Helper()
	var got deviceAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || got.DeviceCode == "" || got.UserCode == "" {
		t.Fatalf("answer = %d %s, %v; want a device code and a user code", w.Code, w.Body, err)
	}
	return got
}

// device asks as the confidential application.
func (s *server) device(t *testing.T, scope string) deviceAnswer {
	t.Helper()
	return s.deviceAsks(t, s.as(t, way{auth: "client_secret_basic"}, op.PathDevice, url.Values{"scope": {scope}}))
}

func deviceForm(asked deviceAnswer) url.Values {
	return url.Values{"grant_type": {deviceGrantType}, "device_code": {asked.DeviceCode}}
}

// deviceSignIn begins what follows the page for user codes.
func (s *server) deviceSignIn(t *testing.T, asked deviceAnswer) flow.ID {
	t.Helper()
	hash := op.HashToken(asked.DeviceCode)
	row, _, err := s.signIns.Begin(nil, nil, flow.AuthorizeRequest{Client: "app", Device: []byte(hash)})
	if err != nil {
		t.Fatal(err)
	}
	return row.ID
}

// allowDevice is alice's sign-in for the device.
func (s *server) allowDevice(t *testing.T, asked deviceAnswer) *httptest.ResponseRecorder {
	t.Helper()
	return s.resumed(s.deviceSignIn(t, asked))
}

func (s *server) resumed(id flow.ID) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest(http.MethodGet, op.PathResume+"?sign_in="+string(id), nil))
}

// result is what the person reads at the end.
func result(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if !strings.HasPrefix(w.Header().Get("Location"), "/device/done?") {
		t.Fatalf("answer = %d %v, want a way to /device/done", w.Code, w.Header())
	}
	return redirected(t, w).Get("result")
}

func TestDeviceFlow(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		w := s.as(t, way{auth: "client_secret_basic"}, op.PathDevice, url.Values{"scope": {everything}})
		asked := s.deviceAsks(t, w)
		want := deviceAnswer{
			DeviceCode: asked.DeviceCode, UserCode: asked.UserCode, URI: issuer + "/device", Complete: issuer + "/device?user_code=" + asked.UserCode,
			ExpiresIn: 600, Interval: 5,
		}
		if diff := cmp.Diff(want, asked); diff != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("answer (-want +got):\n%s\nheaders %v", diff, w.Header())
		}
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "authorization_pending")
		if got := result(t, s.allowDevice(t, asked)); got != "approved" {
			t.Errorf("the person reads %q, want approved", got)
		}
		got := granted(t, s.token(deviceForm(asked)))
		if got.TokenType != "Bearer" || got.RefreshToken == "" || got.Scope != everything || got.ExpiresIn < 3590 || got.ExpiresIn > 3600 {
			t.Errorf("tokens = %+v", got)
		}
		claims := idClaims(t, got.IDToken)
		for name, want := range map[string]any{
			"iss": issuer, "sub": string(alice), "sid": "sid-1", "amr": []any{"pwd"}, "aud": []any{"app"},
			"provisioned": map[string]any{"directory": map[string]any{"id": "ext-1", "state": "in_sync"}},
		} {
			if diff := cmp.Diff(want, claims[name]); diff != "" {
				t.Errorf("claim %s (-want +got):\n%s", name, diff)
			}
		}
		for _, name := range []string{"exp", "iat", "auth_time", "at_hash", "jti"} {
			if claims[name] == nil {
				t.Errorf("claim %s is missing", name)
			}
		}
		if s.userinfo(got.AccessToken).Code != http.StatusOK {
			t.Error("the access token is of no use")
		}
		again := granted(t, s.token(refreshForm(got.RefreshToken)))
		if again.RefreshToken == got.RefreshToken || s.rows(t) != "1 0 2 2" {
			t.Errorf("refreshed = %+v, rows %s; want a rotated token", again, s.rows(t))
		}
	})
}

// What a device asks for and the way it asks is checked before a code is made.
func TestDeviceAuthorizationRefused(t *testing.T) {
	s := lite(t)
	plain := s.apps["native"]
	plain.ClientID, plain.GrantTypes = "plain", []string{application.GrantAuthorizationCode}
	s.apps["plain"] = plain
	basic := func(form url.Values) *http.Request {
		r := post(op.PathDevice, form)
		r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
		return r
	}
	query := basic(url.Values{"scope": {"openid"}})
	query.URL.RawQuery = "scope=openid"
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"no client":      {post(op.PathDevice, url.Values{"scope": {"openid"}}), http.StatusUnauthorized, "invalid_client"},
		"no secret":      {post(op.PathDevice, url.Values{"client_id": {"app"}}), http.StatusUnauthorized, "invalid_client"},
		"not allowed":    {post(op.PathDevice, url.Values{"client_id": {"plain"}}), http.StatusBadRequest, "unauthorized_client"},
		"unknown scope":  {basic(url.Values{"scope": {"openid admin"}}), http.StatusBadRequest, "invalid_scope"},
		"resource":       {basic(url.Values{"scope": {"openid"}, "resource": {"https://nobody.example/api"}}), http.StatusBadRequest, "invalid_target"},
		"repeated":       {basic(url.Values{"scope": {"openid", "email"}}), http.StatusBadRequest, "invalid_request"},
		"in the address": {query, http.StatusBadRequest, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, s.do(c.r), c.status, c.code) })
	}
	if n := s.count(t, "device_request"); n != 0 {
		t.Errorf("%d requests are stored", n)
	}
}

func TestDeviceCodeRefused(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		asked := s.device(t, "openid")
		s.allowDevice(t, asked)
		other := confidential()
		other.ClientID = "other"
		s.apps["other"] = other
		r := post(op.PathToken, deviceForm(asked))
		r.SetBasicAuth("other", url.QueryEscape(appSecret.Reveal()))
		refused(t, s.do(r), http.StatusBadRequest, "invalid_grant")
		refused(t, s.token(params(deviceForm(asked), "device_code", "")), http.StatusBadRequest, "invalid_request")
		refused(t, s.token(params(deviceForm(asked), "device_code", asked.UserCode)), http.StatusBadRequest, "invalid_grant")
		app := s.apps["app"]
		app.GrantTypes = slices.DeleteFunc(slices.Clone(app.GrantTypes), func(g string) bool { return g == deviceGrantType })
		s.apps["app"] = app
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "unauthorized_client")
		app.GrantTypes = append(app.GrantTypes, deviceGrantType)
		app.Scopes = []string{"email"}
		s.apps["app"] = app
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "invalid_scope")
		s.apps["app"] = confidential()
		granted(t, s.token(deviceForm(asked)))
	})
}

// The interval is in the database: whichever instance a device asks, it is the same.
func TestDeviceSlowsDown(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		twin := newServer(t, s.db)
		twin.clock = s.clock
		asked := s.device(t, "email")
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "authorization_pending")
		refused(t, twin.token(deviceForm(asked)), http.StatusBadRequest, "slow_down")
		s.clock.advance(10 * time.Second)
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "authorization_pending")
		s.clock.advance(6 * time.Second) // five seconds were enough before
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "slow_down")
		s.allowDevice(t, asked)
		granted(t, s.token(deviceForm(asked))) // whoever may have tokens need not wait for them
	})
}

func TestDeviceCodeExpires(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		pending, approved := s.device(t, "openid"), s.device(t, "openid")
		s.allowDevice(t, approved)
		s.clock.advance(10 * time.Minute)
		for _, asked := range []deviceAnswer{pending, approved} {
			refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "expired_token")
		}
		if got := result(t, s.allowDevice(t, pending)); got != "expired" {
			t.Errorf("the person reads %q, want expired", got)
		}
		if s.count(t, "oauth_grant") != 1 {
			t.Error("an expired request got a grant")
		}
		s.clock.advance(time.Hour)
		if _, err := s.store.DeleteExpired(t.Context(), s.clock.Now(), 100); err != nil || s.count(t, "device_request") != 0 {
			t.Errorf("expired requests are kept: %v", err)
		}
	})
}

// A device code that is used twice ends what came of it.
func TestDeviceCodeReplay(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		asked := s.device(t, "openid offline_access")
		s.allowDevice(t, asked)
		got := granted(t, s.token(deviceForm(asked)))
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "invalid_grant")
		if s.userinfo(got.AccessToken).Code != http.StatusUnauthorized {
			t.Error("the access token outlives the replay")
		}
		refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
	})
}

// Of many polls at once, at most one gets tokens.
func TestDeviceCodeRace(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		asked := s.device(t, "openid")
		s.allowDevice(t, asked)
		answers := make([]*httptest.ResponseRecorder, 8)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = s.token(deviceForm(asked)) })
		}
		all.Wait()
		won := 0
		for _, w := range answers {
			if w.Code == http.StatusOK {
				won++
			} else if code := decodeTokens(t, w).Error; code != "invalid_grant" && code != "access_denied" { // the latter of who came after a loser
				t.Errorf("a loser got %d %s", w.Code, w.Body)
			}
		}
		if won != 1 || s.count(t, "oauth_access") != 1 {
			t.Errorf("%d polls won, %d access tokens; want one each", won, s.count(t, "oauth_access"))
		}
	})
}

// Of two people who enter the same code, the first to end decides.
func TestDeviceIsAnsweredOnce(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		asked := s.device(t, "openid")
		first, second := s.deviceSignIn(t, asked), s.deviceSignIn(t, asked)
		if got := result(t, s.resumed(first)); got != "approved" {
			t.Errorf("the first reads %q, want approved", got)
		}
		if got := result(t, s.resumed(second)); got != "expired" {
			t.Errorf("the second reads %q, want expired", got)
		}
		if got := result(t, s.resumed(first)); got != "approved" {
			t.Errorf("after a reload the first reads %q, want approved", got)
		}
		granted(t, s.token(deviceForm(asked)))
		if s.count(t, "oauth_grant") != 1 {
			t.Errorf("%d grants, want one", s.count(t, "oauth_grant"))
		}
	})
}

// However the sign-in fails, the device hears why and stops asking.
func TestDeviceHearsOfFailure(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for code, want := range map[string]string{
			"access_denied": "denied", "temporarily_unavailable": "unavailable", "server_error": "failed",
		} {
			asked := s.device(t, "openid")
			s.signIns.step = flow.Step{Action: flow.ActionFail, Error: code}
			if got := result(t, s.allowDevice(t, asked)); got != want {
				t.Errorf("%s: the person reads %q, want %q", code, got, want)
			}
			s.signIns.step = flow.Step{Action: flow.ActionIssue}
			refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, code)
			if got := result(t, s.allowDevice(t, asked)); got != "expired" {
				t.Errorf("%s: a second sign-in reads %q, want expired", code, got)
			}
		}
		if s.count(t, "oauth_grant") != 0 {
			t.Error("a device that was refused has a grant")
		}
	})
}

// What the user withdraws, or a new password ends, before the device asks is over.
func TestDeviceAccessWithdrawn(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		asked := s.device(t, "openid")
		s.allowDevice(t, asked)
		if n, err := s.store.RevokeUser(t.Context(), alice, s.clock.Now()); err != nil || n != 1 {
			t.Fatalf("revoked %d, %v", n, err)
		}
		refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "access_denied")
	})
}

// An application that changed while the person signed in gets nothing more than it
// may have now.
func TestDeviceOfChangedApplication(t *testing.T) {
	s := lite(t)
	asked := s.device(t, "openid email")
	app := s.apps["app"]
	app.Scopes = []string{"openid"}
	s.apps["app"] = app
	if got := result(t, s.allowDevice(t, asked)); got != "denied" {
		t.Errorf("the person reads %q, want denied", got)
	}
	refused(t, s.token(deviceForm(asked)), http.StatusBadRequest, "access_denied")
}

// Neither code is in the database.
func TestDeviceCodesAreKeptAsHashes(t *testing.T) {
	s := lite(t)
	asked := s.device(t, "openid")
	var hash, userCode []byte
	if err := s.db.QueryRow(t.Context(), "SELECT hash, user_code FROM device_request").Scan(&hash, &userCode); err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{string(hash), string(userCode)} {
		if len(stored) != 32 || strings.Contains(asked.DeviceCode+asked.UserCode, stored) {
			t.Errorf("stored is %q, want a digest", stored)
		}
	}
}

// The tokens of a device are for the resource server that it asked for, as long as the
// application may have them when the person allows it.
func TestDeviceForAResource(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		withJWTs(s, "ES256")
		ask := func() deviceAnswer {
			form := url.Values{"scope": {"openid offline_access reports"}, "resource": {reports}}
			return s.deviceAsks(t, s.as(t, way{auth: "client_secret_basic"}, op.PathDevice, form))
		}
		asked := ask()
		s.allowDevice(t, asked)
		got := granted(t, s.token(deviceForm(asked)))
		if claims := s.readJWT(t, got.AccessToken, keys.ES256); claims["aud"] != reports || claims["scope"] != "reports" || claims["sub"] != string(alice) || got.Scope != "reports" {
			t.Errorf("claims = %v, scope %q", claims, got.Scope)
		}
		again := granted(t, s.token(refreshForm(got.RefreshToken, "resource", issuer)))
		if w := s.userinfo(again.AccessToken); w.Code != http.StatusOK {
			t.Errorf("userinfo = %d %s", w.Code, w.Body)
		}
		late := ask()
		delete(s.servers, reports)
		if w := s.allowDevice(t, late); w.Code == http.StatusSeeOther && strings.Contains(w.Header().Get("Location"), "approved") {
			t.Errorf("allowed for a resource server that is gone: %d %v", w.Code, w.Header())
		}
		if w := s.token(deviceForm(late)); w.Code != http.StatusBadRequest {
			t.Errorf("token = %d %s", w.Code, w.Body)
		}
	})
}
