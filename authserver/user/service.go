package user

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Store keeps users.
type Store interface {
	// Insert adds a user with Revision 1, or returns ErrLoginTaken.
	Insert(ctx context.Context, u User) error
	// Get returns a user, tombstones too, or provisioning.ErrUserNotFound.
	Get(ctx context.Context, id provisioning.UserID) (User, error)
	// ByLogin returns the user with the normalised login, or
	// provisioning.ErrUserNotFound.
	ByLogin(ctx context.Context, loginNorm string) (User, error)
	// Update replaces exactly u.Revision and stores the next one; ErrStale or
	// ErrLoginTaken.
	Update(ctx context.Context, u User) error
	// List returns users in the order of their ids.
	List(ctx context.Context, q Query) ([]User, error)
}

// Query selects users; tombstones are left out.
type Query struct {
	After  provisioning.UserID // "" from the start
	Search string              // part of a login, e-mail or name; "" for all
	Limit  int                 // 0 for DefaultLimit
}

// DefaultLimit is the length of a list nobody asked a length for.
const DefaultLimit = 100

// Passwords keeps password hashes.
type Passwords interface {
	// PasswordHash returns the hash, "" if the user has no password.
	PasswordHash(ctx context.Context, id provisioning.UserID) (string, error)
	// SetPasswordHash replaces the hash; "" removes it.
	SetPasswordHash(ctx context.Context, id provisioning.UserID, hash string, at time.Time) error
}

// Tx runs a function in one transaction; see sqldb.DB.InTx. The function may run
// more than once.
type Tx interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Lifecycle hears of every change in the change's own transaction: what it
// writes commits with it, and its error undoes it.
type Lifecycle interface {
	// Registered: the user is new. client is "" when an admin made them outside
	// any application.
	Registered(ctx context.Context, user provisioning.UserID, client provisioning.ClientID) error
	Changed(ctx context.Context, user provisioning.UserID) error
	Disabled(ctx context.Context, user provisioning.UserID) error
	Enabled(ctx context.Context, user provisioning.UserID) error
	Deleted(ctx context.Context, user provisioning.UserID) error
}

// Service is what can be done with users.
type Service struct {
	Store     Store
	Passwords Passwords
	Throttle  Throttle
	Tx        Tx
	Hasher    *Hasher
	Lifecycle Lifecycle
	Now       func() time.Time
	Log       *slog.Logger
}

// Register adds a user who registered through u.Home. The password is required.
// Errors: [Problems] (a taken login among them).
func (s *Service) Register(ctx context.Context, u User, password sdk.Secret) (User, error) {
	u = u.tidy()
	problems := u.problems()
	if u.Email == "" {
		problems.add("email", CodeRequired, "must be given")
	}
	problems = append(problems, passwordProblems(u, password)...)
	if err := problems.err(); err != nil {
		return User{}, err
	}
	u.EmailVerified, u.Groups, u.Claims = false, nil, nil // an admin's to give
	u, err := s.create(ctx, u, password)
	if errors.Is(err, ErrLoginTaken) {
		return User{}, loginTaken()
	}
	return u, err
}

// Import adds a user on behalf of an admin or another system, with groups and
// claims; without a password ("") they cannot sign in here until one is set. The
// password rules apply. Errors: [Problems] (a taken login among them).
func (s *Service) Import(ctx context.Context, u User, password sdk.Secret) (User, error) {
	u, err := Check(u, password)
	if err != nil {
		return User{}, err
	}
	u, err = s.create(ctx, u, password)
	if errors.Is(err, ErrLoginTaken) {
		return User{}, loginTaken()
	}
	return u, err
}

func loginTaken() Problems {
	return Problems{{Field: "login", Code: CodeLoginTaken, Text: "is taken"}}
}

func (s *Service) create(ctx context.Context, u User, password sdk.Secret) (User, error) {
	now := s.Now()
	u.ID = provisioning.UserID(uuid.Must(uuid.NewV7()).String())
	u.Status, u.Revision, u.CreatedAt, u.UpdatedAt = StatusActive, 1, now, now
	hash, err := s.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.Store.Insert(ctx, u); err != nil {
			return err
		}
		if hash != "" {
			if err := s.Passwords.SetPasswordHash(ctx, u.ID, hash, now); err != nil {
				return err
			}
		}
		return s.Lifecycle.Registered(ctx, u.ID, u.Home)
	})
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return u, nil
}

// hash returns "" for no password. It runs outside of any transaction: hashing
// is slow on purpose.
func (s *Service) hash(ctx context.Context, password sdk.Secret) (string, error) {
	if password == "" {
		return "", nil
	}
	return s.Hasher.Hash(ctx, password)
}

// Get returns the user; a tombstone counts as provisioning.ErrUserNotFound.
func (s *Service) Get(ctx context.Context, id provisioning.UserID) (User, error) {
	u, err := s.Store.Get(ctx, id)
	if err == nil && u.Status == StatusDeleted {
		return User{}, provisioning.ErrUserNotFound
	}
	return u, err
}

// ByLogin returns the user with the login, however it is written, or
// provisioning.ErrUserNotFound.
func (s *Service) ByLogin(ctx context.Context, login string) (User, error) {
	return s.Store.ByLogin(ctx, NormalizeLogin(login))
}

// List returns users in the order of their ids.
func (s *Service) List(ctx context.Context, q Query) ([]User, error) { return s.Store.List(ctx, q) }

// Profile implements provisioning.Users.
func (s *Service) Profile(ctx context.Context, id provisioning.UserID) (provisioning.Profile, error) {
	u, err := s.Get(ctx, id)
	if err != nil {
		return provisioning.Profile{}, err
	}
	return u.Profile(), nil
}

// Update applies change to the user's own fields (not the status, home, source or id)
// and returns the result. Without a difference nothing is written. change may
// run more than once. Errors: provisioning.ErrUserNotFound, [Problems], ErrStale
// if somebody else was faster, or change's own.
func (s *Service) Update(ctx context.Context, id provisioning.UserID, change func(*User) error) (User, error) {
	return s.transition(ctx, id, func(u User) (User, event, error) {
		changed := u
		if err := change(&changed); err != nil {
			return u, nil, err
		}
		changed = changed.tidy()
		changed.ID, changed.Status, changed.Home, changed.Revision = u.ID, u.Status, u.Home, u.Revision
		changed.CreatedAt, changed.UpdatedAt, changed.Source = u.CreatedAt, u.UpdatedAt, u.Source
		if err := changed.problems().err(); err != nil {
			return u, nil, err
		}
		return changed, s.Lifecycle.Changed, nil
	})
}

// Disable keeps the user from signing in. Disabling twice does nothing.
func (s *Service) Disable(ctx context.Context, id provisioning.UserID) error {
	_, err := s.transition(ctx, id, func(u User) (User, event, error) {
		u.Status = StatusDisabled
		return u, s.Lifecycle.Disabled, nil
	})
	return err
}

// Enable lets the user sign in again.
func (s *Service) Enable(ctx context.Context, id provisioning.UserID) error {
	_, err := s.transition(ctx, id, func(u User) (User, event, error) {
		u.Status = StatusActive
		return u, s.Lifecycle.Enabled, nil
	})
	return err
}

// Delete leaves a tombstone. Provisioning hears of it in the same transaction,
// after the personal data is gone.
func (s *Service) Delete(ctx context.Context, id provisioning.UserID) error {
	_, err := s.transition(ctx, id, func(u User) (User, event, error) {
		return u.tombstone(), s.removed, nil
	})
	return err
}

func (s *Service) removed(ctx context.Context, id provisioning.UserID) error {
	if err := s.Passwords.SetPasswordHash(ctx, id, "", s.Now()); err != nil {
		return err
	}
	return s.Lifecycle.Deleted(ctx, id)
}

// event is the lifecycle call that goes with a transition.
type event func(ctx context.Context, id provisioning.UserID) error

func (s *Service) transition(ctx context.Context, id provisioning.UserID, f func(User) (User, event, error)) (User, error) {
	var result User
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		before, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		after, tell, err := f(before)
		if err != nil {
			return err
		}
		result = before
		if reflect.DeepEqual(before, after) {
			return nil
		}
		after.UpdatedAt = s.Now()
		if err := s.Store.Update(ctx, after); err != nil {
			return err
		}
		after.Revision++
		result = after
		return tell(ctx, id)
	})
	if errors.Is(err, ErrLoginTaken) {
		return User{}, loginTaken()
	}
	if err != nil {
		return User{}, err
	}
	return result, nil
}
