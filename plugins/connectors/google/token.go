package google

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Life of tokens.
const (
	assertionLife = 10 * time.Minute
	earlyRenewal  = time.Minute // before a token ends
	defaultLife   = 5 * time.Minute
)

// newSigner returns what signs assertions under this configuration.
func newSigner(cfg Config, c *sdkhttp.Client, rt http.RoundTripper) (signer, error) {
	if cfg.Auth == authWorkloadIdentity {
		f, err := readFederation(cfg.CredentialConfig)
		if err != nil {
			return signer{}, sdk.Invalid("credential_config", err.Error())
		}
		return f.signer(c, rt), nil
	}
	key, err := readKey(cfg.Credentials)
	if err != nil {
		return signer{}, sdk.Invalid("credentials", err.Error())
	}
	return key.signer()
}

// grant is the JWT bearer grant (RFC 7523) by which a service account acts as an
// administrator.
type grant struct {
	cfg  Config
	http *sdkhttp.Client
	sign signer
}

// accessToken is a token and when to use it no longer.
type accessToken struct {
	value string
	ends  time.Time
}

// token asks for a new token. It changes nothing in the directory.
func (g grant) token(ctx context.Context) (accessToken, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": g.sign.issuer, "sub": g.cfg.Subject, "aud": g.cfg.TokenURL, "scope": strings.Join(g.cfg.scopes(), " "),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return accessToken{}, err
	}
	assertion, err := g.sign.sign(ctx, claims)
	if err != nil {
		return accessToken{}, err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	answer, err := g.http.Do(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: g.cfg.TokenURL, ReadOnly: true, Values: []string{assertion},
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(form.Encode()),
	})
	if err != nil {
		return accessToken{}, refusedGrant(answer, err)
	}
	var granted struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	if err := answer.Decode(&granted); err != nil {
		return accessToken{}, err
	}
	if granted.AccessToken == "" {
		return accessToken{}, &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the token endpoint answered without a token"}
	}
	life := time.Duration(granted.ExpiresIn) * time.Second
	if life <= 0 {
		life = defaultLife
	}
	return accessToken{granted.AccessToken, now.Add(life - earlyRenewal)}, nil
}

// refusedGrant tells a refusal of OAuth (RFC 6749 §5.2) from one by something
// else that listens there.
func refusedGrant(answer *sdkhttp.Response, err error) error {
	e := *sdk.AsError(err)
	if answer == nil || answer.Status == http.StatusTooManyRequests || answer.Status >= 500 {
		return &e
	}
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer.Body, &refusal) != nil || refusal.Error == "" {
		e.Kind, e.Field = sdk.KindInvalid, "token_url"
		return &e
	}
	e.Kind = sdk.KindUnauthorized
	switch refusal.Error {
	case "unauthorized_client", "invalid_scope", "access_denied":
		e.Message = "domain-wide delegation is missing for the service account or for one of the scopes: " + e.Message
	case "invalid_grant":
		e.Field, e.Message = "subject", "the key, the subject or this machine's clock is wrong: "+e.Message
	}
	return &e
}

// tokens keeps one token for all calls. Whoever finds none fetches it, within its
// own deadline, while the others wait.
type tokens struct {
	fetch   func(context.Context) (accessToken, error)
	turn    chan struct{}
	current accessToken // by whoever has the turn
}

func newTokens(fetch func(context.Context) (accessToken, error)) *tokens {
	return &tokens{fetch: fetch, turn: make(chan struct{}, 1)}
}

// get returns a token other than refused, which is "" for any.
func (t *tokens) get(ctx context.Context, refused string) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "no token in time", Err: ctx.Err()}
	}
	if t.current.value != "" && t.current.value != refused && time.Now().Before(t.current.ends) {
		return t.current.value, nil
	}
	fresh, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.current = fresh
	return fresh.value, nil
}
