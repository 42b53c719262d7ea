package scim2

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Life of tokens: one is renewed a minute before it ends, and one whose end the
// server does not tell after five minutes.
const (
	earlyRenewal = time.Minute
	defaultLife  = 5 * time.Minute
)

// accessToken is a token and when to use it no longer.
type accessToken struct {
	value sdk.Secret
	ends  time.Time
}

// tokens gets tokens by the client credentials grant (RFC 6749, 4.4) and keeps
// one for all calls.
type tokens struct {
	cfg  Config
	http *sdkhttp.Client
	kept *shared[accessToken]
	now  func() time.Time
}

// newTokens returns nil when the configuration does without.
func newTokens(cfg Config, trust *tls.Config) *tokens {
	if cfg.Auth != authOAuth {
		return nil
	}
	o := sdkhttp.Options{Secrets: cfg.secrets(), Timeout: cfg.Timeout, MaxBody: maxBody, TLS: trust, AddressField: "token_url"}
	if cfg.ClientAuth == clientAuthBasic { // both are encoded before they are joined (RFC 6749, 2.3.1)
		o.Authorize = sdkhttp.Basic(url.QueryEscape(cfg.ClientID), sdk.Secret(url.QueryEscape(cfg.ClientSecret.Reveal())))
	}
	return &tokens{cfg: cfg, http: sdkhttp.New(o), kept: newShared[accessToken](), now: time.Now}
}

// get returns a token other than refused, which is "" when none was.
func (t *tokens) get(ctx context.Context, refused sdk.Secret) (sdk.Secret, error) {
	good := func(have accessToken) bool { return have.value != refused && t.now().Before(have.ends) }
	token, err := t.kept.get(ctx, good, t.fetch)
	if err != nil && ctx.Err() != nil {
		return "", &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "no token in time", Err: err}
	}
	return token.value, err
}

// fetch asks for a token. It changes nothing in the target.
func (t *tokens) fetch(ctx context.Context) (accessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	form := url.Values{"grant_type": {"client_credentials"}}
	if t.cfg.Scope != "" {
		form.Set("scope", t.cfg.Scope)
	}
	if t.cfg.ClientAuth == clientAuthPost {
		form.Set("client_id", t.cfg.ClientID)
		form.Set("client_secret", t.cfg.ClientSecret.Reveal())
	}
	answer, err := t.http.Do(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: t.cfg.TokenURL, ReadOnly: true, Body: []byte(form.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	})
	if err != nil {
		return accessToken{}, t.refused(answer, err)
	}
	return t.granted(answer)
}

func (t *tokens) granted(answer *sdkhttp.Response) (accessToken, error) {
	var body struct {
		Token     string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn any    `json:"expires_in"` // seconds; some servers send a string
	}
	if err := answer.Decode(&body); err != nil || body.Token == "" || !printable(body.Token) {
		return accessToken{}, &sdk.Error{
			Kind: sdk.KindTransient, Effect: sdk.EffectNone, Field: "token_url",
			Message: "the token endpoint answered without a usable token", Err: err,
		}
	}
	if body.Type != "" && !strings.EqualFold(body.Type, "bearer") {
		return accessToken{}, sdk.Invalid("token_url", "the token endpoint gives no bearer tokens")
	}
	life := defaultLife
	var seconds float64
	if n, err := fmt.Sscan(fmt.Sprint(body.ExpiresIn), &seconds); n == 1 && err == nil && seconds > 0 {
		life = time.Duration(min(seconds, (24*time.Hour).Seconds())) * time.Second
	}
	return accessToken{sdk.Secret(body.Token), t.now().Add(max(life-earlyRenewal, life/2))}, nil
}

// refused tells a refusal of OAuth (RFC 6749, 5.2) from one by something else
// that listens there.
func (t *tokens) refused(answer *sdkhttp.Response, err error) error {
	e := *sdk.AsError(err)
	e.Message = "the token endpoint: " + e.Message
	if answer == nil || answer.Status == http.StatusTooManyRequests || answer.Status >= 500 {
		return &e
	}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(answer.Body, &body) != nil || body.Error == "" {
		if e.Kind != sdk.KindUnauthorized {
			e.Kind, e.Field = sdk.KindInvalid, "token_url"
		}
		return &e
	}
	e.Kind = sdk.KindUnauthorized
	e.Message = "the token endpoint answered " + t.http.Redactor().Excerpt(body.Error)
	if text := t.http.Redactor().Excerpt(body.Description); text != "" {
		e.Message += ": " + text
	}
	return &e
}
