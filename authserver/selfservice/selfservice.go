package selfservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Users is what the pages need of users.
type Users interface {
	// Get returns provisioning.ErrUserNotFound for an unknown or deleted user.
	Get(ctx context.Context, id provisioning.UserID) (user.User, error)
	// Authenticate returns user.ErrCredentials, provisioning.ErrUserInactive or
	// *user.ThrottledError.
	Authenticate(ctx context.Context, g user.Guess) (user.User, error)
	// SetPassword ends all sessions of the user. It returns user.Problems.
	SetPassword(ctx context.Context, id provisioning.UserID, password sdk.Secret) error
	// HasPassword reports whether there is a password to sign in with.
	HasPassword(ctx context.Context, id provisioning.UserID) (bool, error)
	// Delete ends all sessions of the user and lets their accounts end, too.
	Delete(ctx context.Context, id provisioning.UserID) error
}

// Accounts lists the accounts of users in targets.
type Accounts interface {
	Of(ctx context.Context, id provisioning.UserID) ([]provisioning.Account, error)
}

// SignIns lets people sign in for a page and shows what went wrong; see flow.Driver.
type SignIns interface {
	// Ask sends the browser to sign in, and back to the path then. again asks for
	// the password although there is a session.
	Ask(w http.ResponseWriter, r *http.Request, path, loginHint string, again bool) error
	// Error writes the page for an error.
	Error(w http.ResponseWriter, r *http.Request, err error)
}

// Tx runs a function in one transaction; see sqldb.DB.InTx. The function may run
// more than once.
type Tx interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Options is what the pages are made of.
type Options struct {
	Users    Users
	Accounts Accounts
	// SecondFactor enrols authenticator apps.
	SecondFactor SecondFactor
	// Passkeys keeps passkeys; nil if the server has none.
	Passkeys Passkeys
	// Links keeps the upstreams that users sign in with; nil if there are none.
	Links Links
	// Permissions tells what applications may do for users.
	Permissions Permissions
	Tx          Tx
	Sessions    *session.Manager
	// Verify mails a link to verify the user's address; nil if nothing can be mailed.
	Verify  func(ctx context.Context, id provisioning.UserID, language string) error
	Known   session.KnownBrowsers
	SignIns SignIns
	Pages   *web.Renderer
	Address func(*http.Request) string
	Now     func() time.Time
	Log     *slog.Logger
}

// Pages serves self-service.
type Pages struct{ Options }

// The paths.
const (
	pathAccount  = "/account"
	pathPassword = "/account/password"
	pathSessions = "/account/sessions"
	pathDelete   = "/account/delete"
	pathVerify   = "/account/verify"
)

// paramDone names what was just done, for the page to say so.
const paramDone = "done"

// freshFor is how long after signing in a user may do what cannot be undone, without
// being asked again whether it is them.
const freshFor = 5 * time.Minute

const maxFormBytes = 16 << 10

// Mount serves the pages.
func (p Pages) Mount(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, session.Guarded(maxFormBytes, h, p.SignIns.Error))
	}
	handle("GET "+pathAccount, p.signed(pathAccount, 0, p.showAccount))
	handle("GET "+pathPassword, p.signed(pathPassword, 0, p.showPassword))
	handle("POST "+pathPassword, p.posted(pathPassword, 0, p.changePassword))
	handle("GET "+pathSessions, p.signed(pathSessions, 0, p.showSessions))
	handle("POST "+pathSessions, p.posted(pathSessions, 0, p.endSessions))
	handle("GET "+pathPermissions, p.signed(pathPermissions, 0, p.showPermissions))
	handle("POST "+pathPermissions, p.posted(pathPermissions, 0, p.withdraw))
	if p.Verify != nil {
		handle("POST "+pathVerify, p.posted(pathAccount, 0, p.verifyEmail))
	}
	handle("GET "+pathFactor, p.signed(pathFactor, freshFor, p.showFactor))
	handle("POST "+pathFactorBegin, p.posted(pathFactor, freshFor, p.beginFactor))
	handle("POST "+pathFactorConfirm, p.posted(pathFactor, freshFor, p.confirmFactor))
	handle("POST "+pathFactorRemove, p.posted(pathFactor, freshFor, p.removeFactor))
	if p.Passkeys != nil {
		p.mountPasskeys(handle)
	}
	if p.Links != nil {
		p.mountLinks(handle)
	}
	handle("GET "+pathDelete, p.signed(pathDelete, freshFor, p.showDelete))
	handle("POST "+pathDelete, p.posted(pathDelete, freshFor, p.deleteAccount))
}

// visit is a request of a signed-in user.
type visit struct {
	user    user.User
	session session.Session
	browser session.Browser
	texts   web.Texts
	form    url.Values // nil but for a form that was sent
}

// token is bound to the session: a form of an earlier one is worth nothing.
func (v visit) purpose() string { return "account:" + v.session.ID }

func (v visit) formTo(action string) web.Form {
	return web.Form{Action: action, Token: v.browser.Token(v.purpose())}
}

type handler func(w http.ResponseWriter, r *http.Request, v visit) error

// signed serves a page to whoever is signed in, and lets the others sign in first;
// so, too, those who signed in longer than maxAge ago (0 for any time).
func (p Pages) signed(path string, maxAge time.Duration, h handler) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := p.visit(w, r)
		if errors.Is(err, session.ErrNone) {
			return p.SignIns.Ask(w, r, path, "", false)
		}
		if err != nil {
			return err
		}
		if maxAge > 0 && p.Now().Sub(v.session.AuthTime) > maxAge {
			return p.SignIns.Ask(w, r, path, v.user.Login, true)
		}
		return h(w, r, v)
	}
}

// posted is signed for a form.
func (p Pages) posted(path string, maxAge time.Duration, h handler) func(http.ResponseWriter, *http.Request) error {
	return p.signed(path, maxAge, func(w http.ResponseWriter, r *http.Request, v visit) error {
		var err error
		if v.form, err = p.Sessions.Cookies.Posted(r, func(url.Values) string { return v.purpose() }); err != nil {
			return err
		}
		return h(w, r, v)
	})
}

// visit returns session.ErrNone when nobody who may sign in is signed in.
func (p Pages) visit(w http.ResponseWriter, r *http.Request) (visit, error) {
	s, err := p.Sessions.Current(r.Context(), r)
	if err != nil {
		return visit{}, err
	}
	u, err := p.Users.Get(r.Context(), s.User)
	if errors.Is(err, provisioning.ErrUserNotFound) || err == nil && !u.Active() {
		return visit{}, session.ErrNone
	}
	if err != nil {
		return visit{}, fmt.Errorf("read user: %w", err)
	}
	return visit{user: u, session: s, browser: p.Sessions.Cookies.EnsureBrowser(w, r), texts: p.Pages.Texts(r, u.Locale)}, nil
}

// did goes back to the overview, which says what was done.
func did(w http.ResponseWriter, r *http.Request, what string) error {
	web.SecureHeaders(w, web.FormsStay)
	http.Redirect(w, r, pathAccount+"?"+url.Values{paramDone: {what}}.Encode(), http.StatusSeeOther)
	return nil
}
