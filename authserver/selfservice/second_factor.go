package selfservice

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"net/http"

	"github.com/pquerna/otp"

	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// SecondFactor enrols authenticator apps; see secondfactor.Service.
type SecondFactor interface {
	Enrolled(ctx context.Context, id provisioning.UserID) (bool, error)
	// Begin returns secondfactor.ErrCode when an app counts already.
	Begin(ctx context.Context, id provisioning.UserID) error
	// Pending returns secondfactor.ErrNone when nothing waits to be confirmed.
	Pending(ctx context.Context, id provisioning.UserID, login string) (*otp.Key, error)
	// Confirm returns secondfactor.ErrCode or *user.ThrottledError.
	Confirm(ctx context.Context, id provisioning.UserID, code string) ([]string, error)
	Remover
}

// Remover is what is left to do with an app that is turned on.
type Remover interface {
	Remove(ctx context.Context, id provisioning.UserID) error
	Left(ctx context.Context, id provisioning.UserID) (int, error)
}

const (
	pathFactor        = "/account/second-factor"
	pathFactorBegin   = "/account/second-factor/begin"
	pathFactorConfirm = "/account/second-factor/confirm"
	pathFactorRemove  = "/account/second-factor/remove"

	fieldCode = "code"
	qrSize    = 220
)

func (p Pages) showFactor(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.factorPage(w, r, v, http.StatusOK, "")
}

func (p Pages) factorPage(w http.ResponseWriter, r *http.Request, v visit, status int, problem string) error {
	has, err := p.SecondFactor.Enrolled(r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	page := web.SecondFactorPage{}
	form := func(action string) *web.Form {
		f := v.formTo(action)
		return &f
	}
	key, err := p.SecondFactor.Pending(r.Context(), v.user.ID, v.user.Login)
	switch {
	case has:
		page.Remove = form(pathFactorRemove)
		page.Left, err = p.SecondFactor.Left(r.Context(), v.user.ID)
	case errors.Is(err, secondfactor.ErrNone):
		page.Begin, err = form(pathFactorBegin), nil
	case err == nil:
		page.Confirm, page.Secret = form(pathFactorConfirm), key.Secret()
		page.Field = web.Field{
			Name: fieldCode, Label: v.texts.T("field.code"), Type: "text", Autocomplete: "one-time-code", Required: true, Focus: true, Plain: true, Problem: problem,
		}
		page.QR, err = picture(key)
	}
	if err != nil {
		return err
	}
	p.Pages.SecondFactor(w, v.texts, status, page)
	return nil
}

// picture is the key as a QR code within the page: the secret is in no address.
func picture(key *otp.Key) (template.URL, error) {
	image, err := key.Image(qrSize, qrSize)
	if err != nil {
		return "", fmt.Errorf("draw key: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, image); err != nil {
		return "", fmt.Errorf("draw key: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes())), nil
}

func (p Pages) beginFactor(w http.ResponseWriter, r *http.Request, v visit) error {
	if err := p.SecondFactor.Begin(r.Context(), v.user.ID); err != nil && !errors.Is(err, secondfactor.ErrCode) {
		return err
	}
	web.SecureHeaders(w, web.FormsStay)
	http.Redirect(w, r, pathFactor, http.StatusSeeOther)
	return nil
}

// confirmFactor turns the app on and shows the recovery codes. Sessions that began
// without a code end, but for this one.
func (p Pages) confirmFactor(w http.ResponseWriter, r *http.Request, v visit) error {
	codes, err := p.SecondFactor.Confirm(r.Context(), v.user.ID, v.form.Get(fieldCode))
	throttled, busy := errors.AsType[*user.ThrottledError](err)
	switch {
	case busy:
		seconds := web.RetryAfter(w, throttled.Wait)
		return p.factorPage(w, r, v, http.StatusTooManyRequests, v.texts.T("code.throttled", "seconds", seconds))
	case errors.Is(err, secondfactor.ErrCode):
		return p.factorPage(w, r, v, http.StatusUnprocessableEntity, v.texts.T("problem.code_wrong"))
	case errors.Is(err, secondfactor.ErrNone):
		return p.showFactor(w, r, v)
	case err != nil:
		return err
	}
	p.Log.InfoContext(r.Context(), "user turned the second factor on", "user_id", v.user.ID)
	err = p.Tx.InTx(r.Context(), func(ctx context.Context) error { return p.Sessions.EndOthersOf(ctx, v.user.ID, v.session.ID) })
	if err != nil {
		return err
	}
	p.Pages.SecondFactor(w, v.texts, http.StatusOK, web.SecondFactorPage{Codes: codes})
	return nil
}

func (p Pages) removeFactor(w http.ResponseWriter, r *http.Request, v visit) error {
	if err := p.SecondFactor.Remove(r.Context(), v.user.ID); err != nil {
		return err
	}
	p.Log.InfoContext(r.Context(), "user turned the second factor off", "user_id", v.user.ID)
	return did(w, r, "factor_off")
}
