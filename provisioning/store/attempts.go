package store

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Attempts reads what the engine did.
type Attempts struct{ db *sqldb.DB }

// NewAttempts returns the attempt store of db.
func NewAttempts(db *sqldb.DB) *Attempts { return &Attempts{db} }

const attemptColumns = "id, user_id, target, rev, operation_id, number, cause, started_at, ended_at, calls, outcome, kind, detail, changed"

// ByAccount returns the account's latest attempts, newest first, at most limit.
func (s *Attempts) ByAccount(ctx context.Context, user provisioning.UserID, target provisioning.TargetName, limit int) ([]provisioning.Attempt, error) {
	rows, err := s.db.Query(ctx, "SELECT "+attemptColumns+` FROM attempt WHERE user_id = $1 AND target = $2
		ORDER BY id DESC LIMIT $3`, user, target, limit)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	out, err := collect(rows, scanAttempt)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	return out, nil
}

// endAttempt writes the end of an attempt; nil has none.
func endAttempt(ctx context.Context, db *sqldb.DB, a *provisioning.Attempt) error {
	if a == nil {
		return nil
	}
	calls, err := text(a.Calls)
	if err != nil {
		return err
	}
	changed, err := text(a.Changed)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `UPDATE attempt SET ended_at = $1, calls = $2, outcome = $3, kind = $4, detail = $5, changed = $6 WHERE id = $7`,
		sqldb.Micros(a.EndedAt), calls, a.Outcome, a.Kind, a.Detail, changed, a.ID)
	if err != nil {
		return fmt.Errorf("end attempt: %w", err)
	}
	return nil
}

func scanAttempt(row scanner) (provisioning.Attempt, error) {
	var a provisioning.Attempt
	var started, ended int64
	var calls, changed string
	err := row.Scan(&a.ID, &a.User, &a.Target, &a.Rev, &a.OperationID, &a.Number, &a.Trigger, &started, &ended,
		&calls, &a.Outcome, &a.Kind, &a.Detail, &changed)
	if err != nil {
		return a, err
	}
	a.StartedAt, a.EndedAt = sqldb.Time(started), sqldb.Time(ended)
	if err := fromText(calls, &a.Calls); err != nil {
		return a, err
	}
	return a, fromText(changed, &a.Changed)
}
