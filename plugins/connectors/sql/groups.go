package sql

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/sdk"
)

// SetGroups puts an account into exactly the named groups, of those that the
// statement groups returns.
func (t *Target) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	if err := t.groups.missing(); err != nil {
		return err
	}
	return t.write(ctx, func(tx pgx.Tx) error {
		if _, err := t.one(ctx, tx, req.ID); err != nil {
			return err
		}
		now, err := t.groupsOf(ctx, tx, req.ID)
		if err != nil {
			return t.db.Failure(err)
		}
		if err := t.move(ctx, tx, t.groupAdd, req.ID, req.Groups, now); err != nil {
			return err
		}
		return t.move(ctx, tx, t.groupRemove, req.ID, now, req.Groups)
	})
}

func (t *Target) groupsOf(ctx context.Context, tx pgx.Tx, id string) ([]string, error) {
	args := append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, t.groups.bind(map[string]any{nameID: id})...)
	rows, err := tx.Query(ctx, t.groups.text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		names = append(names, string(rows.RawValues()[0]))
	}
	return names, rows.Err()
}

// move runs the statement for each group that is not among the others. One that
// changes nothing has met a group that is not there.
func (t *Target) move(ctx context.Context, tx pgx.Tx, s statement, id string, groups, others []string) error {
	for i, group := range groups {
		if slices.Contains(others, group) || slices.Contains(groups[:i], group) {
			continue
		}
		n, err := t.exec(ctx, tx, s, map[string]any{nameID: id, nameGroup: group})
		if err != nil {
			return t.blame(err, nil)
		}
		if n == 0 {
			return sdk.Invalid("", "the statement "+s.field+" changed nothing: is there a group of this name?")
		}
	}
	return nil
}
