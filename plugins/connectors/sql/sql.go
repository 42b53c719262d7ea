package sql

import (
	"context"
	"sync"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

// version of the connector.
const version = "1.0.0"

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("sql", version, Open,
		sdk.DisplayName("SQL account table"), sdk.WithAttributes(attributes()...))
}

// Target is one account table.
type Target struct {
	statements
	db *pg.DB

	mu      sync.Mutex
	checked bool // the statements have been prepared once
}

// Open returns a Target without calling the database. The error is
// [sdk.KindInvalid] with the field.
func Open(_ context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	s, _ := cfg.statements() // Validate has seen that there are no problems
	db, err := pg.Open(cfg.options())
	if err != nil {
		return nil, err
	}
	return &Target{statements: s, db: db}, nil
}

// Close ends the connections.
func (t *Target) Close() error {
	t.db.Close()
	return nil
}

// Check tries, in order, to resolve, reach, trust and sign in to the server, and
// to have every statement prepared. The error is always nil: failures are in the
// steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	return t.db.Check(ctx,
		pg.Step{Name: "permission", Fix: "Grant the role what the statement needs.", Run: func(ctx context.Context) (string, error) {
			return "the role may run every statement", t.permitted(ctx)
		}},
		pg.Step{Name: "schema", Fix: "Correct the statement that is named, or the table.", Run: func(ctx context.Context) (string, error) {
			return "every statement is understood", t.named(t.prepared(ctx))
		}},
	), nil
}

// named puts the field at fault before the message, for a check.
func (t *Target) named(err error) error {
	e := sdk.AsError(err)
	if e == nil || e.Field == "" {
		return err
	}
	other := *e
	other.Message = e.Field + ": " + e.Message
	return &other
}
