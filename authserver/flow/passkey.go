package flow

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

const fieldAnswer = "answer"

// askPasskey returns what the page's script is to have signed. It is the same for
// everybody.
func (d *Driver) askPasskey(w http.ResponseWriter, r *http.Request) error {
	s, _, err := d.postedFor(r)
	if err != nil {
		return err
	}
	if _, ok, err := d.arrived(w, r, &s, mayAuthenticate); err != nil || !ok {
		return err
	}
	options, err := d.Passkeys.Ask(r.Context(), signInPurpose(s.ID))
	if err != nil {
		return err
	}
	web.JSON(w, options)
	return nil
}

// signInWithPasskey signs in whoever the answer is of. A passkey is two factors: the
// key, and what its authenticator verified its user by.
func (d *Driver) signInWithPasskey(w http.ResponseWriter, r *http.Request) error {
	s, form, err := d.postedFor(r)
	if err != nil {
		return err
	}
	st, ok, err := d.arrived(w, r, &s, mayAuthenticate)
	if err != nil || !ok {
		return err
	}
	proof, err := d.Passkeys.Check(r.Context(), signInPurpose(s.ID), d.Address(r), form.Get(fieldAnswer))
	if err != nil {
		return d.passkeyFailed(w, r, s, st.Registration, err)
	}
	u, err := d.Users.Get(r.Context(), proof.User)
	switch {
	case errors.Is(err, provisioning.ErrUserNotFound):
		err = fmt.Errorf("%w: %w", passkey.ErrRefused, err)
	case err == nil && !u.Active():
		err = provisioning.ErrUserInactive
	case err == nil && u.Source != "": // since the passkey was made
		err = fmt.Errorf("%w: an upstream signs the user in", passkey.ErrRefused)
	}
	if err != nil {
		return d.passkeyFailed(w, r, s, st.Registration, err)
	}
	key := amrDevice
	if proof.Synced {
		key = amrSynced
	}
	return d.authenticated(w, r, s, u, key, amrPresent, amrBoth)
}

// passkeyFailed shows the form again, where every other way in still works. What was
// wrong with an answer is for the log: to the browser all of it is the same.
func (d *Driver) passkeyFailed(w http.ResponseWriter, r *http.Request, s SignIn, registration bool, cause error) error {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	throttled, busy := errors.AsType[*user.ThrottledError](cause)
	status, text := http.StatusUnauthorized, texts.T("passkey.refused")
	switch {
	case busy:
		status, text = http.StatusTooManyRequests, texts.T("passkey.throttled", "seconds", web.RetryAfter(w, throttled.Wait))
	case errors.Is(cause, passkey.ErrCopied):
		text = texts.T("passkey.copied")
		d.logger(s).WarnContext(r.Context(), "passkey may have been copied, and is of no use any more")
	case errors.Is(cause, passkey.ErrRefused):
		d.logger(s).InfoContext(r.Context(), "passkey refused", "error", cause)
	case errors.Is(cause, provisioning.ErrUserInactive):
		status, text = http.StatusForbidden, texts.T("sign_in.inactive")
	default:
		return cause
	}
	return d.signInPage(w, r, s, registration, status, s.Request.LoginHint, text)
}
