package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Pins stores which connector binaries an admin trusts.
type Pins struct{ DB *sqldb.DB }

var _ plugins.Pins = Pins{}

// Pin implements plugins.Pins.
func (s Pins) Pin(ctx context.Context, name string) (plugins.Pin, error) {
	p := plugins.Pin{Name: name}
	var description string
	var at int64
	row := s.DB.QueryRow(ctx, "SELECT digest, description, pinned_at FROM connector_pin WHERE name = $1", name)
	if err := row.Scan(&p.Digest, &description, &at); sqldb.IsNoRows(err) {
		return plugins.Pin{}, plugins.ErrNotPinned
	} else if err != nil {
		return plugins.Pin{}, fmt.Errorf("read pin of %s: %w", name, err)
	}
	p.PinnedAt = sqldb.Time(at)
	if err := json.Unmarshal([]byte(description), &p.Description); err != nil {
		return plugins.Pin{}, fmt.Errorf("read pin of %s: %w", name, err)
	}
	return p, nil
}

// Put pins a binary in place of the one before.
func (s Pins) Put(ctx context.Context, p plugins.Pin) error {
	description, err := json.Marshal(p.Description)
	if err != nil {
		return fmt.Errorf("pin %s: %w", p.Name, err)
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO connector_pin (name, digest, description, pinned_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, description = excluded.description, pinned_at = excluded.pinned_at`,
		p.Name, p.Digest, string(description), sqldb.Micros(p.PinnedAt))
	if err != nil {
		return fmt.Errorf("pin %s: %w", p.Name, err)
	}
	return nil
}
