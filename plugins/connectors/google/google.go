package google

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"time"

	directory "google.golang.org/api/admin/directory/v1"
	"google.golang.org/api/option"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// version of the connector.
const version = "1.0.0"

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("google", version, Open,
		sdk.DisplayName("Google Workspace"), sdk.WithAttributes(declared()...))
}

// Target is one customer's Google Workspace directory.
type Target struct {
	cfg      Config
	base     *url.URL
	trust    *tls.Config
	http     *http.Client
	oauth    *sdkhttp.Client
	service  *directory.Service
	tokens   *tokens
	redactor sdk.Redactor
	recent   *recent
}

// Open returns a Target without calling Google. The error is [sdk.KindInvalid]
// with the field.
func Open(ctx context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		p := problems[0]
		return nil, sdk.Invalid(p.Field, p.Message)
	}
	base, _ := parseAddress(cfg.BaseURL) // Validate has looked
	roots, _ := cfg.roots()
	t := &Target{
		cfg:    cfg,
		base:   base,
		trust:  &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		recent: newRecent(cfg.Propagation, time.Now),
	}
	t.http = &http.Client{Transport: newTransport(t.trust), CheckRedirect: noRedirect}
	t.oauth = sdkhttp.New(sdkhttp.Options{
		Secrets: cfg.secrets(), Timeout: cfg.Timeout, TLS: t.trust, AddressField: "token_url",
	})
	sign, err := newSigner(cfg, t.oauth, t.http.Transport)
	if err != nil {
		return nil, err
	}
	t.redactor = sdk.NewRedactor(cfg.secrets()...)
	t.tokens = newTokens(grant{cfg: cfg, http: t.oauth, sign: sign}.token)
	t.service, err = directory.NewService(ctx, option.WithHTTPClient(t.http), option.WithEndpoint(base.String()+"/"))
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "Google's client cannot be made", Err: err}
	}
	return t, nil
}

// Close ends idle connections.
func (t *Target) Close() error {
	t.http.CloseIdleConnections()
	t.oauth.Close()
	return nil
}
