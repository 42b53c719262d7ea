package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// SignOutRequest is an application's validated request to sign its user out. The
// zero value is a person's own.
type SignOutRequest struct {
	Client    provisioning.ClientID // "" if it did not say who it is
	User      provisioning.UserID   // whom it means; "" if it did not say
	SID       string                // which session it means, as the application knows it; "" if it did not say
	Sector    application.Sector    // the application's
	ReturnTo  string                // where the browser goes afterwards, complete; "" for our own page
	UILocales string
}

// means reports whether the application showed that it means exactly this
// session: it holds an ID token of it. Anybody else could only have guessed.
func (d *Driver) means(r SignOutRequest, s session.Session) bool {
	return r.User == s.User && r.SID == d.Subjects.SID(r.Sector, s.SID) && r.SID != ""
}

// SignOut ends the browser's session. A person is asked first unless the request
// means this very session: any page can send a browser here, and an ID token of
// another session, even of the same user, says nothing about this one.
func (d *Driver) SignOut(w http.ResponseWriter, r *http.Request, req SignOutRequest) error {
	current, err := d.Sessions.Current(r.Context(), r)
	switch {
	case errors.Is(err, session.ErrNone):
		d.signedOut(w, r, nil, req.ReturnTo)
		return nil
	case err != nil:
		return err
	case d.means(req, current):
		return d.endSession(w, r, req.ReturnTo)
	default:
		return d.askToSignOut(w, r, req)
	}
}

func (d *Driver) askToSignOut(w http.ResponseWriter, r *http.Request, req SignOutRequest) error {
	page := web.SignOutPage{ReturnTo: req.ReturnTo}
	if req.Client != "" {
		app, err := d.Applications.Get(r.Context(), req.Client)
		if err != nil {
			return fmt.Errorf("read application: %w", err)
		}
		page.App = app.Name
	}
	browser := d.Sessions.Cookies.EnsureBrowser(w, r)
	page.Form = web.Form{Action: pathSignOut, Token: browser.Token(signOutPurpose(req.ReturnTo))}
	d.Pages.SignOut(w, d.Pages.Texts(r, req.UILocales), page)
	return nil
}

func (d *Driver) showSignOut(w http.ResponseWriter, r *http.Request) error {
	return d.askToSignOut(w, r, SignOutRequest{})
}

// signOutPurpose ties the form's token to where the browser goes afterwards: only
// a page of ours, which checked it, can have made one for it.
func signOutPurpose(returnTo string) string { return "sign_out:" + returnTo }

const paramReturnTo = "return_to"

func (d *Driver) signOut(w http.ResponseWriter, r *http.Request) error {
	form, err := d.Sessions.Cookies.Posted(r, func(v url.Values) string { return signOutPurpose(v.Get(paramReturnTo)) })
	if err != nil {
		return err
	}
	return d.endSession(w, r, form.Get(paramReturnTo))
}

func (d *Driver) endSession(w http.ResponseWriter, r *http.Request, returnTo string) error {
	var cookie *http.Cookie
	var frames []string
	var sid string
	err := d.Tx.InTx(r.Context(), func(ctx context.Context) error {
		current, err := d.Sessions.Current(ctx, r)
		if err != nil && !errors.Is(err, session.ErrNone) {
			return err
		}
		sid = current.SID
		if frames, err = d.Logouts.Frames(ctx, current.SID); err != nil {
			return err
		}
		cookie, err = d.Sessions.End(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	if cookie != nil {
		http.SetCookie(w, cookie)
	}
	d.signedOut(w, r, frames, d.upstreamFirst(r, sid, returnTo))
	return nil
}

// signedOut sends the browser on, by way of a page that ends the session at the
// applications which want that to happen in the browser.
func (d *Driver) signedOut(w http.ResponseWriter, r *http.Request, frames []string, returnTo string) {
	if returnTo == "" {
		returnTo = pathSignedOut
	}
	if len(frames) == 0 {
		seeOther(w, r, returnTo)
		return
	}
	d.Pages.SigningOut(w, d.Pages.Texts(r, ""), web.SigningOutPage{Frames: frames, Next: returnTo})
}

func (d *Driver) showSignedOut(w http.ResponseWriter, r *http.Request) error {
	d.Pages.Message(w, d.Pages.Texts(r, ""), web.MessagePage{Title: "sign_out.done.title", Text: "sign_out.done.text"})
	return nil
}
