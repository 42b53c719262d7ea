package sql

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

// prepared checks the statements against the database, once for a Target: nothing
// runs before all of them were understood. It stays unchecked while the database
// cannot be asked.
func (t *Target) prepared(ctx context.Context) error {
	t.mu.Lock()
	checked := t.checked
	t.mu.Unlock()
	if checked {
		return nil
	}
	err := t.db.Read(ctx, func(tx pgx.Tx) error {
		columns := map[string][]string{}
		for _, s := range t.all() {
			d, err := tx.Prepare(ctx, "anteroom_"+s.field, s.text)
			if err != nil {
				return t.unprepared(s, err)
			}
			if columns[s.field], err = s.check(d); err != nil {
				return err
			}
		}
		return t.updatable(columns[t.get.field])
	})
	if err == nil {
		t.mu.Lock()
		t.checked = true
		t.mu.Unlock()
	}
	return err
}

// unprepared names the statement that the database does not understand.
func (t *Target) unprepared(s statement, err error) error {
	e := sdk.AsError(t.db.Failure(err))
	if pg.SQLState(err) != "" && e.Kind == sdk.KindInvalid {
		named := *e
		named.Field = s.field
		return &named
	}
	return e
}

// check holds a prepared statement to what its verb needs, and returns its
// columns.
func (s statement) check(d *pgconn.StatementDescription) ([]string, error) {
	for i, name := range s.names {
		if name == nameActive && d.ParamOIDs[i] != pgtype.BoolOID {
			return nil, sdk.Invalid(s.field, "uses :active as another type than boolean")
		}
	}
	var columns []string
	for _, f := range d.Fields {
		if slices.Contains(columns, f.Name) {
			return nil, sdk.Invalid(s.field, "returns two columns of the same name")
		}
		columns = append(columns, f.Name)
		if f.Name == nameActive && f.DataTypeOID != pgtype.BoolOID {
			return nil, sdk.Invalid(s.field, "returns active as another type than boolean")
		}
	}
	return columns, s.checkColumns(columns)
}

func (s statement) checkColumns(columns []string) error {
	switch s.field {
	case "groups":
		if len(columns) != 1 {
			return sdk.Invalid(s.field, "must return one column with the names of groups")
		}
	case "create":
		if !slices.Contains(columns, nameID) {
			return sdk.Invalid(s.field, "must return the new account's id: end it with \"returning id\"")
		}
	case "lookup", "get", "list":
		if !slices.Contains(columns, nameID) {
			return sdk.Invalid(s.field, "must return a column id")
		}
		for _, c := range columns {
			if c != nameID && c != nameActive && c != nameVersion && !isAttribute(c) {
				return sdk.Invalid(s.field, "returns the column "+c+", which is no attribute: leave it out or rename it with \"as\"")
			}
		}
	}
	return nil
}

// updatable refuses an update that would write what was not read: an attribute
// that nobody changes must keep its value.
func (t *Target) updatable(read []string) error {
	for _, name := range t.update.names {
		if name != nameID && !slices.Contains(read, name) {
			return sdk.Invalid("update", "sets :"+name+", which get does not return")
		}
	}
	return nil
}
