package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Applications implements application.Store.
type Applications struct {
	DB  *sqldb.DB
	Now func() time.Time
}

var _ application.Store = Applications{}

const applicationColumns = `client_id, name, redirect_uris, type, auth_method, secret_hash, grant_types, scopes, id_token_alg,
	initiate_login_uri, registration, enabled, settings, self_registered, revision, created_at, updated_at`

// Get returns the application, or application.ErrNotFound.
func (s Applications) Get(ctx context.Context, id provisioning.ClientID) (application.Application, error) {
	return scanApplication(s.DB.QueryRow(ctx, `SELECT `+applicationColumns+` FROM applications WHERE client_id = $1`, id))
}

// List returns up to limit applications ordered by client_id, starting behind
// after.
func (s Applications) List(ctx context.Context, after provisioning.ClientID, limit int) ([]application.Application, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+applicationColumns+` FROM applications
		WHERE client_id > $1 ORDER BY client_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list applications: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []application.Application
	for rows.Next() {
		a, err := scanApplication(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// Put creates the application (Revision 0) or replaces exactly that revision. It
// returns it with the new revision, application.Problems or application.ErrStale.
func (s Applications) Put(ctx context.Context, a application.Application) (application.Application, error) {
	if err := a.Validate(); err != nil {
		return a, err
	}
	a.UpdatedAt = s.Now()
	put := s.replace
	if a.Revision == 0 {
		a.CreatedAt = a.UpdatedAt
		put = s.insert
	}
	n, err := put(ctx, a)
	if err != nil {
		return a, fmt.Errorf("store application: %w", err)
	}
	if n == 0 {
		return a, application.ErrStale
	}
	a.Revision++
	return a, nil
}

func (s Applications) insert(ctx context.Context, a application.Application) (int64, error) {
	lists, err := applicationJSON(a)
	if err != nil {
		return 0, err
	}
	return s.DB.Exec(ctx, `INSERT INTO applications (`+applicationColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $15, $16) ON CONFLICT (client_id) DO NOTHING`,
		a.ClientID, a.Name, lists.redirects, a.Type, a.AuthMethod, a.SecretHash, lists.grants, lists.scopes, a.IDTokenAlg,
		a.InitiateLoginURI, number(a.Registration), number(a.Enabled), lists.settings, number(a.SelfRegistered), sqldb.Micros(a.CreatedAt), sqldb.Micros(a.UpdatedAt))
}

// replace updates an application. Who users are to it may change with it: what was
// issued under the old subjects ends then, for the new ones must not be linked to
// them by a token that goes on.
func (s Applications) replace(ctx context.Context, a application.Application) (n int64, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		before, err := s.Get(ctx, a.ClientID)
		if errors.Is(err, application.ErrNotFound) {
			n = 0
			return nil
		}
		if err != nil {
			return err
		}
		if n, err = s.update(ctx, a); err != nil || n == 0 || before.Sector() == a.Sector() {
			return err
		}
		_, err = revoke(ctx, s.DB, a.UpdatedAt, "client_id = $2 AND user_id <> ''", string(a.ClientID))
		return err
	})
	return n, err
}

func (s Applications) update(ctx context.Context, a application.Application) (int64, error) {
	lists, err := applicationJSON(a)
	if err != nil {
		return 0, err
	}
	return s.DB.Exec(ctx, `UPDATE applications SET name = $1, redirect_uris = $2, type = $3, auth_method = $4, secret_hash = $5,
		grant_types = $6, scopes = $7, id_token_alg = $8, initiate_login_uri = $9, registration = $10, enabled = $11,
		settings = $12, self_registered = $13, updated_at = $14, revision = revision + 1 WHERE client_id = $15 AND revision = $16`,
		a.Name, lists.redirects, a.Type, a.AuthMethod, a.SecretHash, lists.grants, lists.scopes, a.IDTokenAlg, a.InitiateLoginURI,
		number(a.Registration), number(a.Enabled), lists.settings, number(a.SelfRegistered), sqldb.Micros(a.UpdatedAt), a.ClientID, a.Revision)
}

// Delete removes exactly that revision, or returns application.ErrStale. What was
// issued to it ends: another may get its client_id.
func (s Applications) Delete(ctx context.Context, id provisioning.ClientID, revision int64) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		n, err := s.DB.Exec(ctx, `DELETE FROM applications WHERE client_id = $1 AND revision = $2`, id, revision)
		if err != nil {
			return fmt.Errorf("delete application: %w", err)
		}
		if n == 0 {
			return application.ErrStale
		}
		_, err = revoke(ctx, s.DB, s.Now(), "client_id = $2", string(id))
		return err
	})
}

func scanApplication(r row) (application.Application, error) {
	var a application.Application
	var registration, enabled, self, created, updated int64
	redirects, grants, scopes := column{into: &a.RedirectURIs}, column{into: &a.GrantTypes}, column{into: &a.Scopes}
	settings := column{into: &a.Settings}
	err := r.Scan(&a.ClientID, &a.Name, &redirects.text, &a.Type, &a.AuthMethod, &a.SecretHash, &grants.text, &scopes.text,
		&a.IDTokenAlg, &a.InitiateLoginURI, &registration, &enabled, &settings.text, &self, &a.Revision, &created, &updated)
	if sqldb.IsNoRows(err) {
		return application.Application{}, application.ErrNotFound
	}
	if err != nil {
		return application.Application{}, fmt.Errorf("read application: %w", err)
	}
	a.Registration, a.Enabled, a.SelfRegistered = registration != 0, enabled != 0, self != 0
	a.CreatedAt, a.UpdatedAt = sqldb.Time(created), sqldb.Time(updated)
	return a, decode(&redirects, &grants, &scopes, &settings)
}

// applicationLists are the columns that hold JSON.
type applicationLists struct{ redirects, grants, scopes, settings string }

func applicationJSON(a application.Application) (l applicationLists, err error) {
	for _, column := range []struct {
		text *string
		of   any
	}{{&l.redirects, a.RedirectURIs}, {&l.grants, a.GrantTypes}, {&l.scopes, a.Scopes}, {&l.settings, a.Settings}} {
		if *column.text, err = jsonOf(column.of); err != nil {
			return applicationLists{}, err
		}
	}
	return l, nil
}
