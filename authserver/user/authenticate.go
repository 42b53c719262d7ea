package user

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Guess is one try to sign in.
type Guess struct {
	Login    string
	Password sdk.Secret
	Address  string // the client's IP address
	// Browser names the browser if the login signed in from it before, "" if it did
	// not: what strangers guess is not counted against it.
	Browser string
}

// Authenticate returns the user whose password it is. Errors: ErrCredentials,
// provisioning.ErrUserInactive (only when the password is right) or
// *ThrottledError. Unknown logins take as long as known ones.
func (s *Service) Authenticate(ctx context.Context, g Guess) (User, error) {
	login := NormalizeLogin(g.Login)
	bounds := limits(login, g.Address, g.Browser)
	if err := s.takeGuess(ctx, bounds); err != nil {
		return User{}, err
	}
	u, hash, err := s.lookUp(ctx, login)
	if err != nil {
		return User{}, err
	}
	// A longer password cannot be anybody's; hashing it would only cost us.
	if len(g.Password.Reveal()) > 4*MaxPasswordBytes {
		return User{}, ErrCredentials
	}
	ok, err := s.Hasher.Verify(ctx, hash, g.Password)
	if err != nil {
		return User{}, fmt.Errorf("check password: %w", err)
	}
	if !ok {
		return User{}, ErrCredentials
	}
	if err := s.forgive(ctx, bounds); err != nil {
		return User{}, err
	}
	if !u.Active() {
		return User{}, provisioning.ErrUserInactive
	}
	s.rehash(ctx, u.ID, hash, g.Password)
	return u, nil
}

// lookUp returns the zero user and no hash for an unknown login.
func (s *Service) lookUp(ctx context.Context, login string) (User, string, error) {
	u, err := s.Store.ByLogin(ctx, login)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		return User{}, "", nil
	}
	if err != nil {
		return User{}, "", err
	}
	hash, err := s.Passwords.PasswordHash(ctx, u.ID)
	return u, hash, err
}

// takeGuess counts the guess before the password is looked at, so that many
// parallel guesses do not slip through together.
func (s *Service) takeGuess(ctx context.Context, bounds []limit) error {
	var longest time.Duration
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		longest = 0
		now := s.Now()
		counted := make([]Counter, len(bounds))
		for i, l := range bounds {
			c, err := s.Throttle.Lock(ctx, l.key)
			if err != nil {
				return err
			}
			var wait time.Duration
			counted[i], wait = l.budget.guess(c, now)
			longest = max(longest, wait)
		}
		if longest > 0 {
			return nil
		}
		return s.save(ctx, bounds, counted)
	})
	if err != nil {
		return fmt.Errorf("count guess: %w", err)
	}
	if longest > 0 {
		return &ThrottledError{Wait: longest}
	}
	return nil
}

// forgive takes the guess back: it was right. The pair starts afresh; the wider
// counters lose only this one guess, or an attacker with one account of their
// own could reset them.
func (s *Service) forgive(ctx context.Context, bounds []limit) error {
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		counted := make([]Counter, len(bounds))
		for i, l := range bounds {
			c, err := s.Throttle.Lock(ctx, l.key)
			if err != nil {
				return err
			}
			c.Failures = max(c.Failures-1, 0)
			c.FreeAt = time.Time{}
			if l.pair {
				c = Counter{UpdatedAt: s.Now()}
			}
			counted[i] = c
		}
		return s.save(ctx, bounds, counted)
	})
	if err != nil {
		return fmt.Errorf("forgive guess: %w", err)
	}
	return nil
}

func (s *Service) save(ctx context.Context, bounds []limit, counted []Counter) error {
	for i, l := range bounds {
		if err := s.Throttle.Save(ctx, l.key, counted[i]); err != nil {
			return err
		}
	}
	return nil
}

// rehash brings an old hash to today's parameters. The sign-in does not depend
// on it.
func (s *Service) rehash(ctx context.Context, id provisioning.UserID, old string, password sdk.Secret) {
	if !s.Hasher.Outdated(old) {
		return
	}
	hash, err := s.Hasher.Hash(ctx, password)
	if err == nil {
		err = s.Passwords.SetPasswordHash(ctx, id, hash, s.Now())
	}
	if err != nil {
		s.Log.WarnContext(ctx, "renew password hash", "user_id", id, "error", err)
	}
}

// Allow counts that the address asks for an action that costs us or others
// something, or returns *ThrottledError.
func (s *Service) Allow(ctx context.Context, action, address string) error {
	return s.TakeTry(ctx, Try{Action: action, Address: address})
}

// Try is one try at an action whose tries are few.
type Try struct {
	Action  string
	Address string // the client's IP address
	// User is who is signed in, "" if nobody is. Tries of a user count against them
	// alone, so that nobody else in their network can use them up.
	User provisioning.UserID
}

func (t Try) limits() []limit {
	key := throttleKey("action", t.Action, network(t.Address))
	if t.User != "" {
		key = throttleKey("action of user", t.Action, string(t.User))
	}
	return []limit{{key: key, budget: actionBudget()}}
}

// TakeTry counts a try, or returns *ThrottledError.
func (s *Service) TakeTry(ctx context.Context, t Try) error { return s.takeGuess(ctx, t.limits()) }

// ForgiveTry takes a try back: it was right.
func (s *Service) ForgiveTry(ctx context.Context, t Try) error { return s.forgive(ctx, t.limits()) }

// AllowRegistration counts that the address registers an application, or returns
// *ThrottledError. Developers, and a whole office of clients, register several.
func (s *Service) AllowRegistration(ctx context.Context, address string) error {
	return s.takeGuess(ctx, []limit{{key: throttleKey("registration", network(address)), budget: registrationBudget()}})
}

// TakeCode counts a try at the user's second factor, or returns *ThrottledError. Who
// gets here has the password, so that no stranger can use the tries up.
func (s *Service) TakeCode(ctx context.Context, id provisioning.UserID) error {
	return s.takeGuess(ctx, codeLimit(id))
}

// ForgiveCodes forgets the tries: one was right.
func (s *Service) ForgiveCodes(ctx context.Context, id provisioning.UserID) error {
	return s.forgive(ctx, codeLimit(id))
}

func codeLimit(id provisioning.UserID) []limit {
	return []limit{{key: throttleKey("code", string(id)), budget: codeBudget(), pair: true}}
}

// TakePasskey counts a try with a passkey from the address, or returns *ThrottledError.
// Nobody guesses a signature; this bounds what trying costs us.
func (s *Service) TakePasskey(ctx context.Context, address string) error {
	return s.takeGuess(ctx, passkeyLimit(address))
}

// ForgivePasskey takes the try back: it was right.
func (s *Service) ForgivePasskey(ctx context.Context, address string) error {
	return s.forgive(ctx, passkeyLimit(address))
}

func passkeyLimit(address string) []limit {
	return []limit{{key: throttleKey("passkey", network(address)), budget: addressBudget()}}
}

// HasPassword reports whether there is a password to sign in with.
func (s *Service) HasPassword(ctx context.Context, id provisioning.UserID) (bool, error) {
	hash, err := s.Passwords.PasswordHash(ctx, id)
	return hash != "", err
}

// SetPassword gives the user a new password. Errors: provisioning.ErrUserNotFound
// or [Problems]. Connectors never hear of it.
func (s *Service) SetPassword(ctx context.Context, id provisioning.UserID, password sdk.Secret) error {
	hash, err := s.HashPassword(ctx, id, password)
	if err != nil {
		return err
	}
	return s.Passwords.SetPasswordHash(ctx, id, hash, s.Now())
}

// HashPassword returns what [Service.ReplacePassword] stores of a new password of
// the user. It is slow, and for no transaction. Errors: those of SetPassword.
func (s *Service) HashPassword(ctx context.Context, id provisioning.UserID, password sdk.Secret) (string, error) {
	u, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	if err := passwordProblems(u, password).err(); err != nil {
		return "", err
	}
	return s.Hasher.Hash(ctx, password)
}

// ReplacePassword stores a hash that HashPassword made.
func (s *Service) ReplacePassword(ctx context.Context, id provisioning.UserID, hash string) error {
	return s.Passwords.SetPasswordHash(ctx, id, hash, s.Now())
}

// ImportPasswordHash takes over a hash made elsewhere. It must be argon2id in PHC
// format.
func (s *Service) ImportPasswordHash(ctx context.Context, id provisioning.UserID, hash string) error {
	if err := CheckHash(hash); err != nil {
		return err
	}
	if _, err := s.Get(ctx, id); err != nil {
		return err
	}
	return s.Passwords.SetPasswordHash(ctx, id, hash, s.Now())
}
