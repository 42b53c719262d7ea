package pg

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Failure is what an error of a statement, or of connecting, means: nothing was
// changed, since nothing was committed. An [*sdk.Error] stays as it is.
func (db *DB) Failure(err error, values ...string) error {
	var said *sdk.Error
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return said
	case errors.As(err, &refused):
		return db.refused(refused, values)
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "address", Message: "the server offers no TLS", Err: err}
	}
	return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: sdkhttp.Explain(cause(err)), Err: err}
}

// cause finds what happened on the network: pgx joins the errors of all addresses
// of a host.
func cause(err error) error {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) && !errors.Is(err, context.Canceled) {
		return connecting.Unwrap()
	}
	return err
}

// committed is what the end of COMMIT means. A refusal is as good as one before
// it: deferred constraints are checked there. What pgx calls safe to retry is not:
// it says so, too, of a connection that broke after COMMIT was sent.
func (db *DB) committed(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return db.refused(refused, nil)
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the transaction was not committed", Err: err}
	}
	return sdk.OutcomeUnknown(err)
}

// refused is a refusal of the server. Its detail quotes rows and is never told.
func (db *DB) refused(e *pgconn.PgError, values []string) *sdk.Error {
	out := &sdk.Error{
		Kind: kindOf(e.Code), Effect: sdk.EffectNone, Err: e,
		Message: "the server answered SQLSTATE " + e.Code + ": " + db.Redact(withoutQuotes(e.Message), values...),
	}
	if e.Routine == "RevalidateCachedQuery" { // the table was changed; the next try prepares anew
		out.Kind = sdk.KindTransient
	}
	switch out.Kind {
	case sdk.KindInvalid, sdk.KindConflict:
		out.Field = column(e)
		if e.ConstraintName != "" {
			out.Message += " (constraint " + db.Redact(e.ConstraintName, values...) + ")"
		}
	}
	if e.Code == "3D000" {
		out.Field = "database"
	}
	return out
}

// withoutQuotes drops the value that the messages of class 22 end with: invalid
// input syntax for type integer: "ada".
func withoutQuotes(message string) string {
	if text, _, found := strings.Cut(message, `: "`); found {
		return text
	}
	return message
}

// column is the column at fault, "" if the server does not tell. Constraints that
// were given no name are called TABLE_COLUMN_check or TABLE_COLUMN_key.
func column(e *pgconn.PgError) string {
	if e.ColumnName != "" {
		return e.ColumnName
	}
	name, ok := strings.CutPrefix(e.ConstraintName, e.TableName+"_")
	if !ok {
		return ""
	}
	for _, ending := range []string{"_check", "_key", "_fkey"} {
		if name, ok := strings.CutSuffix(name, ending); ok {
			return name
		}
	}
	return ""
}

// kindOf is the one table from SQLSTATE (PostgreSQL, appendix A) to kinds.
func kindOf(code string) sdk.Kind {
	switch code {
	case "23505", "23P01", "42710": // unique, exclusion, role exists
		return sdk.KindConflict
	case "42501": // insufficient privilege
		return sdk.KindForbidden
	case "53100", "53200", "53300", "53400", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P05", "25006", "25P03":
		return sdk.KindTransient // resources, locks, time, shutdown, a standby, idle in a transaction
	case "3D000":
		return sdk.KindInvalid
	}
	switch code[:min(2, len(code))] {
	case "08", "40", "53", "57", "58", "XX": // connection, serialization, resources, operator, system, defect
		return sdk.KindTransient
	case "28": // authorization
		return sdk.KindUnauthorized
	case "0L", "0P": // grantor, role specification
		return sdk.KindForbidden
	}
	return sdk.KindInvalid
}

// SQLState returns the SQLSTATE behind an error, "" if there is none.
func SQLState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}
