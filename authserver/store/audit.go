package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// AuditEvents implements audit.Store.
type AuditEvents struct{ DB *sqldb.DB }

var _ audit.Store = AuditEvents{}

const auditColumns = `id, at, actor_kind, actor, action, object_kind, object_id, object_name, changes, reference`

// Add adds an event, in ctx's transaction.
func (s AuditEvents) Add(ctx context.Context, e audit.Event) error {
	changes, err := jsonOf(e.Changes)
	if err != nil {
		return err
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO audit_event (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.ID, sqldb.Micros(e.At), string(e.Actor.Kind), e.Actor.Name, string(e.Action), e.Object.Kind, e.Object.ID, e.Object.Name, changes, e.Reference)
	if err != nil {
		return fmt.Errorf("add audit event: %w", err)
	}
	return nil
}

// List returns the latest events first.
func (s AuditEvents) List(ctx context.Context, f audit.Filter) ([]audit.Event, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+auditColumns+` FROM audit_event
		WHERE at >= $1 AND ($2 = '' OR actor = $2) AND ($3 = '' OR object_kind = $3 OR object_id = $3 OR object_name = $3)
		ORDER BY at DESC, id DESC LIMIT $4`, sinceMicros(f.Since), f.Actor, f.Object, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list audit events: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []audit.Event
	for rows.Next() {
		var e audit.Event
		var at int64
		changes := column{into: &e.Changes}
		err := rows.Scan(&e.ID, &at, &e.Actor.Kind, &e.Actor.Name, &e.Action, &e.Object.Kind, &e.Object.ID, &e.Object.Name, &changes.text, &e.Reference)
		if err == nil {
			err = decode(&changes)
		}
		if err != nil {
			return nil, fmt.Errorf("read audit event: %w", err)
		}
		e.At = sqldb.Time(at)
		all = append(all, e)
	}
	return all, rows.Err()
}

func sinceMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return sqldb.Micros(t)
}

// Sweep removes at most limit events from before a time, and returns how many it
// removed.
func (s AuditEvents) Sweep(ctx context.Context, before time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM audit_event WHERE id IN (SELECT id FROM audit_event WHERE at < $1 LIMIT $2)`, sqldb.Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep audit events: %w", err)
	}
	return n, nil
}
