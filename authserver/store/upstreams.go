package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

// Sealer encrypts what is stored; the associated data ties it to its row.
type Sealer interface {
	Seal(plaintext, associated []byte) ([]byte, error)
	Open(ciphertext, associated []byte) ([]byte, error)
}

// Upstreams keeps upstreams, their secrets sealed.
type Upstreams struct {
	DB     *sqldb.DB
	Sealer Sealer
}

var _ federation.Upstreams = Upstreams{}

// upstreamSettings is the JSON of an upstream.
type upstreamSettings struct {
	Issuer     string                `json:"issuer"`
	ClientID   string                `json:"client_id"`
	AuthMethod federation.AuthMethod `json:"auth_method"`
	Scopes     []string              `json:"scopes"`
	Claims     map[string]string     `json:"claims"`
	UserInfo   bool                  `json:"userinfo"`
	Button     string                `json:"button"`
	Domains    []string              `json:"domains"`
	JIT        federation.JIT        `json:"jit"`
	Editable   []string              `json:"editable"`
	Logout     bool                  `json:"logout"`
	Enabled    bool                  `json:"enabled"`
}

func upstreamAAD(name string) []byte { return []byte("upstream:" + name) }

// List returns all upstreams, by name.
func (s Upstreams) List(ctx context.Context) (_ []federation.Upstream, err error) {
	rows, err := s.DB.Query(ctx, `SELECT name, settings, secret, revision FROM upstream ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list upstreams: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []federation.Upstream
	for rows.Next() {
		u, err := s.scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// Get returns an upstream, or federation.ErrNotFound.
func (s Upstreams) Get(ctx context.Context, name string) (federation.Upstream, error) {
	return s.scan(s.DB.QueryRow(ctx, `SELECT name, settings, secret, revision FROM upstream WHERE name = $1`, name))
}

// Put adds or replaces an upstream. Without a difference nothing is written.
func (s Upstreams) Put(ctx context.Context, u federation.Upstream) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		current, err := s.Get(ctx, u.Name)
		if err != nil && !errors.Is(err, federation.ErrNotFound) {
			return err
		}
		u.Revision = current.Revision
		if reflect.DeepEqual(current, u) {
			return nil
		}
		u.Revision++
		return s.write(ctx, u)
	})
}

func (s Upstreams) write(ctx context.Context, u federation.Upstream) error {
	settings, err := jsonOf(upstreamSettings{
		u.Issuer, u.ClientID, u.AuthMethod, u.Scopes, u.Claims, u.UserInfo, u.Button, u.Domains, u.JIT, u.Editable, u.Logout, u.Enabled,
	})
	if err != nil {
		return err
	}
	sealed, err := s.Sealer.Seal([]byte(u.ClientSecret.Reveal()), upstreamAAD(u.Name))
	if err != nil {
		return fmt.Errorf("seal secret of upstream %s: %w", u.Name, err)
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO upstream (name, settings, secret, revision) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, secret = excluded.secret, revision = excluded.revision`,
		u.Name, settings, sealed, u.Revision)
	if err != nil {
		return fmt.Errorf("store upstream: %w", err)
	}
	return nil
}

func (s Upstreams) scan(r row) (federation.Upstream, error) {
	var u federation.Upstream
	v := upstreamSettings{Editable: federation.DefaultEditable()} // of a row that is older than the setting
	settings, sealed := column{into: &v}, []byte(nil)
	err := r.Scan(&u.Name, &settings.text, &sealed, &u.Revision)
	if sqldb.IsNoRows(err) {
		return u, federation.ErrNotFound
	}
	if err != nil {
		return u, fmt.Errorf("read upstream: %w", err)
	}
	secret, err := s.Sealer.Open(sealed, upstreamAAD(u.Name))
	if err != nil {
		return u, fmt.Errorf("open secret of upstream %s: %w", u.Name, err)
	}
	err = decode(&settings)
	u.Issuer, u.ClientID, u.ClientSecret, u.AuthMethod = v.Issuer, v.ClientID, sdk.Secret(secret), v.AuthMethod
	u.Scopes, u.Claims, u.UserInfo, u.Button = v.Scopes, v.Claims, v.UserInfo, v.Button
	u.Domains, u.JIT, u.Editable, u.Logout, u.Enabled = v.Domains, v.JIT, v.Editable, v.Logout, v.Enabled
	return u, err
}
