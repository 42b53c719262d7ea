package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// maxPruned bounds one step of pruning, so that the writer is soon free again.
const maxPruned = 500

// Prune looks at up to limit attempts (at most 500) after one, in the order in
// which they began, and deletes those that ended, or began and never ended,
// before a time. An account's last attempt stays. It returns where to go on, ""
// at the end, and how many it deleted.
func (s *Attempts) Prune(ctx context.Context, after provisioning.AttemptID, before time.Time, limit int) (provisioning.AttemptID, int, error) {
	page, err := page(ctx, s.db, "SELECT id FROM attempt WHERE id > $1 AND started_at < $2 ORDER BY id LIMIT $3",
		scanText[provisioning.AttemptID], after, sqldb.Micros(before), min(limit, maxPruned))
	if err != nil || len(page) == 0 {
		return "", 0, wrap("prune attempts", err)
	}
	last := page[len(page)-1]
	n, err := s.db.Exec(ctx, `DELETE FROM attempt WHERE id > $1 AND id <= $2 AND started_at < $3 AND ended_at < $3
		AND (EXISTS (SELECT 1 FROM attempt newer WHERE newer.user_id = attempt.user_id AND newer.target = attempt.target AND newer.id > attempt.id)
			OR NOT EXISTS (SELECT 1 FROM account WHERE account.user_id = attempt.user_id AND account.target = attempt.target))`,
		after, last, sqldb.Micros(before))
	return last, int(n), wrap("prune attempts", err)
}

// Prune looks at up to limit decisions (at most 500) after one, in the order in
// which they were made, and deletes those made before a time that live does not
// return. It returns where to go on, "" at the end, and how many it deleted.
func (s *Decisions) Prune(ctx context.Context, after provisioning.DecisionID, before time.Time, limit int,
	live func(ctx context.Context, old []provisioning.DecisionRef) (map[provisioning.DecisionID]bool, error),
) (provisioning.DecisionID, int, error) {
	old, err := page(ctx, s.db, "SELECT id, client_id, user_id FROM decision WHERE id > $1 AND decided_at < $2 ORDER BY id LIMIT $3",
		scanRef, after, sqldb.Micros(before), min(limit, maxPruned))
	if err != nil || len(old) == 0 {
		return "", 0, wrap("prune decisions", err)
	}
	keep, err := live(ctx, old)
	if err != nil {
		return "", 0, wrap("prune decisions", err)
	}
	var gone []provisioning.DecisionID
	for _, d := range old {
		if !keep[d.ID] {
			gone = append(gone, d.ID)
		}
	}
	in, args, err := among(nil, gone, maxPruned)
	if err != nil {
		return "", 0, wrap("prune decisions", err)
	}
	n, err := s.db.Exec(ctx, "DELETE FROM decision WHERE id IN ("+in+")", args...)
	return old[len(old)-1].ID, int(n), wrap("prune decisions", err)
}

func page[T any](ctx context.Context, db *sqldb.DB, query string, scan func(scanner) (T, error), args ...any) ([]T, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scan)
}

func scanText[T ~string](row scanner) (T, error) {
	var id T
	err := row.Scan(&id)
	return id, err
}

func scanRef(row scanner) (provisioning.DecisionRef, error) {
	var d provisioning.DecisionRef
	err := row.Scan(&d.ID, &d.Client, &d.User)
	return d, err
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
