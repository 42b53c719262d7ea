package e2e

import (
	"encoding/json"
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

func signInOAuth4WebAPI(flags ...string) library {
	return func(t *testing.T, v *visitor) told {
		return v.signInScript(t, peers.OAuth4WebAPI, "", append(flags, "--key", marshal(v.key))...)
	}
}

const boundTokens = "--dpop"

// signInScript signs in to a script that prints what it got.
func (v *visitor) signInScript(t *testing.T, script, secret string, flags ...string) told {
	t.Helper()
	app := peers.Client{Issuer: v.issuer, ID: v.client, Secret: secret, RedirectURI: appCallback}
	rp := peers.StartRelyingParty(t, script, app, append(flags, "--scope", everyScope, "--after-logout", afterLogout)...)
	got := rp.Finish(t, v.arrive(t, rp.AuthorizeURL).String())
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
