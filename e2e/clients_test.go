package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/peers"
)

// realClient is an application on a library that nobody here wrote.
type realClient struct {
	foreign
	id       string                    // its client_id, and the login of its user
	settings func(r *realWorld) string // more YAML of its registration; nil for one that registers itself
	// start returns its redirect URI, and how its user signs in.
	start func(t *testing.T, r *realWorld, id string) (redirect string, signIn library)
}

// library signs the user of an application in.
type library func(t *testing.T, v *visitor) told

// told is what an application heard of its user, and how it signs them out.
type told struct {
	claims, userinfo, refreshed map[string]any // refreshed are those of the next ID token
	signOut                     string         // where it sends the browser, with some state
	// verify returns whose session a logout token ends; nil if the library has
	// nothing for it.
	verify func(rawLogoutToken string) (subject, session string, err error)
}

func realClients() []realClient {
	return []realClient{
		{foreign{"coreos/go-oidc", "back-channel logout", []string{"github.com/coreos/go-oidc/v3", "golang.org/x/oauth2"}}, "go-oidc", hearing(withSecret), headless(signInGoOIDC)},
		{foreign{"zitadel/oidc", "", []string{"github.com/zitadel/oidc/v3"}}, "zitadel", withSecret, startZitadel(appSecret, zitadelSecret)},
		{foreign{"zitadel/oidc, with a key", "`private_key_jwt`", []string{"github.com/zitadel/oidc/v3"}}, "zitadel-key", withKey, startZitadel("", zitadelKey)},
		{foreign{"zitadel/oidc, on a device", "device flow, no secret", []string{"github.com/zitadel/oidc/v3"}}, "zitadel-device", connecting(public), headless(connectZitadel)},
		{foreign{"openid-client", "", []string{"openid-client"}}, "openid-client", withSecret, headless(signInOpenIDClient(appSecret, "--state"))},
		{foreign{"openid-client, public", "no secret, no `state`", []string{"openid-client"}}, "openid-client-public", public, headless(signInOpenIDClient(""))},
		{foreign{"openid-client, public with DPoP", "no secret, DPoP", []string{"openid-client"}}, "openid-client-dpop", bound(public), headless(signInOpenIDClient("", boundTokens))},
		{foreign{"openid-client, on a device with DPoP", "device flow, no secret, DPoP", []string{"openid-client"}}, "openid-client-device", connecting(bound(public)), headless(signInOpenIDClient("", device, boundTokens))},
		{foreign{"openid-client, registering itself", "dynamic registration; consent, and a default binding", []string{"openid-client"}}, "openid-client-registered", nil, headless(signInRegistered)},
		{foreign{"oauth4webapi", "`private_key_jwt`, pushed requests, ID tokens and UserInfo signed with EdDSA", []string{"oauth4webapi"}}, "oauth4webapi", signed("EdDSA", pushing(withKey)), headless(signInOAuth4WebAPI("--signed", "EdDSA"))},
		{foreign{"oauth4webapi, with DPoP", "`private_key_jwt`, pushed requests, DPoP, resource indicators, JWT access tokens", []string{"oauth4webapi"}}, "oauth4webapi-dpop", bound(pushing(withKey)), headless(signInOAuth4WebAPI(boundTokens, "--resource", resourceServer))},
		{foreign{"oidc-client-ts", "no secret", []string{"oidc-client-ts"}}, "oidc-client-ts", public, headless(signInOIDCClientTS)},
		{foreign{"Auth.js", "", []string{"@auth/core"}}, "auth-js", withSecret, startAuthJS(false)},
		{foreign{"Auth.js, with a key", "`private_key_jwt`", []string{"@auth/core"}}, "auth-js-key", withKey, startAuthJS(true)},
	}
}

// resourceServer is an API that nobody asks anything: who has a token for it verifies
// that as the API would.
const (
	resourceServer  = "https://api.example/v1"
	resourceServers = "resource_servers: [{identifier: " + resourceServer + ", scopes: [email], applications: [oauth4webapi-dpop], token_format: jwt, token_alg: ES256}]"
)

// Settings of applications.
func withSecret(*realWorld) string { return "secret: {env: APP_SECRET}" }

func public(*realWorld) string { return "auth_method: none" }

func withKey(r *realWorld) string {
	return fmt.Sprintf("auth_method: private_key_jwt\n    jwks: {keys: [%s]}", marshal(r.key.Public()))
}

// pushing is an application that must push its requests.
func pushing(settings func(*realWorld) string) func(*realWorld) string {
	return func(r *realWorld) string {
		return settings(r) + "\n    require_pushed_authorization_requests: true"
	}
}

// signed is an application that is told of its user in JWTs of that algorithm.
func signed(alg string, settings func(*realWorld) string) func(*realWorld) string {
	return func(r *realWorld) string {
		return settings(r) + fmt.Sprintf("\n    id_token_alg: %s\n    userinfo_signed_response_alg: %[1]s", alg)
	}
}

// bound is an application whose tokens must be bound to a key of its.
func bound(settings func(*realWorld) string) func(*realWorld) string {
	return func(r *realWorld) string { return settings(r) + "\n    dpop_bound_access_tokens: true" }
}

// connecting is a device.
func connecting(settings func(*realWorld) string) func(*realWorld) string {
	return func(r *realWorld) string {
		return settings(r) + "\n    grant_types: [urn:ietf:params:oauth:grant-type:device_code, refresh_token]"
	}
}

// hearing is an application that is told of logouts.
func hearing(settings func(*realWorld) string) func(*realWorld) string {
	return func(r *realWorld) string { return settings(r) + "\n    backchannel_logout_uri: " + r.back }
}

// headless is an application that nobody listens at: the test takes the answer there.
func headless(s library) func(*testing.T, *realWorld, string) (string, library) {
	return func(*testing.T, *realWorld, string) (string, library) { return appCallback, s }
}

// Clients and providers that nobody here wrote meet one server, as it is shipped.
// Each client lives a whole life: its user signs in, with an account in the directory
// before there is a code, is asked about, refreshed and signed out. Through each
// provider somebody signs in twice.
func TestInteroperability(t *testing.T) {
	long(t)
	t.Parallel()
	r := newRealWorld(t)
	clients, libraries := realClients(), map[string]library{}
	// Its users belong to an application that needs no accounts: none are made before
	// they sign in. What registers itself has the default binding.
	applications, users := resourceServers+"\napplications:", "\ndefault_bindings: [{target: directory, blocking: true}]\nusers:"
	for _, c := range clients {
		redirect, l := c.start(t, r, c.id)
		libraries[c.id] = l
		if c.settings != nil {
			applications += registration(c.id, redirect, c.settings(r))
		}
		users += userNamed(c.id)
	}
	for _, c := range []string{"openid-client", "oauth4webapi"} {
		users += userNamed("not-" + c)
	}
	upstreams := realUpstreams()
	r.begin(t, applications+users+startUpstreams(t, r, upstreams))
	for _, c := range clients {
		t.Run("application/"+c.name, func(t *testing.T) { r.live(t, c.id, libraries[c.id]) })
	}
	t.Run("refusal/openid-client", func(t *testing.T) { r.turnedAway(t, "openid-client", peers.OpenIDClient, appSecret, "--state") })
	t.Run("refusal/oauth4webapi", func(t *testing.T) {
		r.turnedAway(t, "oauth4webapi", peers.OAuth4WebAPI, "", "--key", marshal(r.key))
	})
	for _, u := range upstreams {
		t.Run("upstream/"+u.name, func(t *testing.T) { u.comeTwice(t, r) })
	}
}

const everyScope = "openid profile email offline_access provisioning"

// afterLogout is where applications have the browser sent once its user signed out.
const afterLogout = "http://127.0.0.1:9/out"

// registration is the YAML of an application of that name.
func registration(id, redirect, settings string) string {
	return fmt.Sprintf(`
  - client_id: %s
    redirect_uris: [%q]
    post_logout_redirect_uris: [%q]
    scopes: [openid, profile, email, offline_access, provisioning]
    outbound_provisioning: [{target: directory, blocking: true}]
    %s`, id, redirect, afterLogout, settings)
}

// userNamed is the YAML of a user with that login.
func userNamed(login string) string {
	return fmt.Sprintf("\n  - {login: %s, email: %[1]s@example.com, given_name: Ada, family_name: Example, password: {env: USER_PASSWORD}, home: %s}", login, otherAppID)
}

// live is the whole life of a client with one user.
func (r *realWorld) live(t *testing.T, id string, l library) {
	v := r.visitor(t, id, id)
	got := l(t, v)
	v.checkAccount(t, got)
	if !v.signedIn(t) {
		t.Error("no session after the sign-in")
	}
	page := v.open(t, got.signOut)
	if page.Location == nil || !strings.HasPrefix(page.Location.String(), afterLogout+"?state=") {
		t.Errorf("signing out ends at %s (%d): %s", page.URL, page.Status, page.Text)
	}
	if v.signedIn(t) {
		t.Error("there still is a session after signing out")
	}
	if got.verify != nil {
		v.checkLogoutToken(t, got)
	}
}

// checkAccount checks that the gate held the user up until their account was there,
// and that the application heard of it each time.
func (v *visitor) checkAccount(t *testing.T, got told) {
	t.Helper()
	sub, _ := got.claims["sub"].(string)
	if len(v.atRedirect) != 1 || v.atRedirect[0]["externalId"] != sub {
		t.Fatalf("the directory had %v when the browser was sent back, want one account of %q", v.atRedirect, sub)
	}
	account := map[string]any{"directory": map[string]any{"id": v.atRedirect[0]["id"], "state": "in_sync"}}
	for name, claims := range map[string]map[string]any{"ID token": got.claims, "userinfo": got.userinfo, "ID token after a refresh": got.refreshed} {
		if diff := cmp.Diff(account, claims["provisioned"]); diff != "" || claims["sub"] != sub {
			t.Errorf("%s: sub %v, claim provisioned (-want +got):\n%s", name, claims["sub"], diff)
		}
	}
}

func (v *visitor) checkLogoutToken(t *testing.T, got told) {
	t.Helper()
	select {
	case raw := <-v.heard:
		subject, session, err := got.verify(raw)
		if err != nil || subject != got.claims["sub"] || session != got.claims["sid"] || session == "" {
			t.Errorf("logout token of %s, session %s (%v), want %s, %s", subject, session, err, got.claims["sub"], got.claims["sid"])
		}
	case <-time.After(patience):
		t.Error("the application hears nothing of the logout")
	}
}
