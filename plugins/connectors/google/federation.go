package google

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"
	oauthgoogle "golang.org/x/oauth2/google"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// cloudScope is what a federated token needs to sign as the service account.
const cloudScope = "https://www.googleapis.com/auth/cloud-platform"

// federation is a credential configuration for workload identity federation: a
// token of the workload's own surroundings is exchanged for one of Google's, and
// with that the service account is made to sign. No key leaves Google.
type federation struct {
	exchange []byte // the configuration without the impersonation
	account  string // the service account's e-mail address
	signURL  string // its signJwt method
}

// readFederation reads a credential configuration. It comes from an admin, but is
// made to be passed around: it may name only addresses that are https (or on this
// machine), and no program to start.
func readFederation(text string) (federation, error) {
	var f federation
	var fields map[string]any
	if json.Unmarshal([]byte(text), &fields) != nil {
		return f, fmt.Errorf("must be the JSON text of a credential configuration, not the name of a file")
	}
	if fields["type"] != "external_account" {
		return f, fmt.Errorf(`must be a configuration whose type is "external_account"`)
	}
	source, _ := fields["credential_source"].(map[string]any)
	if source == nil {
		return f, fmt.Errorf("lacks credential_source")
	}
	if _, starts := source["executable"]; starts {
		return f, fmt.Errorf("starts a program for its credentials, which is not supported")
	}
	exchange, _ := fields["token_url"].(string)
	if _, err := parseAddress(exchange); err != nil {
		return f, fmt.Errorf("token_url %w", err)
	}
	impersonate, _ := fields["service_account_impersonation_url"].(string)
	u, err := parseAddress(impersonate)
	if err != nil {
		return f, fmt.Errorf("service_account_impersonation_url %w", err)
	}
	path, isToken := strings.CutSuffix(u.Path, ":generateAccessToken")
	f.account = path[strings.LastIndex(path, "/")+1:]
	if !isToken || checkEmail(f.account) != nil {
		return f, fmt.Errorf("service_account_impersonation_url must end in /serviceAccounts/EMAIL:generateAccessToken")
	}
	f.signURL = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: path + ":signJwt"}).String()
	delete(fields, "service_account_impersonation_url")
	delete(fields, "service_account_impersonation")
	f.exchange, err = json.Marshal(fields)
	return f, err
}

// signer makes the service account sign (IAM Service Account Credentials,
// projects.serviceAccounts.signJwt).
func (f federation) signer(c *sdkhttp.Client, rt http.RoundTripper) signer {
	return signer{issuer: f.account, sign: func(ctx context.Context, claims []byte) (string, error) {
		token, err := f.token(ctx, rt)
		if err != nil {
			return "", err
		}
		answer, err := c.Do(ctx, sdkhttp.Request{
			Method: http.MethodPost, URL: f.signURL, ReadOnly: true, Values: []string{token},
			Header: http.Header{"Authorization": {"Bearer " + token}},
			Body:   map[string]string{"payload": string(claims)},
		})
		if err != nil {
			return "", cannotSign(err)
		}
		var signed struct {
			SignedJWT string `json:"signedJwt"`
		}
		if err := answer.Decode(&signed); err != nil {
			return "", err
		}
		return signed.SignedJWT, nil
	}}
}

func cannotSign(err error) error {
	e := *sdk.AsError(err)
	switch e.Kind {
	case sdk.KindForbidden, sdk.KindNotFound, sdk.KindUnauthorized, sdk.KindInvalid:
		e.Kind, e.Field = sdk.KindUnauthorized, "credential_config"
		e.Message = "the workload may not sign as the service account (it needs the role Service Account Token Creator on it): " + e.Message
	}
	return &e
}

// token exchanges the workload's own token for a federated one.
func (f federation) token(ctx context.Context, rt http.RoundTripper) (string, error) {
	seen := &witness{next: rt}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: seen, CheckRedirect: noRedirect})
	credentials, err := oauthgoogle.CredentialsFromJSONWithTypeAndParams(ctx, f.exchange, oauthgoogle.ExternalAccount,
		oauthgoogle.CredentialsParams{Scopes: []string{cloudScope}})
	if err != nil {
		return "", sdk.Invalid("credential_config", "cannot be used: "+plain(err))
	}
	token, err := credentials.TokenSource.Token()
	switch status := seen.status.Load(); {
	case err == nil:
		return token.AccessToken, nil
	case ctx.Err() != nil || seen.lost.Load() || status >= 500 || status == http.StatusTooManyRequests:
		return "", &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "no federated token: " + plain(err)}
	}
	return "", &sdk.Error{Kind: sdk.KindUnauthorized, Effect: sdk.EffectNone, Field: "credential_config",
		Message: "no federated token: " + plain(err)}
}

// token-like texts: the library may quote what it was answered.
var jwtLike = regexp.MustCompile(`[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`)

// plain is an error of the library without anything that looks like a token.
func plain(err error) string {
	return sdk.Redactor{}.Excerpt(jwtLike.ReplaceAllString(err.Error(), "***"))
}

// witness remembers what became of the requests that pass through.
type witness struct {
	next   http.RoundTripper
	lost   atomic.Bool
	status atomic.Int64
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		w.lost.Store(true)
		return nil, err
	}
	w.status.Store(int64(resp.StatusCode))
	return resp, nil
}
