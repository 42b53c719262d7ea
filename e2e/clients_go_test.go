package e2e

import (
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func signInGoOIDC(t *testing.T, v *visitor) told {
	ctx, rp := t.Context(), newRelyingPartyOf(t, v.issuer, v.client)
	request := rp.request()
	g, err := rp.exchange(ctx, request, v.arrive(t, request.url))
	if err != nil {
		t.Fatal(err)
	}
	got := told{claims: g.claims, signOut: endSession(t, rp, g)}
	info, err := rp.provider.UserInfo(ctx, oauth2.StaticTokenSource(g.token))
	if err != nil || info.Claims(&got.userinfo) != nil {
		t.Fatalf("userinfo: %v", err)
	}
	verifier := rp.provider.Verifier(&oidc.Config{ClientID: v.client})
	next, err := rp.config.TokenSource(ctx, &oauth2.Token{RefreshToken: g.token.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	idToken, err := verifier.Verify(ctx, grant{token: next}.idToken())
	if err != nil || idToken.Claims(&got.refreshed) != nil {
		t.Fatalf("ID token after a refresh: %v", err)
	}
	got.verify = func(raw string) (string, string, error) {
		token, err := verifier.VerifyLogout(ctx, raw)
		if err != nil {
			return "", "", err
		}
		return token.Subject, token.SessionID, nil
	}
	return got
}

// endSession is the address that go-oidc leaves to the application to make.
func endSession(t *testing.T, rp *relyingParty, g grant) string {
	t.Helper()
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := rp.provider.Claims(&metadata); err != nil || metadata.EndSession == "" {
		t.Fatalf("no end_session_endpoint: %v", err)
	}
	return metadata.EndSession + "?" + url.Values{
		"id_token_hint": {g.idToken()}, "post_logout_redirect_uri": {afterLogout}, "state": {"s"},
	}.Encode()
}
