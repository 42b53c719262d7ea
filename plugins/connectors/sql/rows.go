package sql

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

func (t *Target) read(ctx context.Context, do func(pgx.Tx) error) error {
	if err := t.prepared(ctx); err != nil {
		return err
	}
	err := t.db.Read(ctx, do)
	if pg.SQLState(err) == "25006" {
		return sdk.Invalid("", "lookup, get and list must not write")
	}
	return err
}

func (t *Target) write(ctx context.Context, do func(pgx.Tx) error) error {
	if err := t.prepared(ctx); err != nil {
		return err
	}
	return t.db.Write(ctx, do)
}

// permitted has each statement planned, which asks for the privileges and runs
// nothing. What cannot be explained, such as CALL, is not tried.
func (t *Target) permitted(ctx context.Context) error {
	for _, s := range t.all() {
		err := t.db.Read(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "explain "+s.text, s.bind(nil)...)
			return err
		})
		if k := sdk.KindOf(err); pg.SQLState(err) == "" && err != nil || k == sdk.KindForbidden || k == sdk.KindTransient {
			e := *sdk.AsError(err)
			e.Field, e.Message = s.field, s.field+": "+e.Message
			return &e
		}
	}
	return nil
}

// query returns the accounts a statement gives.
func (t *Target) query(ctx context.Context, tx pgx.Tx, s statement, values map[string]any) ([]sdk.Account, error) {
	var found []sdk.Account
	err := t.each(ctx, tx, s, values, func(a sdk.Account) bool {
		found = append(found, a)
		return true
	})
	return found, err
}

// each hands on the accounts a statement gives, as long as they are wanted. All
// columns are read as text, whatever their type.
func (t *Target) each(ctx context.Context, tx pgx.Tx, s statement, values map[string]any, wanted func(sdk.Account) bool) error {
	args := append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, s.bind(values)...)
	rows, err := tx.Query(ctx, s.text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		a, err := accountIn(s, rows)
		if err != nil {
			return err
		}
		if !wanted(a) {
			return nil
		}
	}
	return rows.Err()
}

func accountIn(s statement, rows pgx.Rows) (sdk.Account, error) {
	a := sdk.Account{Attributes: sdk.Attributes{}}
	for i, raw := range rows.RawValues() {
		name, text := rows.FieldDescriptions()[i].Name, string(raw)
		switch {
		case name == nameID:
			a.ID = text
		case raw == nil && isAttribute(name):
			a.Attributes[name] = nil
		case raw == nil:
		case name == nameActive:
			active := text == "t"
			a.Active = &active
		case name == nameVersion:
			a.Version = text
		case isAttribute(name):
			a.Attributes[name] = text
		}
	}
	if a.ID == "" {
		return a, sdk.Invalid(s.field, "returned an account without an id")
	}
	return a, nil
}

// one reads an account by its id. An id that cannot be one of the table's is of
// nobody.
func (t *Target) one(ctx context.Context, tx pgx.Tx, id string) (sdk.Account, error) {
	found, err := t.query(ctx, tx, t.get, map[string]any{nameID: id})
	switch code := pg.SQLState(err); {
	case code == "22P02", code == "22003", code == "22021": // no number, no uuid, too large, a zero byte
		return sdk.Account{}, &sdk.Error{Kind: sdk.KindNotFound, Effect: sdk.EffectNone, Message: "no account of this table can have this id", Err: err}
	case err != nil:
		return sdk.Account{}, t.db.Failure(err)
	case len(found) == 0:
		return sdk.Account{}, sdk.NotFound("there is no row with this id")
	case len(found) > 1 || found[0].ID != id:
		return sdk.Account{}, sdk.Invalid(t.get.field, "returned something else than the one account with the id")
	}
	return found[0], nil
}

// exec runs a statement and returns how many rows it changed.
func (t *Target) exec(ctx context.Context, tx pgx.Tx, s statement, values map[string]any) (int64, error) {
	tag, err := tx.Exec(ctx, s.text, s.bind(values)...)
	return tag.RowsAffected(), err
}

// assign returns what is bound for attributes, and refuses those that the
// statement does not take.
func (s statement) assign(set sdk.Attributes) (map[string]any, error) {
	values := map[string]any{}
	for name, value := range set {
		text, err := textOf(name, value)
		if err != nil {
			return nil, err
		}
		if !isAttribute(name) || !slices.Contains(s.names, name) {
			return nil, sdk.Invalid(name, "the statement "+s.field+" has no parameter :"+name+": add it, or map nothing to this attribute")
		}
		values[name] = text
	}
	return values, nil
}

// blame names the attribute whose column was refused, where they have the same
// name.
func (t *Target) blame(err error, values []string) error {
	failure := t.db.Failure(err, values...)
	e := sdk.AsError(failure)
	if e == nil || e.Field == "" || isAttribute(e.Field) {
		return failure
	}
	other := *e
	other.Message += " (column " + e.Field + ")"
	other.Field = ""
	return &other
}

func changedOther(s statement, n int64) error {
	return sdk.Invalid(s.field, fmt.Sprintf("changed %d rows, not the one with the id; nothing was kept", n))
}
