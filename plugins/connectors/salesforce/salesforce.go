package salesforce

import (
	"context"
	"sync"

	"github.com/anteroom-id/anteroom/sdk"
)

// version of the connector.
const version = "1.0.0"

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("salesforce", version, Open,
		sdk.DisplayName("Salesforce"), sdk.WithAttributes(declared()...))
}

// Target is one Salesforce org.
type Target struct {
	client *client
	cfg    Config

	mu      sync.Mutex
	profile string // id of the configured profile once it is known
}

// Open returns a Target without calling the org. The error is [sdk.KindInvalid]
// with the field.
func Open(_ context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Target{client: c, cfg: cfg}, nil
}

// Close ends idle connections.
func (t *Target) Close() error {
	t.client.http.Close()
	return nil
}
