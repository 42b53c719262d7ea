package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/logout"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Participants implements logout.Participants.
type Participants struct{ DB *sqldb.DB }

var _ logout.Participants = Participants{}

// Join adds a participant; doing it again changes nothing.
func (s Participants) Join(ctx context.Context, p logout.Participant) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO session_application (sid, client_id, user_id, alias_sid) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		p.SID, p.Client, p.Alias.Subject, p.Alias.SID)
	if err != nil {
		return fmt.Errorf("add application to session: %w", err)
	}
	return nil
}

// Of returns the session's participants, in order of their client_ids.
func (s Participants) Of(ctx context.Context, sid string) ([]logout.Participant, error) {
	rows, err := s.DB.Query(ctx, `SELECT client_id, user_id, COALESCE(NULLIF(alias_sid, ''), sid) FROM session_application WHERE sid = $1 ORDER BY client_id`, sid)
	if err != nil {
		return nil, fmt.Errorf("list applications of session: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []logout.Participant
	for rows.Next() {
		p := logout.Participant{SID: sid}
		if err := rows.Scan(&p.Client, &p.Alias.Subject, &p.Alias.SID); err != nil {
			return nil, fmt.Errorf("list applications of session: %w", err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// Forget removes the session's participants.
func (s Participants) Forget(ctx context.Context, sid string) error {
	if _, err := s.DB.Exec(ctx, `DELETE FROM session_application WHERE sid = $1`, sid); err != nil {
		return fmt.Errorf("remove applications of session: %w", err)
	}
	return nil
}

// Sweep removes at most limit participants of sessions that are no longer there,
// and returns how many it removed.
func (s Participants) Sweep(ctx context.Context, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM session_application WHERE sid IN (SELECT p.sid FROM session_application p
		WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.sid = p.sid) LIMIT $1)`, limit)
	if err != nil {
		return 0, fmt.Errorf("sweep applications of sessions: %w", err)
	}
	return n, nil
}

// LogoutNotices implements logout.Notices.
type LogoutNotices struct{ DB *sqldb.DB }

var _ logout.Notices = LogoutNotices{}

// Add adds a notice.
func (s LogoutNotices) Add(ctx context.Context, n logout.Notice) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO logout_notice (id, client_id, user_id, sid, attempts, due_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, n.ID, n.Client, n.Alias.Subject, n.Alias.SID, n.Attempts, sqldb.Micros(n.DueAt), sqldb.Micros(n.ExpiresAt))
	if err != nil {
		return fmt.Errorf("add logout notice: %w", err)
	}
	return nil
}

// Claim returns up to limit notices that are due and makes them due again at
// until. What somebody else claimed meanwhile is not among them.
func (s LogoutNotices) Claim(ctx context.Context, now, until time.Time, limit int) ([]logout.Notice, error) {
	due, err := s.due(ctx, now, limit)
	if err != nil {
		return nil, err
	}
	var claimed []logout.Notice
	for _, n := range due {
		got, err := s.DB.Exec(ctx, `UPDATE logout_notice SET due_at = $1 WHERE id = $2 AND due_at = $3`,
			sqldb.Micros(until), n.ID, sqldb.Micros(n.DueAt))
		if err != nil {
			return claimed, fmt.Errorf("claim logout notice: %w", err)
		}
		if got == 1 {
			claimed = append(claimed, n)
		}
	}
	return claimed, nil
}

func (s LogoutNotices) due(ctx context.Context, now time.Time, limit int) ([]logout.Notice, error) {
	rows, err := s.DB.Query(ctx, `SELECT id, client_id, user_id, sid, attempts, due_at, expires_at FROM logout_notice
		WHERE due_at <= $1 ORDER BY due_at LIMIT $2`, sqldb.Micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list logout notices: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []logout.Notice
	for rows.Next() {
		var n logout.Notice
		var due, expires int64
		if err := rows.Scan(&n.ID, &n.Client, &n.Alias.Subject, &n.Alias.SID, &n.Attempts, &due, &expires); err != nil {
			return nil, fmt.Errorf("list logout notices: %w", err)
		}
		n.DueAt, n.ExpiresAt = sqldb.Time(due), sqldb.Time(expires)
		all = append(all, n)
	}
	return all, rows.Err()
}

// Done removes a notice.
func (s LogoutNotices) Done(ctx context.Context, id string) error {
	if _, err := s.DB.Exec(ctx, `DELETE FROM logout_notice WHERE id = $1`, id); err != nil {
		return fmt.Errorf("remove logout notice: %w", err)
	}
	return nil
}

// Postpone stores Attempts and DueAt.
func (s LogoutNotices) Postpone(ctx context.Context, n logout.Notice) error {
	_, err := s.DB.Exec(ctx, `UPDATE logout_notice SET attempts = $1, due_at = $2 WHERE id = $3`, n.Attempts, sqldb.Micros(n.DueAt), n.ID)
	if err != nil {
		return fmt.Errorf("postpone logout notice: %w", err)
	}
	return nil
}
