package ldap

import (
	"context"

	"github.com/anteroom-id/anteroom/sdk"
)

// version of the connector.
const version = "1.0.0"

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("ldap", version, Open,
		sdk.DisplayName("LDAP and Active Directory"), sdk.WithAttributes(declared()...))
}

// Target is one directory.
type Target struct {
	config  Config
	profile profile
	pool    *pool
}

// Open returns a Target without calling the directory. The error is
// [sdk.KindInvalid] with the field.
func Open(_ context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	d, err := newDialer(cfg)
	if err != nil {
		return nil, err
	}
	return &Target{config: cfg, profile: newProfile(cfg), pool: newPool(d, cfg)}, nil
}

// Close ends the connections.
func (t *Target) Close() error {
	t.pool.close()
	return nil
}
