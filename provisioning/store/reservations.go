package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

var _ provisioning.Reservations = (*Accounts)(nil)

// Reserved implements provisioning.Reservations.
func (s *Accounts) Reserved(ctx context.Context, user provisioning.UserID, target provisioning.TargetName) (map[string]string, error) {
	rows, err := s.db.Query(ctx, "SELECT attribute, value FROM reservation WHERE user_id = $1 AND target = $2", user, target)
	if err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	pairs, err := collect(rows, func(row scanner) (pair [2]string, err error) { return pair, row.Scan(&pair[0], &pair[1]) })
	if err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	out := map[string]string{}
	for _, p := range pairs {
		out[p[0]] = p[1]
	}
	return out, nil
}

// Taken implements provisioning.Reservations.
func (s *Accounts) Taken(ctx context.Context, user provisioning.UserID, target provisioning.TargetName, attribute string, candidates []provisioning.Candidate) (map[string]bool, error) {
	out := map[string]bool{}
	if len(candidates) == 0 {
		return out, nil
	}
	args, places := []any{target, attribute, user}, make([]string, len(candidates))
	for i, c := range candidates {
		args = append(args, c.Folded)
		places[i] = fmt.Sprintf("$%d", len(args))
	}
	rows, err := s.db.Query(ctx, "SELECT folded FROM reservation WHERE target = $1 AND attribute = $2 AND user_id <> $3 AND folded IN ("+strings.Join(places, ", ")+")", args...)
	if err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	taken, err := collect(rows, func(row scanner) (folded string, err error) { return folded, row.Scan(&folded) })
	if err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	for _, folded := range taken {
		out[folded] = true
	}
	return out, nil
}

// Reserve implements provisioning.Reservations. Another account that takes the same
// value at the same time is told apart by the index: whoever comes second looks again.
func (s *Accounts) Reserve(ctx context.Context, l provisioning.Lease, attribute string, candidates []provisioning.Candidate) (string, error) {
	for range len(candidates) + 1 {
		value, err := s.reserve(ctx, l, attribute, candidates)
		if !sqldb.IsUnique(err) {
			return value, err
		}
	}
	return "", nil
}

func (s *Accounts) reserve(ctx context.Context, l provisioning.Lease, attribute string, candidates []provisioning.Candidate) (string, error) {
	a, value := l.Account, ""
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		value = ""
		if err := s.held(ctx, l, "reserve a value", "UPDATE account SET fence = fence"); err != nil {
			return err
		}
		taken, err := s.Taken(ctx, a.User, a.Target, attribute, candidates)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(candidates, func(c provisioning.Candidate) bool { return !taken[c.Folded] })
		if i < 0 {
			return nil
		}
		value = candidates[i].Value
		_, err = s.db.Exec(ctx, `INSERT INTO reservation (user_id, target, attribute, value, folded) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (user_id, target, attribute) DO UPDATE SET value = excluded.value, folded = excluded.folded`,
			a.User, a.Target, attribute, value, candidates[i].Folded)
		if err != nil {
			return fmt.Errorf("reserve a value: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// release lets the values of an account go that has ended.
func (s *Accounts) release(ctx context.Context, a provisioning.Account) error {
	if a.State != provisioning.StateAbsent || a.CreateSent {
		return nil
	}
	if _, err := s.db.Exec(ctx, "DELETE FROM reservation WHERE user_id = $1 AND target = $2", a.User, a.Target); err != nil {
		return fmt.Errorf("release values: %w", err)
	}
	return nil
}
