package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// maxExpiredBatch bounds one DELETE, so that the writer is soon free again.
const maxExpiredBatch = 500

// DeleteExpired deletes up to limit rows (at most 500) of each kind that are no
// longer needed, not even to recognise a reuse, and returns how many it deleted.
// Call it again while it returns limit or more.
func (s *OAuth) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	limit = min(limit, maxExpiredBatch)
	total := 0
	for _, table := range []struct{ name, key, expiry string }{
		{"oauth_code", "hash", "keep_until"},
		{"oauth_access", "hash", "expires_at"},
		{"oauth_refresh", "hash", "keep_until"},
		{"pushed_request", "hash", "keep_until"},
		{"client_assertion", "hash", "expires_at"},
		{"dpop_proof", "hash", "expires_at"},
		{"device_request", "hash", "keep_until"},
		{"oauth_grant", "id", "expires_at"}, // last: it takes what is left of its family along
	} {
		query := fmt.Sprintf(`DELETE FROM %[1]s WHERE %[2]s IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < $1 LIMIT $2)`,
			table.name, table.key, table.expiry)
		n, err := s.DB.Exec(ctx, query, sqldb.Micros(now), limit)
		if err != nil {
			return total, fmt.Errorf("delete expired rows of %s: %w", table.name, err)
		}
		total += int(n)
	}
	return total, nil
}
