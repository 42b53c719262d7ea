package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// ResourceServers implements resourceserver.Store.
type ResourceServers struct{ DB *sqldb.DB }

var _ resourceserver.Store = ResourceServers{}

// Get returns the resource server, or resourceserver.ErrNotFound.
func (s ResourceServers) Get(ctx context.Context, identifier string) (resourceserver.Server, error) {
	return scanResourceServer(s.DB.QueryRow(ctx, `SELECT identifier, settings FROM resource_server WHERE identifier = $1`, identifier))
}

// List returns all resource servers, by identifier.
func (s ResourceServers) List(ctx context.Context) (_ []resourceserver.Server, err error) {
	rows, err := s.DB.Query(ctx, `SELECT identifier, settings FROM resource_server ORDER BY identifier`)
	if err != nil {
		return nil, fmt.Errorf("list resource servers: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []resourceserver.Server
	for rows.Next() {
		v, err := scanResourceServer(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Put creates or replaces the resource server. The caller has checked it.
func (s ResourceServers) Put(ctx context.Context, v resourceserver.Server) error {
	settings, err := jsonOf(v.Settings)
	if err != nil {
		return err
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO resource_server (identifier, settings) VALUES ($1, $2)
		ON CONFLICT (identifier) DO UPDATE SET settings = excluded.settings`, v.Identifier, settings)
	if err != nil {
		return fmt.Errorf("store resource server: %w", err)
	}
	return nil
}

// ForgetApplication takes an application from all of them: another that gets its
// client_id must not have what it had.
func (s ResourceServers) ForgetApplication(ctx context.Context, client provisioning.ClientID) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		all, err := s.List(ctx)
		if err != nil {
			return err
		}
		for _, v := range all {
			if !v.Forget(client) {
				continue
			}
			if err := s.Put(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanResourceServer(r row) (resourceserver.Server, error) {
	var v resourceserver.Server
	settings := column{into: &v.Settings}
	err := r.Scan(&v.Identifier, &settings.text)
	if sqldb.IsNoRows(err) {
		return v, resourceserver.ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("read resource server: %w", err)
	}
	return v, decode(&settings)
}
