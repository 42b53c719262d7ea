package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Admins keeps which users are administrators.
type Admins struct{ DB *sqldb.DB }

// Role returns the user's role, or admin.ErrNone.
func (a Admins) Role(ctx context.Context, user provisioning.UserID) (admin.Role, error) {
	var role admin.Role
	err := a.DB.QueryRow(ctx, `SELECT role FROM administrator WHERE user_id = $1`, user).Scan(&role)
	if sqldb.IsNoRows(err) {
		return "", admin.ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("read role: %w", err)
	}
	return role, nil
}

// Grant gives the user the role, in place of any other.
func (a Admins) Grant(ctx context.Context, user provisioning.UserID, role admin.Role, at time.Time) error {
	_, err := a.DB.Exec(ctx, `INSERT INTO administrator (user_id, role, granted_at) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET role = excluded.role, granted_at = excluded.granted_at`, user, role, sqldb.Micros(at))
	if err != nil {
		return fmt.Errorf("grant role: %w", err)
	}
	return nil
}

// Revoke takes the user's role away; none is no error.
func (a Admins) Revoke(ctx context.Context, user provisioning.UserID) error {
	if _, err := a.DB.Exec(ctx, `DELETE FROM administrator WHERE user_id = $1`, user); err != nil {
		return fmt.Errorf("revoke role: %w", err)
	}
	return nil
}

// List returns all administrators, by login.
func (a Admins) List(ctx context.Context) (_ []admin.Administrator, err error) {
	rows, err := a.DB.Query(ctx, `SELECT a.user_id, u.login, a.role, a.granted_at FROM administrator a JOIN users u ON u.id = a.user_id
		ORDER BY u.login_norm`)
	if err != nil {
		return nil, fmt.Errorf("list administrators: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []admin.Administrator
	for rows.Next() {
		var one admin.Administrator
		var at int64
		if err := rows.Scan(&one.User, &one.Login, &one.Role, &at); err != nil {
			return nil, fmt.Errorf("list administrators: %w", err)
		}
		one.GrantedAt = sqldb.Time(at)
		out = append(out, one)
	}
	return out, rows.Err()
}
