package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Users implements user.Store and user.Passwords.
type Users struct{ DB *sqldb.DB }

var (
	_ user.Store     = Users{}
	_ user.Passwords = Users{}

	_ federation.Emails = Users{}
)

const userColumns = `id, login, login_norm, email, email_verified, given_name, family_name, name, locale, phone_number,
	group_names, claims, status, home, source, revision, created_at, updated_at`

// Insert adds a user with Revision 1, or returns user.ErrLoginTaken.
func (s Users) Insert(ctx context.Context, u user.User) error {
	groups, claims, err := userJSON(u)
	if err != nil {
		return err
	}
	// ON CONFLICT, since a failed insert would end a PostgreSQL transaction.
	n, err := s.DB.Exec(ctx, `INSERT INTO users (`+userColumns+`, search)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1, $16, $17, $18)
		ON CONFLICT (login_norm) DO NOTHING`,
		u.ID, u.Login, nullable(u.LoginNorm), u.Email, number(u.EmailVerified), u.GivenName, u.FamilyName, u.Name, u.Locale,
		u.PhoneNumber, groups, claims, u.Status, u.Home, u.Source, sqldb.Micros(u.CreatedAt), sqldb.Micros(u.UpdatedAt), searchText(u))
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}
	if n == 0 {
		return user.ErrLoginTaken
	}
	return nil
}

// Get returns a user, tombstones too, or provisioning.ErrUserNotFound.
func (s Users) Get(ctx context.Context, id provisioning.UserID) (user.User, error) {
	return scanUser(s.DB.QueryRow(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, id))
}

// ByLogin returns the user with the normalised login, or
// provisioning.ErrUserNotFound.
func (s Users) ByLogin(ctx context.Context, loginNorm string) (user.User, error) {
	return scanUser(s.DB.QueryRow(ctx, `SELECT `+userColumns+` FROM users WHERE login_norm = $1`, loginNorm))
}

// EmailTaken reports whether a user other than that one has verified the address.
func (s Users) EmailTaken(ctx context.Context, email string, except provisioning.UserID) (bool, error) {
	var n int
	err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM users WHERE LOWER(email) = LOWER($1) AND email_verified = 1 AND id <> $2`, email, except).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for e-mail address: %w", err)
	}
	return n > 0, nil
}

// Update replaces exactly u.Revision and stores the next one; user.ErrStale or
// user.ErrLoginTaken.
func (s Users) Update(ctx context.Context, u user.User) error {
	if err := s.loginFree(ctx, u); err != nil {
		return err
	}
	groups, claims, err := userJSON(u)
	if err != nil {
		return err
	}
	n, err := s.DB.Exec(ctx, `UPDATE users SET login = $1, login_norm = $2, email = $3, email_verified = $4, given_name = $5,
		family_name = $6, name = $7, locale = $8, phone_number = $9, group_names = $10, claims = $11, status = $12, home = $13,
		source = $14, updated_at = $15, search = $16, revision = revision + 1 WHERE id = $17 AND revision = $18`,
		u.Login, nullable(u.LoginNorm), u.Email, number(u.EmailVerified), u.GivenName, u.FamilyName, u.Name, u.Locale,
		u.PhoneNumber, groups, claims, u.Status, u.Home, u.Source, sqldb.Micros(u.UpdatedAt), searchText(u), u.ID, u.Revision)
	switch {
	case sqldb.IsUnique(err):
		return user.ErrLoginTaken
	case err != nil:
		return fmt.Errorf("update user: %w", err)
	case n == 0:
		return user.ErrStale
	}
	return nil
}

// loginFree looks before the update, which would end a PostgreSQL transaction by
// failing; only a race between two users is left to that.
func (s Users) loginFree(ctx context.Context, u user.User) error {
	var n int
	err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM users WHERE login_norm = $1 AND id <> $2`, u.LoginNorm, u.ID).Scan(&n)
	if err != nil {
		return fmt.Errorf("look for login: %w", err)
	}
	if n > 0 {
		return user.ErrLoginTaken
	}
	return nil
}

// List returns users in the order of their ids, tombstones left out.
func (s Users) List(ctx context.Context, q user.Query) ([]user.User, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = user.DefaultLimit
	}
	pattern := "%" + escapeLike(user.NormalizeLogin(q.Search)) + "%"
	rows, err := s.DB.Query(ctx, `SELECT `+userColumns+` FROM users
		WHERE id > $1 AND status <> 'deleted' AND search LIKE $2 ESCAPE '!' ORDER BY id LIMIT $3`, q.After, pattern, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []user.User
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// Members implements provisioning.Members.
func (s Users) Members(ctx context.Context, client provisioning.ClientID, after provisioning.UserID, limit int) ([]provisioning.UserID, error) {
	if client == provisioning.DefaultClient {
		client = ""
	}
	rows, err := s.DB.Query(ctx, `SELECT id FROM users WHERE home = $1 AND status = 'active' AND id > $2 ORDER BY id LIMIT $3`, client, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []provisioning.UserID
	for rows.Next() {
		var id provisioning.UserID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list members: %w", err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// PasswordHash returns the hash, "" if the user has no password.
func (s Users) PasswordHash(ctx context.Context, id provisioning.UserID) (string, error) {
	var hash string
	err := s.DB.QueryRow(ctx, `SELECT hash FROM passwords WHERE user_id = $1`, id).Scan(&hash)
	if err != nil && !sqldb.IsNoRows(err) {
		return "", fmt.Errorf("read password hash: %w", err)
	}
	return hash, nil
}

// SetPasswordHash replaces the hash; "" removes it.
func (s Users) SetPasswordHash(ctx context.Context, id provisioning.UserID, hash string, at time.Time) error {
	var err error
	if hash == "" {
		_, err = s.DB.Exec(ctx, `DELETE FROM passwords WHERE user_id = $1`, id)
	} else {
		_, err = s.DB.Exec(ctx, `INSERT INTO passwords (user_id, hash, updated_at) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, updated_at = excluded.updated_at`,
			id, hash, sqldb.Micros(at))
	}
	if err != nil {
		return fmt.Errorf("store password hash: %w", err)
	}
	return nil
}

func scanUser(r row) (user.User, error) {
	var u user.User
	var norm *string
	var verified, created, updated int64
	groups, claims := column{into: &u.Groups}, column{into: &u.Claims}
	err := r.Scan(&u.ID, &u.Login, &norm, &u.Email, &verified, &u.GivenName, &u.FamilyName, &u.Name, &u.Locale, &u.PhoneNumber,
		&groups.text, &claims.text, &u.Status, &u.Home, &u.Source, &u.Revision, &created, &updated)
	if sqldb.IsNoRows(err) {
		return user.User{}, provisioning.ErrUserNotFound
	}
	if err != nil {
		return user.User{}, fmt.Errorf("read user: %w", err)
	}
	if norm != nil {
		u.LoginNorm = *norm
	}
	u.EmailVerified, u.CreatedAt, u.UpdatedAt = verified != 0, sqldb.Time(created), sqldb.Time(updated)
	return u, decode(&groups, &claims)
}

func userJSON(u user.User) (groups, claims string, err error) {
	if groups, err = jsonOf(u.Groups); err != nil {
		return "", "", err
	}
	claims, err = jsonOf(u.Claims)
	return groups, claims, err
}

// searchText is what List searches; nothing of a tombstone.
func searchText(u user.User) string {
	return user.NormalizeLogin(strings.Join([]string{u.Login, u.Email, u.Name}, "\n"))
}

// escapeLike makes a text match itself in a LIKE pattern.
func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// nullable stores "" as NULL, of which a unique column may have many.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// number stores a bool alike on both dialects.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
