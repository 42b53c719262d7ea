package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/peers"
)

func signInOpenIDClient(secret string, flags ...string) library {
	return func(t *testing.T, v *visitor) told {
		return v.signInScript(t, peers.OpenIDClient, secret, flags...)
	}
}

func signInRegistered(t *testing.T, v *visitor) told {
	return v.signInScript(t, peers.OpenIDClient, "", "--register", v.token)
}

func signInOAuth4WebAPI(flags ...string) library {
	return func(t *testing.T, v *visitor) told {
		return v.signInScript(t, peers.OAuth4WebAPI, "", append(flags, "--key", marshal(v.key))...)
	}
}

func signInOIDCClientTS(t *testing.T, v *visitor) told {
	return v.signInScript(t, peers.OIDCClientTS, "")
}

// Flags of scripts.
const (
	boundTokens = "--dpop"
	device      = "--device"
)

// start begins a sign-in with a script that prints what it got.
func (v *visitor) start(t *testing.T, script, secret string, flags ...string) *peers.RelyingParty {
	t.Helper()
	app := peers.Client{Issuer: v.issuer, ID: v.client, Secret: secret, RedirectURI: appCallback}
	return peers.StartRelyingParty(t, script, app, append(flags, "--scope", everyScope, "--after-logout", afterLogout)...)
}

func (v *visitor) signInScript(t *testing.T, script, secret string, flags ...string) told {
	t.Helper()
	rp := v.start(t, script, secret, flags...)
	got := rp.Finish(t, v.answer(t, rp.AuthorizeURL, slices.Contains(flags, device)))
	if got.Error != nil || got.Refreshed == nil || !got.Refreshed.HasRefreshToken {
		t.Fatalf("%s got %+v, error %+v", script, got, got.Error)
	}
	tokenType := "bearer"
	if slices.Contains(flags, boundTokens) {
		tokenType = "dpop"
	}
	if first, next := got.Granted.TokenType, got.Refreshed.TokenType; !strings.EqualFold(first, tokenType) || !strings.EqualFold(next, tokenType) {
		t.Errorf("token type %s and, refreshed, %s, want %s", first, next, tokenType)
	}
	return told{claims: got.Claims, userinfo: got.UserInfo, refreshed: got.Refreshed.Claims, signOut: got.LogoutURL}
}

// answer goes where the application sends its user, and returns what it waits for.
func (v *visitor) answer(t *testing.T, address string, device bool) string {
	t.Helper()
	if device {
		return v.connect(t, address).URL.String()
	}
	return v.arrive(t, address).String()
}

// turnedAway is a user whom the directory does not take. The libraries believe the
// answer that says so: it has their state, and our iss.
func (r *realWorld) turnedAway(t *testing.T, client, script, secret string, flags ...string) {
	r.proxy.Script(http.MethodPost, "/Users", scimError(http.StatusBadRequest, "invalidValue"))
	v := r.visitor(t, client, "not-"+client)
	rp := v.start(t, script, secret, flags...)
	page := failed(t, v.browser, v.authenticate(t, v.open(t, rp.AuthorizeURL)))
	got := rp.Finish(t, leave(t, v.browser, page).String())
	if got.Error == nil || got.Error.OAuthError != "access_denied" {
		t.Errorf("%s heard %+v, error %+v; want access_denied", script, got, got.Error)
	}
}

// startAuthJS starts a web application that the browser visits, with a session of
// its own.
func startAuthJS(withKey bool) func(*testing.T, *realWorld, string) (string, library) {
	return func(t *testing.T, r *realWorld, id string) (string, library) {
		flags := []string{"--after-logout", afterLogout}
		if withKey {
			flags = append(flags, "--key", marshal(r.key))
		}
		base := peers.StartAuthJS(t, peers.Client{Issuer: r.issuer, ID: id, Secret: appSecret}, flags...)
		return peers.AuthJSCallback(base), func(t *testing.T, v *visitor) told {
			settle(t, v.browser, v.authenticate(t, v.submit(t, v.open(t, base+"/signin"), "/signin/anteroom", nil)))
			var session struct{ Claims, UserInfo, Refreshed map[string]any }
			page := v.open(t, base+"/session")
			if err := json.Unmarshal([]byte(page.HTML), &session); err != nil || session.Claims == nil {
				t.Fatalf("the session is %s (%v)", page.HTML, err)
			}
			return told{claims: session.Claims, userinfo: session.UserInfo, refreshed: session.Refreshed, signOut: base + "/out"}
		}
	}
}
