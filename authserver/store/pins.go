package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Pins stores which versions of connectors an admin trusts, and trusted.
type Pins struct{ DB *sqldb.DB }

var _ plugins.Pins = Pins{}

// PinAction is how a pin came to be what it is.
type PinAction string

// The actions of an admin.
const (
	PinApproved   PinAction = "pin"
	PinRolledBack PinAction = "rollback"
	PinWithdrawn  PinAction = "unpin"
)

// PinEvent is one action, with the pin it set or took away.
type PinEvent struct {
	plugins.Pin
	Action PinAction
}

// keptEvents is how many events of a name are kept.
const keptEvents = 100

const pinColumns = "name, digest, description, egress, pinned_at, pinned_by"

// Pin implements plugins.Pins.
func (s Pins) Pin(ctx context.Context, name string) (plugins.Pin, error) {
	p, err := scanPin(s.DB.QueryRow(ctx, "SELECT "+pinColumns+" FROM connector_pin WHERE name = $1", name))
	if sqldb.IsNoRows(err) {
		return plugins.Pin{}, plugins.ErrNotPinned
	} else if err != nil {
		return plugins.Pin{}, fmt.Errorf("read pin of %s: %w", name, err)
	}
	return p, nil
}

// scanPin reads the columns of a pin, and after them what more there is.
func scanPin(r row, more ...any) (plugins.Pin, error) {
	var p plugins.Pin
	var description, egress string
	var at int64
	if err := r.Scan(append([]any{&p.Name, &p.Digest, &description, &egress, &at, &p.PinnedBy}, more...)...); err != nil {
		return plugins.Pin{}, err
	}
	p.PinnedAt = sqldb.Time(at)
	return p, decode(&column{description, &p.Description}, &column{egress, &p.Egress})
}

// List returns every pin, by name.
func (s Pins) List(ctx context.Context) ([]plugins.Pin, error) {
	rows, err := s.DB.Query(ctx, "SELECT "+pinColumns+" FROM connector_pin ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list pins: %w", err)
	}
	defer rows.Close()
	var out []plugins.Pin
	for rows.Next() {
		p, err := scanPin(rows)
		if err != nil {
			return nil, fmt.Errorf("list pins: %w", err)
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Put pins a version in place of the one before.
func (s Pins) Put(ctx context.Context, p plugins.Pin) error { return s.put(ctx, p, PinApproved) }

// RollBack pins a version that was pinned before.
func (s Pins) RollBack(ctx context.Context, p plugins.Pin) error { return s.put(ctx, p, PinRolledBack) }

func (s Pins) put(ctx context.Context, p plugins.Pin, action PinAction) error {
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		values, err := pinValues(p)
		if err != nil {
			return err
		}
		if _, err := s.DB.Exec(ctx, `INSERT INTO connector_pin (`+pinColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, description = excluded.description, egress = excluded.egress,
			pinned_at = excluded.pinned_at, pinned_by = excluded.pinned_by`, values...); err != nil {
			return err
		}
		return s.record(ctx, p, action)
	})
	if err != nil {
		return fmt.Errorf("pin %s: %w", p.Name, err)
	}
	return nil
}

func pinValues(p plugins.Pin) ([]any, error) {
	description, err := jsonOf(p.Description)
	if err != nil {
		return nil, err
	}
	egress, err := jsonOf(p.Egress)
	return []any{p.Name, p.Digest, description, egress, sqldb.Micros(p.PinnedAt), p.PinnedBy}, err
}

// Withdraw takes the approval away: no version of the connector runs any more. It
// returns plugins.ErrNotPinned if there is none.
func (s Pins) Withdraw(ctx context.Context, name, by string, at time.Time) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		p, err := s.Pin(ctx, name)
		if err != nil {
			return err
		}
		if _, err := s.DB.Exec(ctx, "DELETE FROM connector_pin WHERE name = $1", name); err != nil {
			return fmt.Errorf("unpin %s: %w", name, err)
		}
		p.PinnedAt, p.PinnedBy = at, by
		return s.record(ctx, p, PinWithdrawn)
	})
}

// record adds an event. Two at once collide on the number, and one of them fails.
func (s Pins) record(ctx context.Context, p plugins.Pin, action PinAction) error {
	values, err := pinValues(p)
	if err != nil {
		return err
	}
	if _, err := s.DB.Exec(ctx, `INSERT INTO connector_pin_event (name, digest, description, egress, at, done_by, action, seq)
		SELECT $1, $2, $3, $4, $5, $6, $7, COALESCE(MAX(seq), 0) + 1 FROM connector_pin_event WHERE name = $1`, append(values, string(action))...); err != nil {
		return fmt.Errorf("record %s of %s: %w", action, p.Name, err)
	}
	_, err = s.DB.Exec(ctx, `DELETE FROM connector_pin_event WHERE name = $1
		AND seq <= (SELECT MAX(seq) FROM connector_pin_event WHERE name = $1) - $2`, p.Name, keptEvents)
	return err
}

// History returns what was done about a connector's pin, the latest first.
func (s Pins) History(ctx context.Context, name string) ([]PinEvent, error) {
	rows, err := s.DB.Query(ctx, `SELECT name, digest, description, egress, at, done_by, action FROM connector_pin_event
		WHERE name = $1 ORDER BY seq DESC`, name)
	if err != nil {
		return nil, fmt.Errorf("read pins of %s: %w", name, err)
	}
	defer rows.Close()
	var out []PinEvent
	for rows.Next() {
		var e PinEvent
		if e.Pin, err = scanPin(rows, &e.Action); err != nil {
			return nil, fmt.Errorf("read pins of %s: %w", name, err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
