package roles

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

// ownerPrefix begins the comment on a role of ours.
const ownerPrefix = "anteroom:"

// maxName is how long the name of a role may be, in bytes. The server would cut a
// longer one, and then it would be somebody else's.
const maxName = 63

// role is a login role as the server has it.
type role struct {
	oid, name    string
	active       bool
	owner, about string // of the comment
}

// visible are the columns of a role, and what makes one an account.
const visible = `
	select oid::text, rolname, rolcanlogin, coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '')
	from pg_catalog.pg_roles
	where rolname <> current_user and rolname <> session_user and rolname !~ '^pg_'
	and not (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
	and (rolcanlogin or pg_catalog.shobj_description(oid, 'pg_authid') like 'anteroom:%')`

// find returns the accounts for which a condition holds. A group that may log in
// is no account.
func (t *Target) find(ctx context.Context, tx pgx.Tx, condition string, args ...any) ([]role, error) {
	rows, err := tx.Query(ctx, visible+" and "+condition+" order by oid", args...)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (role, error) {
		var r role
		var comment string
		err := row.Scan(&r.oid, &r.name, &r.active, &comment)
		r.owner, r.about = split(comment)
		return r, err
	})
	return slices.DeleteFunc(found, func(r role) bool { return slices.Contains(t.groups, r.name) }), err
}

// split parts a comment into whose it is and what else it says.
func split(comment string) (owner, about string) {
	first, rest, _ := strings.Cut(comment, "\n")
	if owner, ours := strings.CutPrefix(first, ownerPrefix); ours {
		return owner, rest
	}
	return "", comment
}

// comment is what the role's comment is to be, "" for none.
func (r role) comment() string {
	switch {
	case r.owner == "":
		return r.about
	case r.about == "":
		return ownerPrefix + r.owner
	}
	return ownerPrefix + r.owner + "\n" + r.about
}

func (r role) account() sdk.Account {
	a := sdk.Account{ID: r.oid, Active: &r.active, Attributes: sdk.Attributes{keyLogin: r.name, keyUserID: nil, attrName: nil}}
	if r.owner != "" {
		a.Attributes[keyUserID] = r.owner
	}
	if r.about != "" {
		a.Attributes[attrName] = r.about
	}
	return a
}

// with returns the role after a change of its attributes.
func (r role) with(set sdk.Attributes, remove []string) (role, error) {
	fields := map[string]*string{keyLogin: &r.name, keyUserID: &r.owner, attrName: &r.about}
	for _, name := range remove {
		if fields[name] == nil {
			return r, sdk.Invalid(name, "is not an attribute of this connector")
		}
		*fields[name] = ""
	}
	for name, value := range set {
		text, isText := value.(string)
		if fields[name] == nil {
			return r, sdk.Invalid(name, "is not an attribute of this connector")
		}
		if value != nil && !isText {
			return r, sdk.Invalid(name, "must be a text")
		}
		*fields[name] = text
	}
	return r, r.check()
}

// check refuses what the server would take for something else.
func (r role) check() error {
	switch {
	case r.name == "":
		return sdk.Invalid(keyLogin, "is required: a role has a name")
	case len(r.name) > maxName:
		return sdk.Invalid(keyLogin, "must have at most 63 bytes, as the name of a role")
	case strings.ContainsAny(r.owner, "\r\n"):
		return sdk.Invalid(keyUserID, "must be one line")
	case r.owner == "" && strings.HasPrefix(r.about, ownerPrefix):
		return sdk.Invalid(attrName, "must not begin as the comment on a role of ours does")
	}
	for field, text := range map[string]string{keyLogin: r.name, keyUserID: r.owner, attrName: r.about} {
		if strings.ContainsRune(text, 0) {
			return sdk.Invalid(field, "must not contain a zero byte")
		}
	}
	return nil
}

// byID reads an account by its oid.
func (t *Target) byID(ctx context.Context, tx pgx.Tx, id string) (role, error) {
	found, err := t.find(ctx, tx, "oid::text = $1", id)
	if err != nil {
		return role{}, t.failure(err)
	}
	if len(found) != 1 {
		return role{}, sdk.NotFound("there is no such role, or it is none that may be changed")
	}
	return found[0], nil
}

// failure is an error of a statement about a role.
func (t *Target) failure(err error, values ...string) error {
	failure := t.db.Failure(err, values...)
	e := sdk.AsError(failure)
	switch code := pg.SQLState(err); {
	case code == "2BP01":
		return &sdk.Error{
			Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Err: err,
			Message: "the role still owns objects or has privileges: reassign and drop them (reassign owned, drop owned)",
		}
	case e != nil && (code == "42939" || e.Kind == sdk.KindConflict):
		named := *e
		named.Field = keyLogin
		return &named
	}
	return failure
}
