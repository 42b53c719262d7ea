package flow

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/web"
)

// The paths the flow serves, and the one it returns to: package op's.
const (
	pathSignIn     = "/sign-in"
	pathCode       = "/sign-in/code"
	pathPasskey    = "/sign-in/passkey"
	pathPasskeyAsk = "/sign-in/passkey/challenge"
	pathConfirm    = "/sign-in/confirm"
	pathReturn     = "/sign-in/done"
	pathSignOut    = "/sign-out"
	pathSignedOut  = "/sign-out/done"
	pathSignInWith = "/sign-in/with"
	pathRegister   = "/register"
	pathRegistered = "/register/done"
	pathWait       = "/wait"
	pathWaitStatus = "/wait/status"
	pathWaitEvents = "/wait/events"
	pathWaitRetry  = "/wait/retry"
	pathWaitLeave  = "/wait/leave"
	// ResumePath is where every form leads: package op goes on with the sign-in.
	ResumePath = "/oauth2/authorize/resume"
)

// The names of form fields and query parameters.
const (
	paramSignIn = "sign_in"
	paramClient = "client_id"
	paramWith   = "upstream"
)

const maxFormBytes = 64 << 10

// errNoRegistration means the application lets nobody register.
var errNoRegistration = errors.New("application does not let people register")

// Location returns the page a step is shown on, "" for one without a page.
func Location(s *SignIn, step Step) string {
	switch step.Action {
	case ActionAuthenticate:
		return at(pathSignIn, s.ID)
	case ActionSecondFactor:
		return at(pathCode, s.ID)
	case ActionConfirm:
		return at(pathConfirm, s.ID)
	case ActionRegister:
		return at(pathRegister, s.ID)
	case ActionConsent:
		return at(pathConsent, s.ID)
	case ActionWait:
		return at(pathWait, s.ID)
	default:
		return ""
	}
}

func at(path string, id ID) string {
	return path + "?" + url.Values{paramSignIn: {string(id)}}.Encode()
}

// Mount serves the flow's pages.
func (d *Driver) Mount(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, session.Guarded(maxFormBytes, h, d.Error))
	}
	handle("GET "+pathSignIn, d.showSignIn)
	handle("POST "+pathSignIn, d.signIn)
	handle("GET "+pathCode, d.showCode)
	handle("POST "+pathCode, d.code)
	if d.Passkeys != nil {
		handle("POST "+pathPasskeyAsk, d.askPasskey)
		handle("POST "+pathPasskey, d.signInWithPasskey)
	}
	handle("GET "+pathConfirm, d.showConfirm)
	handle("POST "+pathConfirm, d.confirm)
	handle("GET "+pathReturn, d.goBack)
	handle("POST "+pathSignInWith, d.signInWith)
	handle("GET "+federation.CallbackPath("{upstream}"), d.signedInWith)
	handle("GET "+pathRegister, d.showRegister)
	handle("POST "+pathRegister, d.register)
	handle("GET "+pathRegistered, d.showRegistered)
	handle("GET "+pathConsent, d.showConsent)
	handle("POST "+pathConsent, d.consent)
	handle("GET "+pathWait, d.showWait)
	handle("GET "+pathWaitStatus, d.waitStatus)
	handle("GET "+pathWaitEvents, d.waitEvents)
	handle("POST "+pathWaitRetry, d.retry)
	handle("POST "+pathWaitLeave, d.leave)
	handle("GET "+pathSignOut, d.showSignOut)
	handle("POST "+pathSignOut, d.signOut)
	handle("GET "+federation.LogoutReturnPath, d.departed)
	handle("GET "+pathSignedOut, d.showSignedOut)
}

// Error writes the page for an error of this package. An error that is none of
// its own is logged with a reference, and the page shows only that.
func (d *Driver) Error(w http.ResponseWriter, r *http.Request, err error) {
	texts := d.Pages.Texts(r, "")
	page := web.MessagePage{Status: http.StatusInternalServerError}
	key := "internal"
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, application.ErrNotFound):
		key, page.Status = "unknown", http.StatusNotFound
	case errors.Is(err, ErrForeign):
		key, page.Status = "foreign", http.StatusForbidden
	case errors.Is(err, session.ErrForm):
		key, page.Status = "form", http.StatusForbidden
	case errors.Is(err, federation.ErrState):
		key, page.Status = "upstream_state", http.StatusBadRequest
	case errors.Is(err, federation.ErrNotFound):
		key, page.Status = "upstream_unknown", http.StatusNotFound
	case errors.Is(err, errNoRegistration):
		key, page.Status = "no_registration", http.StatusForbidden
	case errors.Is(err, ErrStale):
		key, page.Status = "stale", http.StatusConflict
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody is there to read a page
	default:
		page.Reference = NewReference()
		d.Log.ErrorContext(r.Context(), "serve sign-in page", "path", r.URL.Path, "reference", page.Reference, "error", err)
	}
	page.Title, page.Text = "error."+key+".title", "error."+key+".text"
	d.Pages.Message(w, texts, page)
}

// expired writes the page of a sign-in that is over, with the way back to its
// application.
func (d *Driver) expired(w http.ResponseWriter, r *http.Request, s SignIn) {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	page := web.MessagePage{
		Status: http.StatusGone, Title: "error.expired.title", Text: "error.expired.text", Reference: s.Reference,
	}
	app, err := d.application(r.Context(), s.Request)
	if err != nil {
		d.logger(s).WarnContext(r.Context(), "look for the way back", "error", err)
	}
	page.Link, page.LinkText = app.InitiateLoginURI, texts.T("back_to_app", "app", app.Name)
	d.Pages.Message(w, texts, page)
}

// postedFor reads a form that belongs to a sign-in, which it loads.
func (d *Driver) postedFor(r *http.Request) (SignIn, url.Values, error) {
	form, err := d.Sessions.Cookies.Posted(r, func(v url.Values) string { return signInPurpose(ID(v.Get(paramSignIn))) })
	if err != nil {
		return SignIn{}, nil, err
	}
	s, err := d.load(r, ID(form.Get(paramSignIn)))
	return s, form, err
}

func signInPurpose(id ID) string { return "sign_in:" + string(id) }

// form returns the hidden part of a sign-in's form.
func (d *Driver) form(r *http.Request, action string, id ID) web.Form {
	browser, _ := d.Sessions.Cookies.Browser(r)
	return web.Form{Action: action, Token: browser.Token(signInPurpose(id)), SignIn: string(id)}
}

// reached loads the sign-in of a page and where it stands. When it stands
// somewhere else, the browser is sent there and ok is false: that is what makes
// the back button and old tabs harmless.
func (d *Driver) reached(w http.ResponseWriter, r *http.Request, want func(Step) bool) (s SignIn, st State, ok bool, err error) {
	if s, err = d.load(r, ID(r.URL.Query().Get(paramSignIn))); err != nil {
		return s, st, false, err
	}
	st, ok, err = d.arrived(w, r, &s, want)
	return s, st, ok, err
}

// arrived is reached for a sign-in that is loaded already, as that of a form is.
func (d *Driver) arrived(w http.ResponseWriter, r *http.Request, s *SignIn, want func(Step) bool) (st State, ok bool, err error) {
	if st, err = d.state(r, s); err != nil {
		return st, false, err
	}
	step := Next(st)
	if want(step) {
		return st, true, nil
	}
	d.elsewhere(w, r, *s, step)
	return st, false, nil
}

// elsewhere sends the browser to where its sign-in stands.
func (d *Driver) elsewhere(w http.ResponseWriter, r *http.Request, s SignIn, step Step) {
	if step.Action == ActionExpired {
		d.expired(w, r, s)
		return
	}
	d.toResume(w, r, s)
}

func (d *Driver) toResume(w http.ResponseWriter, r *http.Request, s SignIn) {
	if s.Request.Return != "" {
		seeOther(w, r, at(pathReturn, s.ID))
		return
	}
	seeOther(w, r, at(ResumePath, s.ID))
}

// seeOther redirects after a form: the browser gets, and does not post again.
func seeOther(w http.ResponseWriter, r *http.Request, to string) {
	web.SecureHeaders(w, web.FormsLeave)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// move applies a change to a sign-in, from the start if another request was
// faster. Every change must be right whatever the other request did.
func (d *Driver) move(ctx context.Context, s SignIn, change func(*SignIn)) error {
	for range maxMoves {
		moved := s
		change(&moved)
		err := d.SignIns.Update(ctx, moved)
		if !errors.Is(err, ErrStale) {
			return err
		}
		if s, err = d.SignIns.Get(ctx, s.ID); err != nil {
			return err
		}
		if s.Status != StatusOpen {
			return nil // it was finished meanwhile: resuming shows that
		}
	}
	return ErrStale
}

func (d *Driver) logger(s SignIn) *slog.Logger {
	return d.Log.With("sign_in", s.Reference, "client_id", s.Request.Client)
}
