package secondfactor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/anteroom-id/anteroom/provisioning"
)

// App is a user's authenticator app.
type App struct {
	User     provisioning.UserID
	Sealed   []byte // its secret
	LastStep int64  // of the last code that was accepted: none is accepted twice
	// Confirmed is when the user first proved that they have it; zero before, and it
	// is not asked for until then.
	Confirmed time.Time
}

// The errors of this package.
var (
	// ErrNone means the user has no app.
	ErrNone = errors.New("no second factor")
	// ErrCode means a code is wrong, old, or was used before.
	ErrCode = errors.New("code is wrong")
)

// Store keeps apps and recovery codes.
type Store interface {
	// App returns the user's app, or ErrNone.
	App(ctx context.Context, id provisioning.UserID) (App, error)
	// SetApp replaces the user's app.
	SetApp(ctx context.Context, a App) error
	// Accept notes the step of an accepted code, or returns ErrCode if one as late was
	// accepted before: of many at once, one succeeds.
	Accept(ctx context.Context, id provisioning.UserID, step int64) error
	// Remove removes the app and all recovery codes.
	Remove(ctx context.Context, id provisioning.UserID) error
}

// Codes keeps the digests of recovery codes.
type Codes interface {
	// SetCodes replaces the user's codes.
	SetCodes(ctx context.Context, id provisioning.UserID, hashes [][]byte) error
	// UseCode removes exactly this code, or returns ErrCode.
	UseCode(ctx context.Context, id provisioning.UserID, hash []byte) error
	// CodesLeft counts the codes.
	CodesLeft(ctx context.Context, id provisioning.UserID) (int, error)
}

// Limits bounds how often codes may be tried.
type Limits interface {
	// TakeCode counts a try for the user, or returns *user.ThrottledError.
	TakeCode(ctx context.Context, id provisioning.UserID) error
	// ForgiveCodes forgets the tries: one was right.
	ForgiveCodes(ctx context.Context, id provisioning.UserID) error
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

// Service enrols apps and checks codes.
type Service struct {
	Store  Store
	Codes  Codes
	Limits Limits
	Sealer Sealer
	Tx     Tx
	Issuer string // what the app shows beside the login
	Now    func() time.Time
}

const (
	period = 30
	// skew is how many steps a clock may be off (RFC 6238 section 5.2).
	skew = 1
	// recoveryCodes of 80 random bits each, which no list can be made of.
	recoveryCodes = 10
	codeBytes     = 10
	secretBytes   = 20
)

func options() totp.ValidateOpts {
	return totp.ValidateOpts{Period: period, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
}

// Enrolled reports whether the user has to give a code.
func (s *Service) Enrolled(ctx context.Context, id provisioning.UserID) (bool, error) {
	a, err := s.Store.App(ctx, id)
	if errors.Is(err, ErrNone) {
		return false, nil
	}
	return err == nil && !a.Confirmed.IsZero(), err
}

// Begin gives the user a new secret, which counts once they confirm it. An app that
// counts already stays: ErrCode.
func (s *Service) Begin(ctx context.Context, id provisioning.UserID) error {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	sealed, err := s.Sealer.Seal(secret, secretAAD(id))
	if err != nil {
		return fmt.Errorf("seal secret: %w", err)
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		if has, err := s.Enrolled(ctx, id); err != nil || has {
			return errors.Join(err, ErrCode)
		}
		return s.Store.SetApp(ctx, App{User: id, Sealed: sealed})
	})
}

// Pending returns the key an app is to scan, or ErrNone if nothing waits to be
// confirmed.
func (s *Service) Pending(ctx context.Context, id provisioning.UserID, login string) (*otp.Key, error) {
	a, err := s.Store.App(ctx, id)
	if err != nil {
		return nil, err
	}
	if !a.Confirmed.IsZero() {
		return nil, ErrNone
	}
	secret, err := s.open(a)
	if err != nil {
		return nil, err
	}
	return totp.Generate(totp.GenerateOpts{
		Issuer: s.Issuer, AccountName: login, Secret: secret, Period: period, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
}

// Confirm makes the app count, since the code is its, and returns recovery codes,
// which are shown once. Errors: ErrNone, ErrCode, *user.ThrottledError.
func (s *Service) Confirm(ctx context.Context, id provisioning.UserID, code string) ([]string, error) {
	if err := s.Limits.TakeCode(ctx, id); err != nil {
		return nil, err
	}
	var codes []string
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		a, err := s.Store.App(ctx, id)
		if err == nil && !a.Confirmed.IsZero() {
			err = ErrNone
		}
		if err != nil {
			return err
		}
		step, err := s.match(a, code)
		if err == nil {
			err = s.Store.Accept(ctx, id, step)
		}
		if err != nil {
			return err
		}
		a.LastStep, a.Confirmed = step, s.Now()
		if err := s.Store.SetApp(ctx, a); err != nil {
			return err
		}
		codes, err = s.renew(ctx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return codes, s.Limits.ForgiveCodes(ctx, id)
}

// Check accepts a code of the app or a recovery code, each once. Errors: ErrNone,
// ErrCode, *user.ThrottledError.
func (s *Service) Check(ctx context.Context, id provisioning.UserID, code string) error {
	if err := s.Limits.TakeCode(ctx, id); err != nil {
		return err
	}
	a, err := s.Store.App(ctx, id)
	if err != nil {
		return err
	}
	if a.Confirmed.IsZero() {
		return ErrNone
	}
	step, err := s.match(a, code)
	switch {
	case err == nil:
		err = s.Store.Accept(ctx, id, step)
	case errors.Is(err, ErrCode):
		err = s.Codes.UseCode(ctx, id, hashOf(code))
	}
	if err != nil {
		return err
	}
	return s.Limits.ForgiveCodes(ctx, id)
}

// match returns the step that the code is of, or ErrCode.
func (s *Service) match(a App, code string) (int64, error) {
	secret, err := s.open(a)
	if err != nil {
		return 0, err
	}
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	now := s.Now()
	for offset := int64(-skew); offset <= skew; offset++ {
		at := now.Add(time.Duration(offset*period) * time.Second)
		want, err := totp.GenerateCodeCustom(encode(secret), at, options())
		if err != nil {
			return 0, fmt.Errorf("compute code: %w", err)
		}
		if step := at.Unix() / period; subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > a.LastStep {
			return step, nil
		}
	}
	return 0, ErrCode
}

func (s *Service) open(a App) ([]byte, error) {
	secret, err := s.Sealer.Open(a.Sealed, secretAAD(a.User))
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	return secret, nil
}

// Remove turns the second factor off.
func (s *Service) Remove(ctx context.Context, id provisioning.UserID) error {
	return s.Store.Remove(ctx, id)
}

// Left counts the recovery codes that were not used.
func (s *Service) Left(ctx context.Context, id provisioning.UserID) (int, error) {
	return s.Codes.CodesLeft(ctx, id)
}

// renew replaces the recovery codes and returns the new ones.
func (s *Service) renew(ctx context.Context, id provisioning.UserID) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		b := make([]byte, codeBytes)
		_, _ = rand.Read(b) // never fails (crypto/rand)
		text := encode(b)
		codes[i] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
		hashes[i] = hashOf(codes[i])
	}
	return codes, s.Codes.SetCodes(ctx, id, hashes)
}

func encode(b []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

func secretAAD(id provisioning.UserID) []byte { return []byte("second_factor/" + string(id)) }

// hashOf forgives case, spaces and dashes.
func hashOf(code string) []byte {
	plain := strings.NewReplacer(" ", "", "-", "").Replace(strings.ToUpper(code))
	sum := sha256.Sum256([]byte("recovery:" + plain))
	return sum[:]
}
