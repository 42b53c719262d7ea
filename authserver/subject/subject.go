package subject

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// ErrNone means that there is no such subject, or none of this user yet.
var ErrNone = errors.New("no such subject")

// Alias is what one application knows a user and a session by.
type Alias struct {
	Subject string // sub
	SID     string // sid; "" if the session has none
}

// Pairwise is a user's subject in a sector.
type Pairwise struct {
	Sector    application.Sector
	User      provisioning.UserID
	Subject   string
	CreatedAt time.Time
}

// Store keeps pairwise subjects.
type Store interface {
	// Subject returns the user's in the sector, or ErrNone.
	Subject(ctx context.Context, sector application.Sector, user provisioning.UserID) (string, error)
	// AddSubject adds one, and changes nothing when the user has one in the sector.
	AddSubject(ctx context.Context, p Pairwise) error
	// SubjectUser returns whose it is, or ErrNone.
	SubjectUser(ctx context.Context, sector application.Sector, subject string) (provisioning.UserID, error)
}

// Service names users and sessions to applications. All fields must be set.
type Service struct {
	Store Store
	// Key turns sids; see [Service.SID].
	Key []byte
	Now func() time.Time
}

// Alias returns what the application knows the user and the session by. The first
// time a user comes to a sector it writes, so it belongs into the transaction that
// hands the alias out.
func (s *Service) Alias(ctx context.Context, app application.Application, user provisioning.UserID, sid string) (Alias, error) {
	sector := app.Sector()
	if sector == "" {
		return Alias{Subject: string(user), SID: sid}, nil
	}
	sub, err := s.Store.Subject(ctx, sector, user)
	if errors.Is(err, ErrNone) {
		sub, err = s.create(ctx, sector, user)
	}
	if err != nil {
		return Alias{}, fmt.Errorf("pairwise subject: %w", err)
	}
	return Alias{Subject: sub, SID: s.SID(sector, sid)}, nil
}

// create adds a random subject and reads back what is there now: another sign-in
// may have been first.
func (s *Service) create(ctx context.Context, sector application.Sector, user provisioning.UserID) (string, error) {
	fresh := Pairwise{Sector: sector, User: user, Subject: rand.Text(), CreatedAt: s.Now()}
	if err := s.Store.AddSubject(ctx, fresh); err != nil {
		return "", err
	}
	return s.Store.Subject(ctx, sector, user)
}

// SID returns what the sector knows the session by: with one sid for all, two of
// them could tell by it that they have the same user. It is computed, not stored,
// since it means nothing once the session is over.
func (s *Service) SID(sector application.Sector, sid string) string {
	if sector == "" || sid == "" {
		return sid
	}
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(string(sector) + "\x00" + sid))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// User returns whom the application knows by that subject, or ErrNone. For an
// application without pairwise subjects that is whoever has the id, if anybody.
func (s *Service) User(ctx context.Context, app application.Application, sub string) (provisioning.UserID, error) {
	sector := app.Sector()
	if sector == "" {
		return provisioning.UserID(sub), nil
	}
	return s.Store.SubjectUser(ctx, sector, sub)
}
