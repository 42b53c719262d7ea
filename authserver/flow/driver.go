package flow

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// The errors package op meets. ErrUnknown and ErrForeign are for a page; see
// [Driver.Error].
var (
	// ErrUnknown means there is no such sign-in, or no longer.
	ErrUnknown = errors.New("sign-in not found")
	// ErrForeign means the sign-in belongs to another browser.
	ErrForeign = errors.New("sign-in belongs to another browser")
	// ErrStale means another request moved the sign-in first: resume it.
	ErrStale = errors.New("sign-in was moved by another request")
	// ErrNotYet means the sign-in cannot be issued after all: resume it, or begin
	// again when its Version is 0.
	ErrNotYet = errors.New("sign-in is not ready to be issued")
)

// Store keeps sign-ins. Every method takes part in a transaction that ctx
// carries.
type Store interface {
	// Insert adds a sign-in as Version 1.
	Insert(ctx context.Context, s SignIn) error
	// Get returns a sign-in, or ErrUnknown.
	Get(ctx context.Context, id ID) (SignIn, error)
	// Update replaces exactly s.Version and stores the next one, or returns
	// ErrStale.
	Update(ctx context.Context, s SignIn) error
}

// Gate is the provisioning gate; see provisioning.Gate.
type Gate interface {
	Permit(ctx context.Context, r provisioning.Request) (provisioning.Permit, provisioning.Decision, error)
	Start(ctx context.Context, r provisioning.Request) (provisioning.Decision, error)
	Look(ctx context.Context, r provisioning.Request) (provisioning.Decision, error)
	Wait(ctx context.Context, r provisioning.Request) (provisioning.Decision, error)
	Retry(ctx context.Context, r provisioning.Request) error
}

// Users is what the flow needs of users; see user.Service.
type Users interface {
	// Get returns provisioning.ErrUserNotFound for an unknown or deleted user.
	Get(ctx context.Context, id provisioning.UserID) (user.User, error)
	// Authenticate returns user.ErrCredentials, provisioning.ErrUserInactive or
	// *user.ThrottledError.
	Authenticate(ctx context.Context, g user.Guess) (user.User, error)
	// Register returns user.Problems.
	Register(ctx context.Context, u user.User, password sdk.Secret) (user.User, error)
}

// SecondFactor checks codes; see secondfactor.Service.
type SecondFactor interface {
	// Enrolled reports whether the user has to give a code.
	Enrolled(ctx context.Context, id provisioning.UserID) (bool, error)
	// Check accepts a code once. It returns secondfactor.ErrCode,
	// secondfactor.ErrNone or *user.ThrottledError.
	Check(ctx context.Context, id provisioning.UserID, code string) error
}

// Passkeys proves who is there without a password; see passkey.Service.
type Passkeys interface {
	// Ask returns what a browser is to sign, as JSON. The answer counts once, for the
	// same bound.
	Ask(ctx context.Context, bound string) ([]byte, error)
	// Check returns passkey.ErrRefused, passkey.ErrCopied or *user.ThrottledError.
	Check(ctx context.Context, bound, address, answer string) (passkey.Proof, error)
}

// Applications reads applications.
type Applications interface {
	// Get returns application.ErrNotFound for an unknown one.
	Get(ctx context.Context, id provisioning.ClientID) (application.Application, error)
}

// Logouts tells applications that sessions end; *logout.Service is one.
type Logouts interface {
	// Join notes, in ctx's transaction, that the application takes part in the session,
	// and what it knows it by.
	Join(ctx context.Context, sid string, client provisioning.ClientID, alias subject.Alias) error
	// Frames returns what the browser must load when the session ends.
	Frames(ctx context.Context, sid string) ([]string, error)
}

// Subjects says what applications know sessions by; *subject.Service is one.
type Subjects interface {
	// SID returns the sector's sid for the session.
	SID(sector application.Sector, sid string) string
}

// Sealer encrypts what is stored; the associated data ties it to its row.
type Sealer interface {
	Seal(plaintext, associated []byte) ([]byte, error)
	Open(ciphertext, associated []byte) ([]byte, error)
}

// Tx runs a function in one transaction; see sqldb.DB.InTx. The function may run
// more than once.
type Tx interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Driver moves sign-ins and serves the pages a person sees on the way. Fields
// without a default must be set.
type Driver struct {
	SignIns      Store
	Tx           Tx
	Sessions     *session.Manager
	Known        session.KnownBrowsers
	Users        Users
	SecondFactor SecondFactor
	Passkeys     Passkeys // nil offers none
	Applications Applications
	Gate         Gate
	Logouts      Logouts
	Subjects     Subjects
	Consents     Consents
	Upstreams    Upstreams // nil offers none
	Sealer       Sealer
	Pages        *web.Renderer
	Log          *slog.Logger
	Now          func() time.Time
	// AdminClient is Anteroom's own application, which no target may lock out; ""
	// if there is none.
	AdminClient provisioning.ClientID
	// Recover is the page of those who forgot their password, "" if there is none.
	Recover string
	// Address returns the client's IP address, whatever proxies are in front.
	Address func(*http.Request) string
	// Hold is how long a response waits for work before the wait page shows;
	// HoldSilent the same for prompt=none. 0 takes the default.
	Hold, HoldSilent time.Duration
	// Lifetime is how long a sign-in may take; 0 takes the default.
	Lifetime time.Duration
}

// The defaults of a Driver.
const (
	DefaultHold       = 700 * time.Millisecond
	DefaultHoldSilent = 1500 * time.Millisecond
	DefaultLifetime   = 30 * time.Minute
)

// maxMoves bounds how often a request starts over after losing a race.
const maxMoves = 5

// Begin starts a sign-in for a validated request. It is stored only when a page
// is needed: with a session and nothing to provision the step is ActionIssue at
// once.
func (d *Driver) Begin(w http.ResponseWriter, r *http.Request, req AuthorizeRequest) (*SignIn, Step, error) {
	now := d.Now()
	s := &SignIn{
		ID: newID(), Reference: NewReference(), Request: req, Status: StatusOpen,
		Browser:   d.Sessions.Cookies.EnsureBrowser(w, r).Hash(),
		CreatedAt: now, ExpiresAt: now.Add(or(d.Lifetime, DefaultLifetime)),
	}
	step, err := d.advance(r, s)
	if err != nil {
		return nil, Step{}, fmt.Errorf("begin sign-in: %w", err)
	}
	return s, step, nil
}

// Resume goes on with the stored sign-in of an application's request. Errors:
// ErrUnknown, ErrForeign.
func (d *Driver) Resume(_ http.ResponseWriter, r *http.Request, id ID) (*SignIn, Step, error) {
	for range maxMoves {
		s, err := d.load(r, id)
		if err != nil {
			return nil, Step{}, err
		}
		if s.Request.Return != "" {
			return nil, Step{}, ErrUnknown // nothing is ever issued for it
		}
		step, err := d.advance(r, &s)
		if errors.Is(err, ErrStale) {
			continue
		}
		if err != nil {
			return nil, Step{}, fmt.Errorf("resume sign-in: %w", err)
		}
		return &s, step, nil
	}
	return nil, Step{}, ErrStale
}

// load returns the sign-in if it belongs to the request's browser.
func (d *Driver) load(r *http.Request, id ID) (SignIn, error) {
	if len(id) == 0 || len(id) > 100 {
		return SignIn{}, ErrUnknown
	}
	s, err := d.SignIns.Get(r.Context(), id)
	if err != nil {
		return SignIn{}, err
	}
	if browser, _ := d.Sessions.Cookies.Browser(r); !browser.Is(s.Browser) {
		return SignIn{}, ErrForeign
	}
	return s, nil
}

// advance asks Next, does what it says short of a response, and keeps the
// sign-in if a page is to be shown.
func (d *Driver) advance(r *http.Request, s *SignIn) (Step, error) {
	before := *s
	st, err := d.state(r, s)
	if err != nil {
		return Step{}, err
	}
	step := Next(st)
	if step.Action == ActionProvision {
		if step, err = d.provision(r.Context(), s, st); err != nil {
			return Step{}, err
		}
	}
	switch step.Action {
	case ActionReplay:
		step.Response, err = d.replay(*s)
	case ActionAuthenticate, ActionSecondFactor, ActionConfirm, ActionRegister, ActionConsent, ActionWait:
		err = d.keep(r.Context(), s, before)
	}
	return step, err
}

// state gathers what Next looks at, and puts the sign-in under the browser's
// session.
func (d *Driver) state(r *http.Request, s *SignIn) (State, error) {
	current, err := d.current(r)
	if err != nil {
		return State{}, err
	}
	app, err := d.application(r.Context(), s.Request)
	if err != nil {
		return State{}, err
	}
	*s = s.under(current)
	s.clientRevision, s.address = app.Revision, d.Address(r)
	s.SID, s.AMR, s.hearsLogout = current.SID, current.AMR, app.HearsLogout()
	st := State{
		SignIn: *s, Now: d.Now(), Session: current, Registration: app.Registration, AsksConsent: app.Consent == application.ConsentAsk,
	}
	if st.AsksConsent {
		st.Remembered, err = d.remembered(r.Context(), *s)
	}
	return st, err
}

// application returns the request's application, the zero one for a page of ours.
func (d *Driver) application(ctx context.Context, r AuthorizeRequest) (application.Application, error) {
	if r.Return != "" {
		return application.Application{}, nil
	}
	app, err := d.Applications.Get(ctx, r.Client)
	if err != nil {
		return app, fmt.Errorf("read application: %w", err)
	}
	return app, nil
}

// current returns the browser's session, the zero one if there is none or its
// user may no longer sign in.
func (d *Driver) current(r *http.Request) (session.Session, error) {
	current, err := d.Sessions.Current(r.Context(), r)
	if errors.Is(err, session.ErrNone) {
		return session.Session{}, nil
	}
	if err != nil {
		return session.Session{}, err
	}
	active, err := d.active(r.Context(), current.User)
	if err != nil || !active {
		return session.Session{}, err
	}
	return current, nil
}

func (d *Driver) active(ctx context.Context, id provisioning.UserID) (bool, error) {
	u, err := d.Users.Get(ctx, id)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		return false, nil
	}
	return u.Active(), err
}

// keep stores the sign-in if it is new or changed.
func (d *Driver) keep(ctx context.Context, s *SignIn, before SignIn) error {
	before.clientRevision, before.address, before.SID, before.AMR, before.hearsLogout = s.clientRevision, s.address, s.SID, s.AMR, s.hearsLogout
	switch {
	case s.Version == 0:
		if err := d.SignIns.Insert(ctx, *s); err != nil {
			return err
		}
	case reflect.DeepEqual(*s, before):
		return nil
	default:
		if err := d.SignIns.Update(ctx, *s); err != nil {
			return err
		}
	}
	s.Version++
	return nil
}

func (d *Driver) replay(s SignIn) (string, error) {
	plain, err := d.Sealer.Open(s.Response, []byte(s.ID))
	if err != nil {
		return "", fmt.Errorf("open stored response: %w", err)
	}
	return string(plain), nil
}

func newID() ID {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return ID(base64.RawURLEncoding.EncodeToString(b))
}

// NewReference returns what a person reads to support: short, and without
// letters that look alike.
func NewReference() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	text := base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").EncodeToString(b)
	return text[:4] + "-" + text[4:]
}

func or(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}
