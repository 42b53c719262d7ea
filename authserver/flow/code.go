package flow

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

const fieldCode = "code"

func mayGiveCode(step Step) bool { return step.Action == ActionSecondFactor }

// askCode notes that the password was right, or whom an upstream vouched for, sealed.
// There is no session yet.
func (d *Driver) askCode(w http.ResponseWriter, r *http.Request, s SignIn, u user.User, identity []byte) error {
	now := d.Now()
	if err := d.move(r.Context(), s, func(s *SignIn) { s.Proven, s.ProvenAt, s.Identity = u.ID, now, identity }); err != nil {
		return fmt.Errorf("record first factor: %w", err)
	}
	d.toResume(w, r, s)
	return nil
}

func (d *Driver) showCode(w http.ResponseWriter, r *http.Request) error {
	s, _, ok, err := d.reached(w, r, mayGiveCode)
	if err != nil || !ok {
		return err
	}
	return d.codePage(w, r, s, http.StatusOK, "")
}

func (d *Driver) codePage(w http.ResponseWriter, r *http.Request, s SignIn, status int, problem string) error {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	d.Pages.Code(w, texts, status, web.CodePage{
		Form: d.form(r, pathCode, s.ID), Restart: at(pathSignIn, s.ID),
		Field: web.Field{
			Name: fieldCode, Label: texts.T("field.code"), Type: "text", Autocomplete: "one-time-code", Required: true, Focus: true, Plain: true,
			Hint: texts.T("field.code.hint"), Problem: problem,
		},
	})
	return nil
}

// code checks the second factor of whoever gave the right password.
func (d *Driver) code(w http.ResponseWriter, r *http.Request) error {
	s, form, err := d.postedFor(r)
	if err != nil {
		return err
	}
	if _, ok, err := d.arrived(w, r, &s, mayGiveCode); err != nil || !ok {
		return err
	}
	u, err := d.Users.Get(r.Context(), s.Proven)
	if errors.Is(err, provisioning.ErrUserNotFound) || err == nil && !u.Active() {
		return d.forgetPassword(w, r, s)
	}
	if err == nil {
		err = d.SecondFactor.Check(r.Context(), s.Proven, form.Get(fieldCode))
	}
	if err != nil {
		return d.codeFailed(w, r, s, err)
	}
	if len(s.Identity) > 0 { // the first factor was the upstream's
		identity, err := d.openIdentity(r.Context(), s)
		if err != nil {
			return err
		}
		return d.authenticatedBy(w, r, s, u, proof{amr: []string{amrCode, amrBoth}, identity: &identity})
	}
	return d.authenticated(w, r, s, u, amrPassword, amrCode, amrBoth)
}

func (d *Driver) codeFailed(w http.ResponseWriter, r *http.Request, s SignIn, cause error) error {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	throttled, busy := errors.AsType[*user.ThrottledError](cause)
	switch {
	case busy:
		seconds := web.RetryAfter(w, throttled.Wait)
		return d.codePage(w, r, s, http.StatusTooManyRequests, texts.T("code.throttled", "seconds", seconds))
	case errors.Is(cause, secondfactor.ErrCode):
		return d.codePage(w, r, s, http.StatusUnauthorized, texts.T("problem.code_wrong"))
	case errors.Is(cause, secondfactor.ErrNone): // turned off since the password was given
		return d.forgetPassword(w, r, s)
	default:
		return fmt.Errorf("check code: %w", cause)
	}
}

// forgetPassword begins again: what was proven is of no use.
func (d *Driver) forgetPassword(w http.ResponseWriter, r *http.Request, s SignIn) error {
	if err := d.move(r.Context(), s, func(s *SignIn) { *s = s.unproven() }); err != nil {
		return err
	}
	d.toResume(w, r, s)
	return nil
}
