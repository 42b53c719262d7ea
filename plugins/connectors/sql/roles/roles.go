package roles

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

// version of the connector.
const version = "1.0.0"

// Keys of Lookup, and attributes.
const (
	keyUserID = "user_id"
	keyLogin  = "login"
	attrName  = "name"
)

// Connector returns the connector.
func Connector() sdk.Connector {
	return sdk.Define("pgroles", version, Open, sdk.DisplayName("PostgreSQL roles"), sdk.WithAttributes(
		sdk.Attribute{Name: keyUserID, Correlate: 1, Owner: true, CaseExact: true, Source: "user.id", Help: "Anteroom's id of the user, kept in the role's comment"},
		sdk.Attribute{Name: keyLogin, Required: true, Correlate: 2, CaseExact: true, Source: "user.login", Help: "Name of the role, at most 63 bytes"},
		sdk.Attribute{Name: attrName, CaseExact: true, Source: "user.name", Help: "Full name, kept in the role's comment"},
	))
}

// Target is one server.
type Target struct {
	db     *pg.DB
	groups []string
}

// Open returns a Target without calling the server. The error is
// [sdk.KindInvalid] with the field.
func Open(_ context.Context, cfg Config) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	db, err := pg.Open(cfg.options())
	if err != nil {
		return nil, err
	}
	return &Target{db: db, groups: cfg.Groups}, nil
}

// Close ends the connections.
func (t *Target) Close() error {
	t.db.Close()
	return nil
}

// Check tries, in order, to resolve, reach, trust and sign in to the server, and
// whether the role may make roles and grant the groups. The error is always nil:
// failures are in the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	return t.db.Check(ctx,
		pg.Step{Name: "permission", Fix: "Sign in as a role with CREATEROLE that is no superuser: alter role … createrole.", Run: t.checkRights},
		pg.Step{Name: "schema", Fix: "Create the roles that groups names, or correct it.", Run: t.checkGroups},
	), nil
}

func (t *Target) checkRights(ctx context.Context) (string, error) {
	var may, super bool
	err := t.db.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select rolcreaterole, rolsuper from pg_catalog.pg_roles where rolname = current_user`).Scan(&may, &super)
	})
	switch {
	case err != nil:
		return "", err
	case super:
		return "", sdk.Forbidden("the role is a superuser, which could be made to do anything")
	case !may:
		return "", sdk.Forbidden("the role may not make roles")
	}
	return "the role may make roles", nil
}

func (t *Target) checkGroups(ctx context.Context) (string, error) {
	missing := ""
	err := t.db.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select coalesce(string_agg(g, ', '), '') from unnest($1::text[]) g
			where not exists (select from pg_catalog.pg_roles where rolname = g)`, t.groups).Scan(&missing)
	})
	if err == nil && missing != "" {
		err = sdk.Invalid("groups", "there is no role "+missing)
	}
	return "every group is there", err
}
