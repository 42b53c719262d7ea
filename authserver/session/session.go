package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Session is a single sign-on session.
type Session struct {
	ID string // hash of the cookie's value, in hex
	// SID is what applications know the session by (OpenID Connect Front-Channel
	// Logout 1.0 section 3). It stays when the same user signs in again in the same
	// browser, and the ID changes.
	SID      string
	User     provisioning.UserID
	AMR      []string // how the user proved who they are (RFC 8176)
	AuthTime time.Time
	UsedAt   time.Time
	EndsAt   time.Time // whatever the use
	Agent    string    // what the browser called itself, for its owner to recognise
	Address  string    // where it was when the session began
}

// ErrNone means there is no live session.
var ErrNone = errors.New("no session")

// Store keeps sessions.
type Store interface {
	// Insert adds a session.
	Insert(ctx context.Context, s Session) error
	// Get returns a session however old, or ErrNone.
	Get(ctx context.Context, id string) (Session, error)
	// Touch notes the last use.
	Touch(ctx context.Context, id string, at time.Time) error
	// Delete removes a session; none is no error.
	Delete(ctx context.Context, id string) error
	// TakeAllOf removes the user's sessions but one and returns them; keep is "" to
	// remove all.
	TakeAllOf(ctx context.Context, user provisioning.UserID, keep string) ([]Session, error)
}

// Lister lists sessions.
type Lister interface {
	// Of returns the user's sessions however old, the last used first.
	Of(ctx context.Context, user provisioning.UserID) ([]Session, error)
}

// The default lifetimes.
const (
	DefaultIdle     = 8 * time.Hour
	DefaultLifetime = 7 * 24 * time.Hour
)

// touchEvery keeps a busy session from writing on every request.
const touchEvery = time.Minute

const keyBytes = 32

// maxAgent is what is kept of a browser's name for itself.
const maxAgent = 300

// Manager starts, finds and ends sessions.
type Manager struct {
	Store    Store
	List     Lister
	Cookies  Cookies
	Address  func(*http.Request) string // of the client; nil keeps none
	Idle     time.Duration              // ends after so long without use; 0 for DefaultIdle
	Lifetime time.Duration              // ends after so long anyway; 0 for DefaultLifetime
	Now      func() time.Time
	// Ended, unless nil, is called when a session was ended, not when it just got
	// too old or the same user signed in again. What it writes belongs into ctx's
	// transaction.
	Ended func(ctx context.Context, s Session) error
}

// Start ends the request's session, if any, and begins one under a new id, so
// that an id planted before the sign-in is worth nothing after it. The caller
// sends the cookie once its transaction has committed.
func (m *Manager) Start(ctx context.Context, r *http.Request, user provisioning.UserID, amr ...string) (Session, *http.Cookie, error) {
	return m.begin(ctx, r, Session{User: user, AMR: amr, AuthTime: m.Now()})
}

// GoOn is [Manager.Start] for a session of the same user that was ended without them
// leaving: when and how they proved who they are stays as it was.
func (m *Manager) GoOn(ctx context.Context, r *http.Request, ended Session) (Session, *http.Cookie, error) {
	return m.begin(ctx, r, Session{User: ended.User, AMR: ended.AMR, AuthTime: ended.AuthTime})
}

func (m *Manager) begin(ctx context.Context, r *http.Request, s Session) (Session, *http.Cookie, error) {
	now, value := m.Now(), newValue()
	var err error
	if s.SID, err = m.replace(ctx, r, s.User); err != nil {
		return Session{}, nil, fmt.Errorf("end earlier session: %w", err)
	}
	s.ID, s.UsedAt, s.EndsAt = hashOf(value), now, now.Add(m.lifetime())
	s.Agent = strings.ToValidUTF8(r.UserAgent()[:min(len(r.UserAgent()), maxAgent)], "")
	if m.Address != nil {
		s.Address = m.Address(r)
	}
	if err := m.Store.Insert(ctx, s); err != nil {
		return Session{}, nil, fmt.Errorf("start session: %w", err)
	}
	return s, m.Cookies.session(value), nil
}

// replace ends the request's session and returns the SID of the one that follows:
// the same for the same user, so that applications know it again.
func (m *Manager) replace(ctx context.Context, r *http.Request, user provisioning.UserID) (string, error) {
	value, ok := m.Cookies.sessionValue(r)
	if !ok {
		return newValue(), nil
	}
	earlier, err := m.Store.Get(ctx, hashOf(value))
	if errors.Is(err, ErrNone) {
		return newValue(), nil
	}
	if err != nil {
		return "", err
	}
	if err := m.Store.Delete(ctx, earlier.ID); err != nil {
		return "", err
	}
	if earlier.User == user && earlier.SID != "" {
		return earlier.SID, nil
	}
	return newValue(), m.ended(ctx, earlier)
}

// Current returns the request's session, or ErrNone.
func (m *Manager) Current(ctx context.Context, r *http.Request) (Session, error) {
	value, ok := m.Cookies.sessionValue(r)
	if !ok {
		return Session{}, ErrNone
	}
	s, err := m.Get(ctx, hashOf(value))
	if err != nil {
		return Session{}, err
	}
	if now := m.Now(); now.Sub(s.UsedAt) >= touchEvery {
		if err := m.Store.Touch(ctx, s.ID, now); err != nil {
			return Session{}, fmt.Errorf("touch session: %w", err)
		}
	}
	return s, nil
}

// Get returns the session with the id if it is still alive, or ErrNone.
func (m *Manager) Get(ctx context.Context, id string) (Session, error) {
	s, err := m.Store.Get(ctx, id)
	if err != nil {
		return Session{}, err
	}
	if !m.alive(s) {
		return Session{}, ErrNone
	}
	return s, nil
}

func (m *Manager) alive(s Session) bool {
	now := m.Now()
	return now.Before(s.EndsAt) && now.Sub(s.UsedAt) < m.idle()
}

// Of returns the user's live sessions, the last used first.
func (m *Manager) Of(ctx context.Context, user provisioning.UserID) ([]Session, error) {
	all, err := m.List.Of(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return slices.DeleteFunc(all, func(s Session) bool { return !m.alive(s) }), nil
}

// End ends the request's session, if any. The caller sends the cookie, which takes
// the session's back, once its transaction has committed; it is nil if there was
// none.
func (m *Manager) End(ctx context.Context, r *http.Request) (*http.Cookie, error) {
	value, ok := m.Cookies.sessionValue(r)
	if !ok {
		return nil, nil
	}
	s, err := m.Store.Get(ctx, hashOf(value))
	if errors.Is(err, ErrNone) {
		return m.Cookies.expired(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("end session: %w", err)
	}
	if err := m.Store.Delete(ctx, s.ID); err != nil {
		return nil, fmt.Errorf("end session: %w", err)
	}
	return m.Cookies.expired(), m.ended(ctx, s)
}

// EndAllOf ends every session of the user: they were disabled, deleted, or got a
// new password.
func (m *Manager) EndAllOf(ctx context.Context, user provisioning.UserID) error {
	return m.EndOthersOf(ctx, user, "")
}

// EndOneOf ends the session with the id if it is the user's; none is no error.
func (m *Manager) EndOneOf(ctx context.Context, user provisioning.UserID, id string) error {
	s, err := m.Store.Get(ctx, id)
	if errors.Is(err, ErrNone) || err == nil && s.User != user {
		return nil
	}
	if err != nil {
		return err
	}
	if err := m.Store.Delete(ctx, id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return m.ended(ctx, s)
}

// EndOthersOf ends every session of the user but the one with the id.
func (m *Manager) EndOthersOf(ctx context.Context, user provisioning.UserID, keep string) error {
	all, err := m.Store.TakeAllOf(ctx, user, keep)
	if err != nil {
		return fmt.Errorf("end sessions of user: %w", err)
	}
	for _, s := range all {
		if err := m.ended(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// ended tells whoever wants to know that a session is over.
func (m *Manager) ended(ctx context.Context, s Session) error {
	if m.Ended == nil {
		return nil
	}
	return m.Ended(ctx, s)
}

func (m *Manager) idle() time.Duration {
	if m.Idle == 0 {
		return DefaultIdle
	}
	return m.Idle
}

func (m *Manager) lifetime() time.Duration {
	if m.Lifetime == 0 {
		return DefaultLifetime
	}
	return m.Lifetime
}

func newValue() string {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
