package recovery

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Purpose is what a link is for.
type Purpose string

// The purposes.
const (
	PurposeVerify Purpose = "verify_email"
	PurposeReset  Purpose = "reset_password"
)

// lifetime is how long a link of the purpose works.
func (p Purpose) lifetime() time.Duration {
	if p == PurposeReset {
		return 30 * time.Minute
	}
	return 24 * time.Hour
}

// Token is what is stored of a link.
type Token struct {
	Hash      []byte // SHA-256 of what the link carries
	User      provisioning.UserID
	Purpose   Purpose
	Email     string // the address it was sent to
	CreatedAt time.Time
	ExpiresAt time.Time
}

// ErrLink means a link is unknown, used or too old.
var ErrLink = errors.New("link does not work, or no longer")

// Tokens keeps links.
type Tokens interface {
	// Insert adds a token.
	Insert(ctx context.Context, t Token) error
	// Get returns a token, used ones excepted, or ErrLink.
	Get(ctx context.Context, hash []byte) (Token, error)
	// Use removes exactly this token and returns it, or ErrLink: of many at once, one
	// succeeds.
	Use(ctx context.Context, hash []byte) (Token, error)
	// Drop removes the user's tokens of the purpose.
	Drop(ctx context.Context, id provisioning.UserID, p Purpose) error
	// Since counts the user's tokens of the purpose since a time, used ones excepted.
	Since(ctx context.Context, id provisioning.UserID, p Purpose, since time.Time) (int, error)
}

// Request is somebody's wish for mail.
type Request struct {
	ID       string
	Sealed   []byte // a wish
	DueAt    time.Time
	Attempts int
	Created  time.Time
}

// Requests keeps wishes until they were looked at.
type Requests interface {
	// Add adds a request.
	Add(ctx context.Context, r Request) error
	// Claim takes the request that is due for longest and makes it due again at
	// until, unless it is done by then; ok is false when none is due.
	Claim(ctx context.Context, now, until time.Time) (r Request, ok bool, err error)
	// Done removes a request.
	Done(ctx context.Context, id string) error
	// Again makes a request due at a time.
	Again(ctx context.Context, id string, at time.Time) error
}

// Users is what recovery needs of users; see user.Service.
type Users interface {
	Get(ctx context.Context, id provisioning.UserID) (user.User, error)
	// ByLogin returns provisioning.ErrUserNotFound for an unknown login.
	ByLogin(ctx context.Context, login string) (user.User, error)
	// Update returns user.ErrStale if somebody else was faster.
	Update(ctx context.Context, id provisioning.UserID, change func(*user.User) error) (user.User, error)
	// HashPassword returns what is stored of a new password, or user.Problems. It is
	// slow, and for no transaction.
	HashPassword(ctx context.Context, id provisioning.UserID, password sdk.Secret) (string, error)
	// ReplacePassword stores such a hash, and ends all sessions.
	ReplacePassword(ctx context.Context, id provisioning.UserID, hash string) error
}

// Limits bounds how often an address may ask.
type Limits interface {
	// Allow returns *user.ThrottledError when it was too often.
	Allow(ctx context.Context, action, address string) error
}

// Sealer encrypts what is stored; the associated data ties it to its row.
type Sealer interface {
	Seal(plaintext, associated []byte) ([]byte, error)
	Open(ciphertext, associated []byte) ([]byte, error)
}

// Tx runs a function in one transaction; see sqldb.DB.InTx.
type Tx interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// wish is who shall get mail: a login as typed, which may be nobody's, or a user.
type wish struct {
	Purpose  Purpose
	Login    string              `json:",omitempty"`
	User     provisioning.UserID `json:",omitempty"`
	Language string
}

// ask stores a wish; a worker looks at it.
func (s *Service) ask(ctx context.Context, w wish) error {
	plain, err := json.Marshal(w)
	if err != nil {
		return err
	}
	r := Request{ID: rand.Text(), DueAt: s.Now(), Created: s.Now()}
	if r.Sealed, err = s.Sealer.Seal(plain, requestAAD(r.ID)); err != nil {
		return err
	}
	if err := s.Requests.Add(ctx, r); err != nil {
		return fmt.Errorf("ask for mail: %w", err)
	}
	s.nudge()
	return nil
}

func requestAAD(id string) []byte { return []byte("mail_request/" + id) }

// AskVerification mails a link to the user's address, if it is not verified.
func (s *Service) AskVerification(ctx context.Context, id provisioning.UserID, language string) error {
	return s.ask(ctx, wish{Purpose: PurposeVerify, User: id, Language: language})
}

// AskReset mails a link to the address of the login, if there is one. The answer is
// the same for every login.
func (s *Service) AskReset(ctx context.Context, login, language string) error {
	if len(login) > maxLogin {
		login = "" // nobody's
	}
	return s.ask(ctx, wish{Purpose: PurposeReset, Login: login, Language: language})
}

const maxLogin = 1000

// look returns the user a link is of, without using it; ErrLink.
func (s *Service) look(ctx context.Context, secret string, p Purpose) (user.User, error) {
	t, err := s.Tokens.Get(ctx, hashOf(secret))
	if err != nil {
		return user.User{}, err
	}
	return s.valid(ctx, t, p)
}

// valid returns the user if the token is for the purpose, still works, and they
// still have the address and may sign in.
func (s *Service) valid(ctx context.Context, t Token, p Purpose) (user.User, error) {
	if t.Purpose != p || !s.Now().Before(t.ExpiresAt) {
		return user.User{}, ErrLink
	}
	u, err := s.Users.Get(ctx, t.User)
	if errors.Is(err, provisioning.ErrUserNotFound) || err == nil && (!u.Active() || u.Email != t.Email) {
		return user.User{}, ErrLink
	}
	return u, err
}

// verify uses the link: the address is the user's. Provisioning hears of it in the
// same transaction.
func (s *Service) verify(ctx context.Context, secret string) error {
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		t, err := s.Tokens.Use(ctx, hashOf(secret))
		if err != nil {
			return err
		}
		u, err := s.valid(ctx, t, PurposeVerify)
		if err != nil {
			return err
		}
		return s.verified(ctx, u)
	})
}

func (s *Service) verified(ctx context.Context, u user.User) error {
	_, err := s.Users.Update(ctx, u.ID, func(now *user.User) error {
		if now.Email != u.Email {
			return ErrLink
		}
		now.EmailVerified = true
		return nil
	})
	return err
}

// reset uses the link: the user has a new password, all their sessions end, and
// every other such link with them. A password that is refused leaves the link
// alone. The address is verified now, too.
func (s *Service) reset(ctx context.Context, u user.User, secret string, password sdk.Secret) error {
	hash, err := s.Users.HashPassword(ctx, u.ID, password)
	if err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		t, err := s.Tokens.Use(ctx, hashOf(secret))
		if err != nil {
			return err
		}
		u, err = s.valid(ctx, t, PurposeReset)
		if err != nil {
			return err
		}
		if err := s.Users.ReplacePassword(ctx, u.ID, hash); err != nil {
			return err
		}
		if err := s.Tokens.Drop(ctx, u.ID, PurposeReset); err != nil {
			return err
		}
		return s.verified(ctx, u)
	})
}

// newSecret returns what a link carries: 256 random bits.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
