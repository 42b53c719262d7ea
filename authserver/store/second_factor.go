package store

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// SecondFactors implements secondfactor.Store and secondfactor.Codes.
type SecondFactors struct{ DB *sqldb.DB }

var (
	_ secondfactor.Store = SecondFactors{}
	_ secondfactor.Codes = SecondFactors{}
)

// App returns the user's app, or secondfactor.ErrNone.
func (s SecondFactors) App(ctx context.Context, id provisioning.UserID) (secondfactor.App, error) {
	a := secondfactor.App{User: id}
	var confirmed int64
	err := s.DB.QueryRow(ctx, `SELECT sealed, last_step, confirmed_at FROM second_factor WHERE user_id = $1`, id).Scan(&a.Sealed, &a.LastStep, &confirmed)
	if sqldb.IsNoRows(err) {
		return secondfactor.App{}, secondfactor.ErrNone
	}
	if err != nil {
		return secondfactor.App{}, fmt.Errorf("read second factor: %w", err)
	}
	a.Confirmed = sqldb.Time(confirmed)
	return a, nil
}

// SetApp replaces the user's app.
func (s SecondFactors) SetApp(ctx context.Context, a secondfactor.App) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO second_factor (user_id, sealed, last_step, confirmed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, last_step = excluded.last_step, confirmed_at = excluded.confirmed_at`,
		a.User, a.Sealed, a.LastStep, sqldb.Micros(a.Confirmed))
	if err != nil {
		return fmt.Errorf("store second factor: %w", err)
	}
	return nil
}

// Accept notes the step of an accepted code, or returns secondfactor.ErrCode.
func (s SecondFactors) Accept(ctx context.Context, id provisioning.UserID, step int64) error {
	n, err := s.DB.Exec(ctx, `UPDATE second_factor SET last_step = $1 WHERE user_id = $2 AND last_step < $1`, step, id)
	if err != nil {
		return fmt.Errorf("accept code: %w", err)
	}
	if n == 0 {
		return secondfactor.ErrCode
	}
	return nil
}

// Remove removes the app and all recovery codes.
func (s SecondFactors) Remove(ctx context.Context, id provisioning.UserID) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.SetCodes(ctx, id, nil); err != nil {
			return err
		}
		if _, err := s.DB.Exec(ctx, `DELETE FROM second_factor WHERE user_id = $1`, id); err != nil {
			return fmt.Errorf("remove second factor: %w", err)
		}
		return nil
	})
}

// SetCodes replaces the user's codes.
func (s SecondFactors) SetCodes(ctx context.Context, id provisioning.UserID, hashes [][]byte) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, `DELETE FROM recovery_code WHERE user_id = $1`, id); err != nil {
			return fmt.Errorf("replace recovery codes: %w", err)
		}
		for _, hash := range hashes {
			if _, err := s.DB.Exec(ctx, `INSERT INTO recovery_code (user_id, hash) VALUES ($1, $2)`, id, hash); err != nil {
				return fmt.Errorf("store recovery code: %w", err)
			}
		}
		return nil
	})
}

// UseCode removes exactly this code, or returns secondfactor.ErrCode.
func (s SecondFactors) UseCode(ctx context.Context, id provisioning.UserID, hash []byte) error {
	n, err := s.DB.Exec(ctx, `DELETE FROM recovery_code WHERE user_id = $1 AND hash = $2`, id, hash)
	if err != nil {
		return fmt.Errorf("use recovery code: %w", err)
	}
	if n == 0 {
		return secondfactor.ErrCode
	}
	return nil
}

// CodesLeft counts the codes.
func (s SecondFactors) CodesLeft(ctx context.Context, id provisioning.UserID) (int, error) {
	var n int
	if err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM recovery_code WHERE user_id = $1`, id).Scan(&n); err != nil {
		return 0, fmt.Errorf("count recovery codes: %w", err)
	}
	return n, nil
}
