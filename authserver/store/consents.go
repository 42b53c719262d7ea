package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Consents implements flow.Consents.
type Consents struct{ DB *sqldb.DB }

var _ flow.Consents = Consents{}

// Of returns the scopes the user let the application have, none if they were never
// asked.
func (s Consents) Of(ctx context.Context, user provisioning.UserID, client provisioning.ClientID) ([]string, error) {
	var scopes string
	err := s.DB.QueryRow(ctx, `SELECT scopes FROM consent WHERE user_id = $1 AND client_id = $2`, user, client).Scan(&scopes)
	if sqldb.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read consent: %w", err)
	}
	return strings.Fields(scopes), nil
}

// ForgetApplication removes what users let the application have: another that gets
// its client_id must ask anew.
func (s Consents) ForgetApplication(ctx context.Context, client provisioning.ClientID) error {
	if _, err := s.DB.Exec(ctx, `DELETE FROM consent WHERE client_id = $1`, client); err != nil {
		return fmt.Errorf("forget consents: %w", err)
	}
	return nil
}

// Add adds scopes to those the user let the application have.
func (s Consents) Add(ctx context.Context, user provisioning.UserID, client provisioning.ClientID, scopes []string, at time.Time) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		had, err := s.Of(ctx, user, client)
		if err != nil {
			return err
		}
		all := append(had, scopes...)
		slices.Sort(all)
		_, err = s.DB.Exec(ctx, `INSERT INTO consent (user_id, client_id, scopes, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, at = excluded.at`,
			user, client, strings.Join(slices.Compact(all), " "), sqldb.Micros(at))
		if err != nil {
			return fmt.Errorf("store consent: %w", err)
		}
		return nil
	})
}
