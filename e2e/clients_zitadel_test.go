package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

// zitadelApp is a web application on the handlers of zitadel/oidc.
type zitadelApp struct {
	http.ServeMux
	base   string
	secret string                            // "" with a key
	tokens *oidc.Tokens[*oidc.IDTokenClaims] // what it got last
	info   *oidc.UserInfo
}

// startZitadel starts the application; it finds the server when its user comes.
func startZitadel(secret string, options func(*testing.T, *realWorld) []rp.Option) func(*testing.T, *realWorld, string) (string, library) {
	return func(t *testing.T, r *realWorld, id string) (string, library) {
		t.Helper()
		app := &zitadelApp{secret: secret}
		server := httptest.NewServer(app)
		t.Cleanup(server.Close)
		app.base = server.URL
		return app.base + "/callback", func(t *testing.T, v *visitor) told {
			return app.signIn(t, v, options(t, r))
		}
	}
}

func (app *zitadelApp) signIn(t *testing.T, v *visitor, options []rp.Option) told {
	cookies := httphelper.NewCookieHandler([]byte("0123456789abcdef"), []byte("0123456789abcdef"), httphelper.WithUnsecure())
	provider := newZitadelRP(t, v, app.secret, app.base+"/callback", append(options, rp.WithCookieHandler(cookies), rp.WithPKCE(cookies))...)
	app.Handle("/login", rp.AuthURLHandler(func() string { return "state-" + v.client }, provider))
	app.Handle("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(app.welcome), provider))
	page := v.enter(t, app.base+"/login")
	if app.tokens == nil {
		t.Fatalf("the application answers %d: %s", page.Status, page.Text)
	}
	got := told{claims: app.tokens.IDTokenClaims.Claims, userinfo: app.info.Claims}
	goOnZitadel(t, provider, app.tokens.RefreshToken, &got)
	return got
}

func newZitadelRP(t *testing.T, v *visitor, secret, redirect string, options ...rp.Option) rp.RelyingParty {
	t.Helper()
	options = append(options, rp.WithSigningAlgsFromDiscovery())
	provider, err := rp.NewRelyingPartyOIDC(t.Context(), v.issuer, v.client, secret, redirect, strings.Fields(everyScope), options...)
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

// goOnZitadel refreshes and asks where to send the browser to sign out.
func goOnZitadel(t *testing.T, provider rp.RelyingParty, refreshToken string, got *told) {
	t.Helper()
	next, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), provider, refreshToken, "", "")
	if err != nil || next.IDTokenClaims == nil || next.RefreshToken == "" {
		t.Fatalf("refreshed: %+v, %v", next, err)
	}
	out, err := rp.EndSession(t.Context(), provider, next.IDToken, afterLogout, "s", "", nil)
	if err != nil || out == nil {
		t.Fatalf("end of the session: %v, %v", out, err)
	}
	got.refreshed, got.signOut = next.IDTokenClaims.Claims, out.String()
}

// connectZitadel is a device.
func connectZitadel(t *testing.T, v *visitor) told {
	ctx, provider := t.Context(), newZitadelRP(t, v, "", "")
	asked, err := rp.DeviceAuthorization(ctx, strings.Fields(everyScope), provider, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.connect(t, asked.VerificationURIComplete)
	// It waits for the interval first, and then no longer for an answer.
	tokens, err := rp.DeviceAccessToken(ctx, asked.DeviceCode, time.Duration(asked.Interval)*time.Second, provider)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := rp.VerifyTokens[*oidc.IDTokenClaims](ctx, tokens.AccessToken, tokens.IDToken, provider.IDTokenVerifier())
	if err != nil {
		t.Fatal(err)
	}
	info, err := rp.Userinfo[*oidc.UserInfo](ctx, tokens.AccessToken, tokens.TokenType, claims.Subject, provider)
	if err != nil {
		t.Fatal(err)
	}
	got := told{claims: claims.Claims, userinfo: info.Claims}
	goOnZitadel(t, provider, tokens.RefreshToken, &got)
	return got
}

func (app *zitadelApp) welcome(_ http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
	app.tokens, app.info = tokens, info
}

// zitadelSecret sends the secret in the header each time. If it is left to find out,
// a refresh has it in the body.
func zitadelSecret(*testing.T, *realWorld) []rp.Option {
	return []rp.Option{rp.WithAuthStyle(oauth2.AuthStyleInHeader)}
}

func zitadelKey(t *testing.T, r *realWorld) []rp.Option {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(r.key.Key)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return []rp.Option{rp.WithJWTProfile(rp.SignerFromKeyAndKeyID(key, r.key.KeyID))}
}
