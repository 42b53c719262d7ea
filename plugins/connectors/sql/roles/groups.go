package roles

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/sdk"
)

// SetGroups grants and revokes the roles that the configuration names.
func (t *Target) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	for _, group := range req.Groups {
		if !slices.Contains(t.groups, group) {
			return sdk.Invalid("", "a group of the mapping is not among those that groups allows")
		}
	}
	return t.db.Write(ctx, func(tx pgx.Tx) error {
		r, err := t.byID(ctx, tx, req.ID)
		if err != nil {
			return err
		}
		now, err := memberships(ctx, tx, r)
		if err != nil {
			return t.failure(err)
		}
		for _, group := range t.groups {
			wanted, has := slices.Contains(req.Groups, group), slices.Contains(now, group)
			statement := ""
			switch {
			case wanted && !has:
				statement = "grant " + quote(group) + " to " + quote(r.name)
			case has && !wanted:
				statement = "revoke " + quote(group) + " from " + quote(r.name)
			default:
				continue
			}
			if _, err := tx.Exec(ctx, statement); err != nil {
				return t.failure(err, r.name)
			}
		}
		return nil
	})
}

// memberships are the roles that a role is a direct member of.
func memberships(ctx context.Context, tx pgx.Tx, r role) ([]string, error) {
	rows, err := tx.Query(ctx, `select distinct g.rolname::text from pg_catalog.pg_auth_members m
		join pg_catalog.pg_roles g on g.oid = m.roleid where m.member::text = $1`, r.oid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
