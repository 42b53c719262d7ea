package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Permissions tells what applications may do for users: by their consent, and by
// the codes and tokens that live.
type Permissions struct{ DB *sqldb.DB }

// Of returns them by name of the application, each as old as the oldest of what it
// rests on. A grant counts while something of it can still be used: it may outlive
// its tokens by far.
func (s Permissions) Of(ctx context.Context, user provisioning.UserID, now time.Time) ([]application.Permission, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT a.client_id, a.name, c.scopes, '', c.at
		FROM consent c JOIN applications a ON a.client_id = c.client_id WHERE c.user_id = $1
		UNION ALL
		SELECT a.client_id, a.name, g.scopes, g.resources, g.created_at
		FROM oauth_grant g JOIN applications a ON a.client_id = g.client_id
		WHERE g.user_id = $1 AND g.revoked_at = 0 AND g.expires_at > $2 AND (
			EXISTS (SELECT 1 FROM oauth_code t WHERE t.grant_id = g.id AND t.used_at = 0 AND t.expires_at > $2)
			OR EXISTS (SELECT 1 FROM oauth_access t WHERE t.grant_id = g.id AND t.expires_at > $2)
			OR EXISTS (SELECT 1 FROM oauth_refresh t WHERE t.grant_id = g.id AND t.used_at = 0 AND t.expires_at > $2))`,
		user, sqldb.Micros(now))
	if err != nil {
		return nil, fmt.Errorf("list permissions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := map[provisioning.ClientID]application.Permission{}
	for rows.Next() {
		var p application.Permission
		var scopes, resources string
		var since int64
		if err := rows.Scan(&p.Client, &p.Name, &scopes, &resources, &since); err != nil {
			return nil, fmt.Errorf("read permission: %w", err)
		}
		p.Scopes, p.Since = append(strings.Fields(scopes), application.ResourceScopes(strings.Fields(resources))...), sqldb.Time(since)
		all[p.Client] = joined(all[p.Client], p)
	}
	return byName(all), rows.Err()
}

// joined is both permissions of one application; had may be the zero one.
func joined(had, more application.Permission) application.Permission {
	more.Scopes = append(had.Scopes, more.Scopes...)
	slices.Sort(more.Scopes)
	more.Scopes = slices.Compact(more.Scopes)
	if !had.Since.IsZero() && had.Since.Before(more.Since) {
		more.Since = had.Since
	}
	return more
}

func byName(all map[provisioning.ClientID]application.Permission) []application.Permission {
	var out []application.Permission
	for _, p := range all {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b application.Permission) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Client, b.Client))
	})
	return out
}

// Withdraw forgets the user's consent and revokes every grant, so that no code or
// token of the application stands for the user any more; none is no error.
func (s Permissions) Withdraw(ctx context.Context, user provisioning.UserID, client provisioning.ClientID, at time.Time) error {
	if user == "" {
		return nil // that would be the application's own tokens
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, `DELETE FROM consent WHERE user_id = $1 AND client_id = $2`, user, client); err != nil {
			return fmt.Errorf("forget consent: %w", err)
		}
		_, err := revoke(ctx, s.DB, at, "user_id = $2 AND client_id = $3", user, client)
		return err
	})
}
