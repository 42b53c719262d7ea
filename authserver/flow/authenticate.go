package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// The authentication methods of RFC 8176.
const (
	amrPassword = "pwd"
	amrCode     = "otp"
	amrBoth     = "mfa"
	amrDevice   = "hwk"  // a key that does not leave its device, as far as that says
	amrSynced   = "swk"  // a key that does
	amrPresent  = "user" // somebody touched it
)

// mayAuthenticate is true, too, for who has to give a code or confirm who they are:
// they may begin again, as somebody else.
func mayAuthenticate(step Step) bool {
	switch step.Action {
	case ActionAuthenticate, ActionRegister, ActionSecondFactor, ActionConfirm:
		return true
	default:
		return false
	}
}

func (d *Driver) showSignIn(w http.ResponseWriter, r *http.Request) error {
	s, st, ok, err := d.reached(w, r, mayAuthenticate)
	if err != nil || !ok {
		return err
	}
	return d.signInPage(w, r, s, st.Registration, http.StatusOK, s.Request.LoginHint, "")
}

func (d *Driver) signInPage(w http.ResponseWriter, r *http.Request, s SignIn, registration bool, status int, login, problem string) error {
	app, err := d.application(r.Context(), s.Request)
	if err != nil {
		return err
	}
	upstreams, err := d.offered(r.Context())
	if err != nil {
		return err
	}
	page := web.SignInPage{
		Form: d.form(r, pathSignIn, s.ID), App: app.Name, About: about(app, s.Request), Login: login, Problem: problem, Recover: d.Recover,
		With: d.form(r, pathSignInWith, s.ID), Upstreams: buttons(upstreams), Discovers: discovers(upstreams),
	}
	if d.Passkeys != nil {
		page.Passkey = &web.PasskeyForm{Form: d.form(r, pathPasskey, s.ID), Challenge: pathPasskeyAsk, Page: at(pathSignIn, s.ID)}
	}
	if registration {
		page.Register = at(pathRegister, s.ID)
	}
	d.Pages.SignIn(w, d.Pages.Texts(r, s.Request.UILocales), status, page)
	return nil
}

func (d *Driver) signIn(w http.ResponseWriter, r *http.Request) error {
	s, form, err := d.postedFor(r)
	if err != nil {
		return err
	}
	st, ok, err := d.arrived(w, r, &s, mayAuthenticate)
	if err != nil || !ok {
		return err
	}
	login := form.Get("login")
	if form.Get("password") == "" {
		return d.withoutPassword(w, r, s, st.Registration, login)
	}
	u, err := d.Users.Authenticate(r.Context(), user.Guess{
		Login: login, Password: sdk.Secret(form.Get("password")), Address: d.Address(r),
		Browser: d.Known.Knows(r, user.NormalizeLogin(login)),
	})
	if err != nil {
		return d.signInFailed(w, r, s, st.Registration, login, err)
	}
	has, err := d.SecondFactor.Enrolled(r.Context(), u.ID)
	if err != nil {
		return fmt.Errorf("look for second factor: %w", err)
	}
	if has {
		return d.askCode(w, r, s, u, nil)
	}
	return d.authenticated(w, r, s, u, amrPassword)
}

// signInFailed shows the form again with what went wrong; the login stays, the
// password does not.
func (d *Driver) signInFailed(w http.ResponseWriter, r *http.Request, s SignIn, registration bool, login string, cause error) error {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	var throttled *user.ThrottledError
	switch {
	case errors.As(cause, &throttled):
		seconds := web.RetryAfter(w, throttled.Wait)
		return d.signInPage(w, r, s, registration, http.StatusTooManyRequests, login, texts.T("sign_in.throttled", "seconds", seconds))
	case errors.Is(cause, user.ErrCredentials):
		return d.signInPage(w, r, s, registration, http.StatusUnauthorized, login, texts.T("sign_in.wrong"))
	case errors.Is(cause, provisioning.ErrUserInactive):
		return d.signInPage(w, r, s, registration, http.StatusForbidden, login, texts.T("sign_in.inactive"))
	default:
		return cause
	}
}

// proof is how somebody proved who they are.
type proof struct {
	amr      []string             // RFC 8176
	identity *federation.Identity // that an upstream vouched for; nil if none did
}

// authenticated signs in a user who proved to us who they are.
func (d *Driver) authenticated(w http.ResponseWriter, r *http.Request, s SignIn, u user.User, amr ...string) error {
	return d.authenticatedBy(w, r, s, u, proof{amr: amr})
}

func (d *Driver) authenticatedBy(w http.ResponseWriter, r *http.Request, s SignIn, u user.User, by proof) error {
	_, err := d.enter(w, r, s, by, func(context.Context) (user.User, error) { return u, nil })
	if err != nil {
		return err
	}
	d.Known.Remember(w, r, u.LoginNorm)
	d.toResume(w, r, s)
	return nil
}

// enter finds out who it is, starts a session under a new id and moves the sign-in
// under it, all together or not at all.
func (d *Driver) enter(w http.ResponseWriter, r *http.Request, s SignIn, by proof, who func(ctx context.Context) (user.User, error)) (user.User, error) {
	var cookie *http.Cookie
	var u user.User
	err := d.Tx.InTx(r.Context(), func(ctx context.Context) error {
		var err error
		if u, err = who(ctx); err != nil {
			return err
		}
		started, c, err := d.Sessions.Start(ctx, r, u.ID, by.amr...)
		if err == nil && by.identity != nil {
			err = d.Upstreams.Began(ctx, started.SID, *by.identity)
		}
		if err != nil {
			return err
		}
		cookie = c
		return d.move(ctx, s, func(s *SignIn) {
			*s = s.unprovisioned()
			s.Consented = s.Consented && s.User == u.ID
			s.User, s.Session, s.AuthTime, s.Fresh = u.ID, started.ID, started.AuthTime, true
			*s = s.unproven()
		})
	})
	if err != nil {
		return user.User{}, fmt.Errorf("record authentication: %w", err)
	}
	d.logger(s).InfoContext(r.Context(), "user signed in", "user_id", u.ID)
	http.SetCookie(w, cookie)
	return u, nil
}
