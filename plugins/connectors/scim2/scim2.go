package scim2

import (
	"cmp"
	"context"
	"sync/atomic"

	"github.com/anteroom-id/anteroom/sdk"
)

// version of the connector.
const version = "1.1.0"

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("scim2", version, Open,
		sdk.DisplayName("SCIM 2.0"), sdk.WithAttributes(declared()...))
}

// Target is one SCIM server.
type Target struct {
	client  *client
	dialect dialect
	update  string
	// noPatch is set once a server in update mode auto has refused PATCH.
	noPatch  atomic.Bool
	provided *shared[provider]
}

// Open returns a Target without calling the server. The error is
// [sdk.KindInvalid] with the field.
func Open(_ context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		p := problems[0]
		return nil, &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: p.Field, Message: p.Message}
	}
	return newTarget(cfg, dialects()[cfg.Dialect])
}

func newTarget(cfg Config, d dialect) (*Target, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	c.media = d.mediaType()
	update := cfg.Update
	if update == updateAuto {
		update = cmp.Or(d.update, updateAuto)
	}
	return &Target{client: c, dialect: d, update: update, provided: newShared[provider]()}, nil
}

// Close ends idle connections.
func (t *Target) Close() error {
	t.client.close()
	return nil
}
