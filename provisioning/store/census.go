package store

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning"
)

const census = `SELECT target, state, held, COUNT(*) FROM account GROUP BY target, state, held ORDER BY target, state, held`

// Census counts the accounts of all targets by state. It walks an index over all
// of them, so it is for now and then.
func (s *Accounts) Census(ctx context.Context) ([]provisioning.AccountCount, error) {
	rows, err := s.db.Query(ctx, census)
	if err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	out, err := collect(rows, func(row scanner) (provisioning.AccountCount, error) {
		var c provisioning.AccountCount
		err := row.Scan(&c.Target, &c.State, &c.Held, &c.Count)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	return out, nil
}
