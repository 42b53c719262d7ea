package webhook

import (
	"context"
	"crypto/tls"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// version of the connector.
const version = "1.0.0"

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("webhook", version, Open,
		sdk.DisplayName("Webhook"), sdk.WithAttributes(attributes()...))
}

// Target is one endpoint.
type Target struct {
	url    *url.URL
	http   *sdkhttp.Client
	guard  guard
	signer signer
	trust  *tls.Config
}

// Open returns a Target without calling the endpoint. The error is
// [sdk.KindInvalid] with the field.
func Open(_ context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	// Validate has seen that none of these fails.
	address, _ := parseURL(cfg.URL)
	allowed, _ := parseNetworks(cfg.AllowAddresses)
	return newTarget(cfg, address, guard{allowed: allowed, loopback: isThisMachine(address.Hostname())}), nil
}

func newTarget(cfg Config, address *url.URL, g guard) *Target {
	trust, _ := cfg.trust()
	t := &Target{url: address, trust: trust, guard: g, signer: signer{now: time.Now}}
	var secrets []sdk.Secret
	for _, s := range []sdk.Secret{cfg.Secret, cfg.PreviousSecret} {
		if key, err := signingKey(s); err == nil {
			t.signer.keys = append(t.signer.keys, key)
			secrets = append(secrets, s, sdk.Secret(strings.TrimPrefix(s.Reveal(), secretPrefix)), sdk.Secret(key))
		}
	}
	t.http = sdkhttp.New(sdkhttp.Options{
		Secrets: secrets, Timeout: cfg.Timeout, TLS: trust, AddressField: "url",
		Permit: g.permit, RefuseRedirects: true,
	})
	return t
}

// Close ends idle connections.
func (t *Target) Close() error {
	t.http.Close()
	return nil
}
