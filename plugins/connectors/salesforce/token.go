package salesforce

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// assertionLife is how long an assertion is good for: Salesforce takes five
// minutes at most, and clocks differ.
const assertionLife = 3 * time.Minute

// granter asks the token endpoint for sessions.
type granter struct {
	cfg     Config
	login   *url.URL
	key     *rsa.PrivateKey // nil for client credentials
	http    *sdkhttp.Client
	timeout time.Duration
	secrets []sdk.Secret
}

// grant asks for a session. Nothing in the org changes by it.
func (g *granter) grant(ctx context.Context) (*session, error) {
	form, secret, err := g.form()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	resp, err := g.http.Do(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: g.login.JoinPath("services/oauth2/token").String(), ReadOnly: true,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(form.Encode()),
	})
	switch {
	case resp == nil:
		return nil, err
	case err != nil:
		return nil, refusedGrant(resp, sdk.NewRedactor(slices.Concat(g.secrets, []sdk.Secret{secret})...))
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		InstanceURL string `json:"instance_url"`
	}
	if err := resp.Decode(&answer); err != nil {
		return nil, err
	}
	return g.session(answer.AccessToken, answer.InstanceURL)
}

// session checks what the token endpoint gave: the token goes wherever
// instance_url says, so that must be as safe as the login server.
func (g *granter) session(token, instance string) (*session, error) {
	unusable := func(message string) error {
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the token endpoint " + message}
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, unusable("gave no access token")
	}
	u, err := parseAddress(instance)
	if err != nil {
		return nil, unusable("gave an instance_url that is not usable: it " + err.Error())
	}
	if g.login.Scheme == "https" && u.Scheme != "https" {
		return nil, unusable("gave an instance_url without https")
	}
	return &session{token: sdk.Secret(token), instance: &url.URL{Scheme: u.Scheme, Host: u.Host}}, nil
}

// form is the request (RFC 7523 §2.1 or RFC 6749 §4.4.2), and the secret in it.
func (g *granter) form() (form url.Values, secret sdk.Secret, err error) {
	if g.cfg.Auth == authClientCredentials {
		return url.Values{
			"grant_type": {"client_credentials"}, "client_id": {g.cfg.ClientID}, "client_secret": {g.cfg.ClientSecret.Reveal()},
		}, g.cfg.ClientSecret, nil
	}
	assertion, err := g.assertion(time.Now())
	if err != nil {
		return nil, "", &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the assertion cannot be signed", Err: err}
	}
	return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}, sdk.Secret(assertion), nil
}

func (g *granter) assertion(now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: g.key}, nil)
	if err != nil {
		return "", err
	}
	// Salesforce wants aud as one string, which jwt.Claims makes a list.
	return jwt.Signed(signer).Claims(map[string]any{
		"iss": g.cfg.ClientID, "sub": g.cfg.Username, "aud": g.cfg.audience(g.login), "exp": now.Add(assertionLife).Unix(),
	}).Serialize()
}

// refusedGrant is the failure that an answer of the token endpoint stands for
// (RFC 6749 §5.2).
func refusedGrant(resp *sdkhttp.Response, redactor sdk.Redactor) error {
	e := sdk.FromHTTP(resp.Status, resp.Header)
	e.Effect = sdk.EffectNone
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil || answer.Error == "" {
		return noTokenEndpoint(e, resp.Status)
	}
	switch answer.Error {
	case "server_error", "unknown_error", "temporarily_unavailable":
		e.Kind = sdk.KindTransient
	case "rate_limit_exceeded":
		e.Kind = sdk.KindRateLimited
	case "invalid_grant", "invalid_client", "invalid_client_id", "invalid_client_credentials", "invalid_app_access", "inactive_user",
		"inactive_org", "unauthorized_client", "unsupported_grant_type", "invalid_assertion_type", "invalid_request", "access_denied":
		e.Kind = sdk.KindUnauthorized
		if strings.Contains(strings.ToLower(answer.Description), "rate exceeded") { // it counts sign-ins, too
			e.Kind = sdk.KindRateLimited
		}
	}
	e.Message = "the token endpoint answered " + redactor.Excerpt(answer.Error)
	if text := redactor.Excerpt(answer.Description); text != "" {
		e.Message += ": " + text
	}
	if hint := hintFor(answer.Error, answer.Description); hint != "" {
		e.Message += " (" + hint + ")"
	}
	return e
}

// noTokenEndpoint is an answer that is not the token endpoint's.
func noTokenEndpoint(e *sdk.Error, status int) error {
	e.Message = "the token endpoint: " + e.Message
	if status == http.StatusNotFound || status == http.StatusGone || status == http.StatusMethodNotAllowed {
		e.Kind, e.Field = sdk.KindInvalid, "login_url"
		e.Message = "there is no token endpoint below this address"
	}
	return e
}

// hintFor says what to do about a refusal whose own words are obscure, "" if
// they are not.
func hintFor(code, description string) string {
	description = strings.ToLower(description)
	for _, h := range []struct{ code, words, hint string }{
		{"", "hasn't approved", "pre-authorize the user in the connected app's policies"},
		{"", "audience", "set audience, or log in where the org is: login for production, test for sandboxes"},
		{"", "no client credential", "choose a user to run as in the connected app's client credentials flow"},
		{"", "assertion", "compare private_key with the certificate of the connected app, and the clocks"},
		{"invalid_client_id", "", "compare client_id with the consumer key"},
		{"inactive_user", "", "reactivate the user to act as"},
		{"invalid_app_access", "", "allow the user to use the connected app"},
	} {
		if strings.Contains(description, h.words) && (h.code == "" || h.code == code) {
			return h.hint
		}
	}
	return ""
}
