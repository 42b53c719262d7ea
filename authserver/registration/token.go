package registration

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
)

const (
	secretBytes  = 32
	maxNoteBytes = 200
)

// The bounds of an initial access token.
const (
	MaxUses     = 10_000
	MaxLifetime = 365 * 24 * time.Hour
)

func newSecret() sdk.Secret {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return sdk.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// hashOf returns what is stored of a token. A fast hash is right only because tokens
// are random.
func hashOf(token sdk.Secret) Hash {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return sum[:]
}

// IssueToken makes an initial access token for a number of applications. The secret is
// shown once.
func (s *Service) IssueToken(ctx context.Context, note string, uses int, lifetime time.Duration) (InitialToken, sdk.Secret, error) {
	switch {
	case uses < 1 || uses > MaxUses:
		return InitialToken{}, "", fmt.Errorf("uses must be from 1 to %d", MaxUses)
	case lifetime < time.Minute || lifetime > MaxLifetime:
		return InitialToken{}, "", fmt.Errorf("the lifetime must be from %s to %s", time.Minute, MaxLifetime)
	case len(note) > maxNoteBytes || !utf8.ValidString(note):
		return InitialToken{}, "", fmt.Errorf("the note must be text of at most %d bytes", maxNoteBytes)
	}
	secret, now := newSecret(), s.Now()
	t := InitialToken{
		ID: TokenID(strings.ToLower(rand.Text()[:12])), Hash: hashOf(secret), Note: note, MaxUses: uses, CreatedAt: now, ExpiresAt: now.Add(lifetime),
	}
	if err := s.Tokens.AddToken(ctx, t); err != nil {
		return InitialToken{}, "", err
	}
	return t, secret, nil
}

// check looks whether the request may register at all, before anything of it is looked
// at. Without a token nobody may unless the policy says so; one that is shown must be
// good in any case.
func (s *Service) check(ctx context.Context, token sdk.Secret) error {
	if token != "" {
		return s.Tokens.CheckToken(ctx, hashOf(token), s.Now())
	}
	if s.Policy.Mode != ModeOpen {
		return ErrSpent
	}
	return nil
}

// use counts a registration against its token, if it needed one.
func (s *Service) use(ctx context.Context, token sdk.Secret) (TokenID, error) {
	if token == "" {
		return "", nil
	}
	return s.Tokens.UseToken(ctx, hashOf(token), s.Now())
}

// managed returns the registration that a registration access token is for, or
// ErrNotFound: also if it is another's.
func (s *Service) managed(ctx context.Context, id string, token sdk.Secret) (Registration, error) {
	if token == "" {
		return Registration{}, ErrNotFound
	}
	r, err := s.Store.ByToken(ctx, hashOf(token))
	if err == nil && string(r.Client) != id {
		return Registration{}, ErrNotFound
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Registration{}, fmt.Errorf("read registration: %w", err)
	}
	return r, err
}
