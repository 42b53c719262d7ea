package store

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Subjects implements subject.Store.
type Subjects struct{ DB *sqldb.DB }

var _ subject.Store = Subjects{}

// Subject returns the user's pairwise subject in the sector, or subject.ErrNone.
func (s Subjects) Subject(ctx context.Context, sector application.Sector, user provisioning.UserID) (string, error) {
	var sub string
	err := s.find(ctx, &sub, `SELECT subject FROM pairwise_subject WHERE sector = $1 AND user_id = $2`, sector, user)
	return sub, err
}

// SubjectUser returns whose subject it is in the sector, or subject.ErrNone.
func (s Subjects) SubjectUser(ctx context.Context, sector application.Sector, sub string) (provisioning.UserID, error) {
	var user provisioning.UserID
	err := s.find(ctx, &user, `SELECT user_id FROM pairwise_subject WHERE subject = $1 AND sector = $2`, sub, sector)
	return user, err
}

func (s Subjects) find(ctx context.Context, into any, query string, args ...any) error {
	err := s.DB.QueryRow(ctx, query, args...).Scan(into)
	if sqldb.IsNoRows(err) {
		return subject.ErrNone
	}
	if err != nil {
		return fmt.Errorf("read pairwise subject: %w", err)
	}
	return nil
}

// AddSubject adds one, and changes nothing when the user has one in the sector.
func (s Subjects) AddSubject(ctx context.Context, p subject.Pairwise) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO pairwise_subject (sector, user_id, subject, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (sector, user_id) DO NOTHING`, p.Sector, p.User, p.Subject, sqldb.Micros(p.CreatedAt))
	if err != nil {
		return fmt.Errorf("add pairwise subject: %w", err)
	}
	return nil
}

// DeleteAllOf removes what applications know the user by.
func (s Subjects) DeleteAllOf(ctx context.Context, user provisioning.UserID) error {
	if _, err := s.DB.Exec(ctx, `DELETE FROM pairwise_subject WHERE user_id = $1`, user); err != nil {
		return fmt.Errorf("delete pairwise subjects: %w", err)
	}
	return nil
}
