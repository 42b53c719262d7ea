package selfservice

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/sdk"
)

const (
	fieldCurrent  = "current_password"
	fieldPassword = "password"
)

func (p Pages) showPassword(w http.ResponseWriter, _ *http.Request, v visit) error {
	return p.passwordPage(w, v, http.StatusOK, "", "")
}

// passwordPage shows the form; problem is of the field.
func (p Pages) passwordPage(w http.ResponseWriter, v visit, status int, field, problem string) error {
	t := v.texts
	page := web.PasswordPage{Form: v.formTo(pathPassword), Login: v.user.Login, Fields: []web.Field{
		{Name: fieldCurrent, Label: t.T("field.current_password"), Type: "password", Autocomplete: "current-password", Required: true, Focus: true},
		{Name: fieldPassword, Label: t.T("field.new_password"), Type: "password", Autocomplete: "new-password", Required: true, Hint: t.T("field.password.hint")},
	}}
	for i := range page.Fields {
		if f := &page.Fields[i]; problem != "" {
			f.Focus = f.Name == field
			if f.Focus {
				f.Problem, page.Failed = problem, true
			}
		}
	}
	p.Pages.Password(w, t, status, page)
	return nil
}

// changePassword asks for the old one: who finds an open browser must not be able
// to lock its owner out. All other sessions end, and this one gets a new id.
func (p Pages) changePassword(w http.ResponseWriter, r *http.Request, v visit) error {
	ctx := r.Context()
	_, err := p.Users.Authenticate(ctx, user.Guess{
		Login: v.user.Login, Password: sdk.Secret(v.form.Get(fieldCurrent)), Address: p.Address(r), Browser: p.Known.Knows(r, v.user.LoginNorm),
	})
	var throttled *user.ThrottledError
	switch {
	case errors.As(err, &throttled):
		seconds := web.RetryAfter(w, throttled.Wait)
		return p.passwordPage(w, v, http.StatusTooManyRequests, fieldCurrent, v.texts.T("sign_in.throttled", "seconds", seconds))
	case errors.Is(err, user.ErrCredentials):
		return p.passwordPage(w, v, http.StatusUnprocessableEntity, fieldCurrent, v.texts.T("problem.password_wrong"))
	case err != nil:
		return err
	}
	err = p.Users.SetPassword(ctx, v.user.ID, sdk.Secret(v.form.Get(fieldPassword)))
	var problems user.Problems
	if errors.As(err, &problems) && len(problems) > 0 {
		text := v.texts.Or("problem."+string(problems[0].Code), problems[0].Text)
		return p.passwordPage(w, v, http.StatusUnprocessableEntity, fieldPassword, text)
	}
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	_, cookie, err := p.Sessions.GoOn(ctx, r, v.session) // the code of a second factor, say, was not asked for again
	if err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "user changed their password", "user_id", v.user.ID)
	http.SetCookie(w, cookie)
	done, err := p.passwordDone(ctx, v)
	if err != nil {
		return err
	}
	return did(w, r, done)
}
