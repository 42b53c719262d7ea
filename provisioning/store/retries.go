package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// RetryFailed makes every failed account due as if it had never failed, of one
// target unless that is "". It is the background's work, however many there are:
// sign-ins go first. What was sent is forgotten, so that the target is read. It
// returns how many accounts there were.
func (s *Accounts) RetryFailed(ctx context.Context, target provisioning.TargetName, now time.Time) (int, error) {
	query, args := `UPDATE account SET desired_rev = CASE WHEN applied_rev < desired_rev THEN desired_rev ELSE desired_rev + 1 END,
		state = 'pending', attempts = 0, first_failed_at = 0, sent = '{}', cause = 'background', updated_at = $1,
		next_attempt_at = $1 WHERE state = 'failed' AND lease_until <= $1`, []any{sqldb.Micros(now)}
	if target != "" {
		query, args = query+" AND target = $2", append(args, target)
	}
	n, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("retry failed accounts: %w", err)
	}
	return int(n), nil
}
