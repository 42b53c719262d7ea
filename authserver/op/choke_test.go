package op

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	josev3 "github.com/go-jose/go-jose/v3"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning"
)

// openGate permits everything: what is tested is what happens without it.
type openGate struct{}

func (openGate) Standings(context.Context, provisioning.ClientID, provisioning.UserID) ([]provisioning.Standing, error) {
	return nil, nil
}

func (openGate) Want(context.Context, provisioning.Wish, time.Time) error { return nil }

func (openGate) Forfeit(context.Context, provisioning.Loss, time.Time) error { return nil }

func (openGate) Hasten(context.Context, provisioning.UserID, []provisioning.TargetName, time.Time) error {
	return nil
}

func (openGate) Retry(context.Context, provisioning.UserID, []provisioning.TargetName, time.Time) (int, error) {
	return 0, nil
}

func (openGate) Active(context.Context, provisioning.UserID) (bool, error) { return true, nil }

func (openGate) Add(context.Context, provisioning.Decision) error { return nil }

func (openGate) InTx(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (openGate) AfterCommit(_ context.Context, f func()) { f() }

// withPermit asks a real gate: nothing else can make a permit.
func withPermit(t *testing.T, c provisioning.ClientID, subject provisioning.UserID) context.Context {
	t.Helper()
	gate := provisioning.NewGate(provisioning.GateOptions{
		Ledger: openGate{}, Decisions: openGate{}, Users: openGate{}, Tx: openGate{}, Nudge: func() {}, Now: time.Now,
	})
	grant := provisioning.GrantAuthorize
	if subject == "" {
		grant = provisioning.GrantClientCredentials
	}
	permit, _, err := gate.Permit(t.Context(), provisioning.Request{Client: c, User: subject, Grant: grant})
	if err != nil {
		t.Fatal(err)
	}
	return provisioning.WithPermit(t.Context(), permit)
}

// plainKeys signs with one key.
type plainKeys struct{ signer jose.Signer }

func (k plainKeys) Sign(_ keys.Type, _ keys.Alg, payload []byte) (string, error) {
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func (plainKeys) VerifyHint(context.Context, string) ([]byte, error) {
	return nil, keys.ErrInvalidToken
}

func (plainKeys) VerifyAccessToken(context.Context, string) ([]byte, error) {
	return nil, keys.ErrInvalidToken
}

// anySession lets handlers we never register set the subject.
type anySession struct{ *session }

func (s anySession) SetSubject(subject string) { s.subject, s.claims.Subject = subject, subject }

func (s anySession) Clone() fosite.Session { return anySession{s.session.Clone().(*session)} }

const (
	chokeClient  = "app"
	chokeUser    = "user-1"
	jwtBearer    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	chokeVerify  = "0123456789012345678901234567890123456789abc"
	chokeFormURL = "application/x-www-form-urlencoded"
)

// namedUsers makes the subject of a password grant the user's name.
type namedUsers struct{ *storage.MemoryStore }

func (s namedUsers) Authenticate(ctx context.Context, name, secret string) (string, error) {
	_, err := s.MemoryStore.Authenticate(ctx, name, secret)
	return name, err
}

// everything is fosite with every handler it has, on our two choke points.
type everything struct {
	fosite.OAuth2Provider
	store  *storage.MemoryStore
	signer jose.Signer // of assertions
}

func newEverything(t *testing.T) *everything {
	t.Helper()
	secret := []byte(strings.Repeat("s", 32))
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := storage.NewMemoryStore()
	store.Clients[chokeClient] = &fosite.DefaultResponseModeClient{
		DefaultClient: &fosite.DefaultClient{
			ID: chokeClient, RedirectURIs: []string{"https://app.example/cb"}, Scopes: []string{"openid", "offline_access"},
			GrantTypes:    fosite.Arguments{"authorization_code", "implicit", "refresh_token", "client_credentials", "password", jwtBearer},
			ResponseTypes: chokeResponseTypes(),
			Audience:      []string{"https://op.example/oauth2/token"},
		},
		ResponseModes: []fosite.ResponseModeType{fosite.ResponseModeFragment, fosite.ResponseModeQuery},
	}
	store.Users[chokeUser] = storage.MemoryUserRelation{Username: chokeUser, Password: "pw"}
	assertKey, assertSigner := assertionKey(t)
	store.IssuerPublicKeys["issuer"] = storage.IssuerPublicKeys{Issuer: "issuer", KeysBySub: map[string]storage.SubjectPublicKeys{
		chokeUser: {Subject: chokeUser, Keys: map[string]storage.PublicKeyScopes{"k": {Key: assertKey, Scopes: []string{"openid"}}}},
	}}
	config := newConfig("https://op.example", DefaultLifetimes(), secret, func(ctx context.Context, _ *http.Request, form url.Values) (fosite.Client, error) {
		return store.GetClient(ctx, chokeClient)
	})
	s := &signer{keys: plainKeys{sign}, now: time.Now}
	strategy := &compose.CommonStrategy{
		CoreStrategy:               newChokePoint(config, accessTokens{}),
		OpenIDConnectTokenStrategy: &idTokenChokePoint{&openid.DefaultStrategy{Signer: s, Config: config}},
		Signer:                     s,
	}
	provider := compose.Compose(config, namedUsers{store}, strategy,
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2AuthorizeImplicitFactory, compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory, compose.OAuth2ResourceOwnerPasswordCredentialsFactory, compose.RFC7523AssertionGrantFactory,
		compose.OpenIDConnectExplicitFactory, compose.OpenIDConnectImplicitFactory, compose.OpenIDConnectHybridFactory,
		compose.OpenIDConnectRefreshFactory, compose.OAuth2PKCEFactory,
	)
	return &everything{provider, store, assertSigner}
}

func assertionKey(t *testing.T) (*josev3.JSONWebKey, jose.Signer) {
	t.Helper()
	secret := []byte(strings.Repeat("a", 32))
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	return &josev3.JSONWebKey{KeyID: "k", Algorithm: "HS256", Key: secret, Use: "sig"}, s
}

func chokeResponseTypes() []string {
	return []string{"code", "token", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
}

// persisted counts everything that was minted.
func (e *everything) persisted() map[string]int {
	live, unused := 0, 0
	for _, c := range e.store.AuthorizeCodes {
		if reflect.ValueOf(c).FieldByName("active").Bool() {
			live++
		}
	}
	for _, r := range e.store.RefreshTokens {
		if reflect.ValueOf(r).FieldByName("active").Bool() {
			unused++
		}
	}
	return map[string]int{
		"codes": len(e.store.AuthorizeCodes), "live codes": live, "access": len(e.store.AccessTokens),
		"refresh": len(e.store.RefreshTokens), "live refresh": unused,
	}
}

func (e *everything) authorize(ctx context.Context, responseType string) (fosite.AuthorizeResponder, error) {
	form := url.Values{
		"client_id": {chokeClient}, "redirect_uri": {"https://app.example/cb"}, "response_type": {responseType},
		"scope": {"openid offline_access"}, "state": {"long enough"}, "nonce": {"long enough"},
		"code_challenge": {s256(chokeVerify)}, "code_challenge_method": {"S256"},
	}
	ar, err := e.NewAuthorizeRequest(ctx, httptest.NewRequest(http.MethodGet, "/?"+form.Encode(), nil))
	if err != nil {
		return nil, err
	}
	ar.GrantScope("openid")
	ar.GrantScope("offline_access")
	return e.NewAuthorizeResponse(ctx, ar, e.session(chokeUser))
}

func s256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (e *everything) session(subject provisioning.UserID) anySession {
	s := newSession()
	s.setUser(Grant{User: subject, Subject: string(subject), AuthTime: time.Now()})
	s.claims.RequestedAt = s.claims.AuthTime
	return anySession{s}
}

func (e *everything) token(ctx context.Context, form url.Values) (fosite.AccessResponder, error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", chokeFormURL)
	subject := provisioning.UserID(chokeUser)
	if form.Get("grant_type") == "client_credentials" {
		subject = ""
	}
	req, err := e.NewAccessRequest(ctx, r, e.session(subject))
	if err != nil {
		return nil, err
	}
	return e.NewAccessResponse(ctx, req)
}

// unpermitted are the contexts that must not mint for chokeUser at chokeClient.
func unpermitted(t *testing.T) map[string]context.Context {
	return map[string]context.Context{
		"no permit":                       t.Context(),
		"the zero permit":                 provisioning.WithPermit(t.Context(), provisioning.Permit{}),
		"a permit for another user":       withPermit(t, chokeClient, "user-2"),
		"a permit for another app":        withPermit(t, "other", chokeUser),
		"a permit for the app without it": withPermit(t, chokeClient, ""),
	}
}

func TestNoResponseTypeIssuesUngated(t *testing.T) {
	for _, responseType := range chokeResponseTypes() {
		t.Run(responseType, func(t *testing.T) {
			e := newEverything(t)
			before := e.persisted()
			for name, ctx := range unpermitted(t) {
				if resp, err := e.authorize(ctx, responseType); err == nil {
					t.Errorf("%s: issued %v", name, resp.GetParameters())
				}
				if diff := cmp.Diff(before, e.persisted()); diff != "" {
					t.Errorf("%s left something behind (-want +got):\n%s", name, diff)
				}
			}
			if _, err := e.authorize(withPermit(t, chokeClient, chokeUser), responseType); err != nil {
				t.Errorf("with its permit: %v", fosite.ErrorToRFC6749Error(err).WithExposeDebug(true).GetDescription())
			}
		})
	}
}

func TestNoGrantTypeIssuesUngated(t *testing.T) {
	for grantType, form := range map[string]func(t *testing.T, e *everything) url.Values{
		"authorization_code": codeGrant,
		"refresh_token":      refreshGrant,
		"client_credentials": func(*testing.T, *everything) url.Values { return url.Values{} },
		"password": func(*testing.T, *everything) url.Values {
			return url.Values{"username": {chokeUser}, "password": {"pw"}}
		},
		jwtBearer: assertionGrant,
	} {
		t.Run(grantType, func(t *testing.T) {
			e := newEverything(t)
			right, wrong := withPermit(t, chokeClient, chokeUser), unpermitted(t)
			if grantType == "client_credentials" {
				right = withPermit(t, chokeClient, "")
				delete(wrong, "a permit for the app without it")
				wrong["a permit for a user"] = withPermit(t, chokeClient, chokeUser)
			}
			for name, ctx := range wrong {
				form := form(t, e)
				form.Set("grant_type", grantType)
				before := e.persisted()
				if resp, err := e.token(ctx, form); err == nil {
					t.Errorf("%s: issued %v", name, resp.ToMap())
				}
				if diff := cmp.Diff(before, e.persisted()); diff != "" {
					t.Errorf("%s changed something (-want +got):\n%s", name, diff)
				}
			}
			permitted := form(t, e)
			permitted.Set("grant_type", grantType)
			if _, err := e.token(right, permitted); err != nil {
				t.Errorf("with its permit: %v", fosite.ErrorToRFC6749Error(err).WithExposeDebug(true).GetDescription())
			}
		})
	}
}

func codeGrant(t *testing.T, e *everything) url.Values {
	t.Helper()
	resp, err := e.authorize(withPermit(t, chokeClient, chokeUser), "code")
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"code": {resp.GetCode()}, "redirect_uri": {"https://app.example/cb"}, "code_verifier": {chokeVerify}}
}

func refreshGrant(t *testing.T, e *everything) url.Values {
	t.Helper()
	form := codeGrant(t, e)
	form.Set("grant_type", "authorization_code")
	resp, err := e.token(withPermit(t, chokeClient, chokeUser), form)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := resp.GetExtra("refresh_token").(string)
	return url.Values{"refresh_token": {token}}
}

func assertionGrant(t *testing.T, e *everything) url.Values {
	t.Helper()
	now := time.Now()
	assertion, err := jwt.Signed(e.signer).Claims(jwt.Claims{
		Issuer: "issuer", Subject: chokeUser, Audience: jwt.Audience{"https://op.example/oauth2/token"}, ID: flow.NewReference(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(30 * time.Second)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"assertion": {assertion}}
}

// Whatever fosite's strategies can generate, they do not without a permit: a
// generator that a later version adds is found here.
func TestEveryGeneratorIsGuarded(t *testing.T) {
	e := newEverything(t)
	config := newConfig("https://op.example", DefaultLifetimes(), []byte(strings.Repeat("s", 32)), nil)
	req := fosite.NewRequest()
	req.Client, req.Session = e.store.Clients[chokeClient], e.session(chokeUser)
	found := 0
	for _, guarded := range []struct{ contract, strategy reflect.Value }{
		{reflect.ValueOf((*oauth2.CoreStrategy)(nil)), reflect.ValueOf(newChokePoint(config, accessTokens{}))},
		{reflect.ValueOf((*openid.OpenIDConnectTokenStrategy)(nil)), reflect.ValueOf(&idTokenChokePoint{&openid.DefaultStrategy{Config: config}})},
	} {
		contract := guarded.contract.Type().Elem()
		for i := range contract.NumMethod() {
			method := contract.Method(i)
			if !strings.HasPrefix(method.Name, "Generate") {
				continue
			}
			found++
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			if method.Type.NumIn() == 3 {
				args = append(args, reflect.ValueOf(time.Minute))
			}
			out := guarded.strategy.MethodByName(method.Name).Call(append(args, reflect.ValueOf(req)))
			if err, _ := out[len(out)-1].Interface().(error); err == nil || out[0].String() != "" {
				t.Errorf("%s minted %q without a permit", method.Name, out[0])
			}
		}
	}
	if found != 4 {
		t.Errorf("found %d generators, want 4: code, access, refresh and ID token", found)
	}
}

// A JWT is refused like any other access token.
func TestSignedAccessTokenIsGuarded(t *testing.T) {
	e := newEverything(t)
	config := newConfig("https://op.example", DefaultLifetimes(), []byte(strings.Repeat("s", 32)), nil)
	guarded := newChokePoint(config, accessTokens{keys: plainKeys{e.signer}, issuer: "https://op.example", now: time.Now})
	app := application.New(chokeClient, "App")
	app.AccessTokenFormat = application.TokenJWT
	req := fosite.NewRequest()
	own := newSession()
	own.setUser(Grant{User: chokeUser, Subject: chokeUser})
	req.Client, req.Session = &client{app: app}, own
	u := &unit{client: &client{app: app}}
	if token, _, err := guarded.GenerateAccessToken(withUnit(t.Context(), u), req); err == nil || token != "" {
		t.Errorf("minted %q without a permit", token)
	}
	if token, _, err := guarded.GenerateAccessToken(withUnit(withPermit(t, chokeClient, "somebody-else"), u), req); err == nil || token != "" {
		t.Errorf("minted %q with a permit for another user", token)
	}
	if token, _, err := guarded.GenerateAccessToken(withUnit(withPermit(t, chokeClient, chokeUser), u), req); err != nil || !isJWT(token) {
		t.Errorf("with a permit: %q, %v; want a JWT", token, err)
	}
}

// The fields of fosite's Config that are left empty, each for a reason. Its
// getters fill in others on first use, without a lock.
func TestConfigIsComplete(t *testing.T) {
	empty := map[string]string{
		"EnforcePKCE": "checkPKCE decides by application", "HashCost": "no bcrypt", "DisableRefreshTokenValidation": "no introspection", "SendDebugMessagesToClients": "never",
		"EnablePKCEPlainChallengeMethod": "never", "UseLegacyErrorFormat": "never", "MessageCatalog": "nil is fine for fosite",
		"GrantTypeJWTBearerCanSkipClientAuth": "not registered", "GrantTypeJWTBearerIDOptional": "not registered",
		"GrantTypeJWTBearerIssuedDateOptional": "not registered", "HTTPClient": "only used by fetchers we replace",
		"AuthorizeEndpointHandlers": "newFosite sets them", "TokenEndpointHandlers": "newFosite sets them",
		"TokenIntrospectionHandlers": "none", "RevocationHandlers": "none", "PushedAuthorizeEndpointHandlers": "pushed requests are ours",
		"RotatedGlobalSecrets": "none yet", "PushedAuthorizeRequestURIPrefix": "has a default that is not written",
		"PushedAuthorizeContextLifespan": "has a default that is not written", "IsPushedAuthorizeEnforced": "checkPushed decides by application",
	}
	config := reflect.ValueOf(*newConfig("https://op.example", DefaultLifetimes(), []byte("x"), (&Provider{}).authenticate))
	for i := range config.NumField() {
		name := config.Type().Field(i).Name
		if _, ok := empty[name]; config.Field(i).IsZero() != ok {
			t.Errorf("field %s: empty = %v, expected = %v", name, config.Field(i).IsZero(), ok)
		}
	}
}

// A response written outside a transaction is refused rather than half done.
func TestNoTransactionNoWrite(t *testing.T) {
	s := &fositeStore{}
	if _, err := s.BeginTX(t.Context()); err == nil {
		t.Error("BeginTX without an outer transaction succeeded")
	}
}
