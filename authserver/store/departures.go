package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Departures implements federation.Departures.
type Departures struct {
	DB     *sqldb.DB
	Sealer Sealer
}

var _ federation.Departures = Departures{}

func originAAD(sid string) []byte { return []byte("session_upstream:" + sid) }

// Remember stores where a session came from, in place of what was known.
func (s Departures) Remember(ctx context.Context, o federation.Origin) error {
	sealed, err := s.Sealer.Seal([]byte(o.IDToken), originAAD(o.SID))
	if err != nil {
		return fmt.Errorf("seal ID token: %w", err)
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO session_upstream (sid, upstream, id_token) VALUES ($1, $2, $3)
		ON CONFLICT (sid) DO UPDATE SET upstream = excluded.upstream, id_token = excluded.id_token`, o.SID, o.Upstream, sealed)
	if err != nil {
		return fmt.Errorf("store upstream of session: %w", err)
	}
	return nil
}

// Origin returns where a session came from, or federation.ErrNoLink.
func (s Departures) Origin(ctx context.Context, sid string) (federation.Origin, error) {
	o := federation.Origin{SID: sid}
	var sealed []byte
	err := s.DB.QueryRow(ctx, `SELECT upstream, id_token FROM session_upstream WHERE sid = $1`, sid).Scan(&o.Upstream, &sealed)
	if sqldb.IsNoRows(err) {
		return federation.Origin{}, federation.ErrNoLink
	}
	if err != nil {
		return federation.Origin{}, fmt.Errorf("read upstream of session: %w", err)
	}
	plain, err := s.Sealer.Open(sealed, originAAD(sid))
	if err != nil {
		return federation.Origin{}, fmt.Errorf("open ID token: %w", err)
	}
	o.IDToken = string(plain)
	return o, nil
}

// Depart adds a departure and forgets where the session came from.
func (s Departures) Depart(ctx context.Context, sid string, d federation.Departure) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, `DELETE FROM session_upstream WHERE sid = $1`, sid); err != nil {
			return fmt.Errorf("forget upstream of session: %w", err)
		}
		_, err := s.DB.Exec(ctx, `INSERT INTO upstream_departure (id, browser, return_to, expires_at) VALUES ($1, $2, $3, $4)`,
			d.ID, d.Browser, d.ReturnTo, sqldb.Micros(d.ExpiresAt))
		if err != nil {
			return fmt.Errorf("insert departure: %w", err)
		}
		return nil
	})
}

// Return removes the departure and returns it, or federation.ErrState.
func (s Departures) Return(ctx context.Context, id string) (federation.Departure, error) {
	d := federation.Departure{ID: id}
	var expires int64
	err := s.DB.ReturningRow(ctx, `DELETE FROM upstream_departure WHERE id = $1 RETURNING browser, return_to, expires_at`, id).
		Scan(&d.Browser, &d.ReturnTo, &expires)
	if sqldb.IsNoRows(err) {
		return federation.Departure{}, federation.ErrState
	}
	if err != nil {
		return federation.Departure{}, fmt.Errorf("take departure: %w", err)
	}
	d.ExpiresAt = sqldb.Time(expires)
	return d, nil
}

// Sweep removes at most limit departures that expired before a time, and ID tokens of
// sessions that are no longer there, and returns how many rows it removed.
func (s Departures) Sweep(ctx context.Context, expiredBefore time.Time, limit int) (int64, error) {
	departed, err := s.DB.Exec(ctx, `DELETE FROM upstream_departure WHERE id IN (
		SELECT id FROM upstream_departure WHERE expires_at < $1 LIMIT $2)`, sqldb.Micros(expiredBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep departures: %w", err)
	}
	over, err := s.DB.Exec(ctx, `DELETE FROM session_upstream WHERE sid IN (SELECT u.sid FROM session_upstream u
		WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.sid = u.sid) LIMIT $1)`, limit)
	if err != nil {
		return 0, fmt.Errorf("sweep upstreams of sessions: %w", err)
	}
	return departed + over, nil
}
