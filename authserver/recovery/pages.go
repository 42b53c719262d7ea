package recovery

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/sdk"
)

// Errors shows what went wrong; see flow.Driver.
type Errors interface {
	Error(w http.ResponseWriter, r *http.Request, err error)
}

// Pages serves what the links lead to, and where to ask for one.
type Pages struct {
	*Service
	Cookies session.Cookies
	Pages   *web.Renderer
	Errors  Errors
	Limits  Limits
	Address func(*http.Request) string
}

// PathAsk is where to ask for a new password.
const PathAsk = "/recover"

const (
	pathReset   = "/recover/password"
	pathVerify  = "/verify-email"
	pathAccount = "/account"
	paramLink   = "link"

	maxFormBytes = 16 << 10
)

// Mount serves the pages.
func (p Pages) Mount(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, session.Guarded(maxFormBytes, h, p.failed))
	}
	handle("GET "+PathAsk, p.showAsk)
	handle("POST "+PathAsk, p.askReset)
	handle("GET "+pathReset, p.showReset)
	handle("POST "+pathReset, p.resetPassword)
	handle("GET "+pathVerify, p.showVerify)
	handle("POST "+pathVerify, p.verifyEmail)
}

func (p Pages) failed(w http.ResponseWriter, r *http.Request, err error) {
	t := p.Pages.Texts(r, "")
	throttled, busy := errors.AsType[*user.ThrottledError](err)
	switch {
	case busy:
		web.RetryAfter(w, throttled.Wait)
		p.Pages.Message(w, t, web.MessagePage{Status: http.StatusTooManyRequests, Title: "recover.busy.title", Text: "recover.busy.text"})
	case errors.Is(err, ErrLink):
		p.Pages.Message(w, t, web.MessagePage{
			Status: http.StatusGone, Title: "recover.link.title", Text: "recover.link.text", Link: PathAsk, LinkText: t.T("recover.title"),
		})
	default:
		p.Errors.Error(w, r, err)
	}
}

// form returns the hidden part of a form that belongs to a link.
func (p Pages) form(w http.ResponseWriter, r *http.Request, action, secret string) web.LinkForm {
	browser := p.Cookies.EnsureBrowser(w, r)
	return web.LinkForm{Form: web.Form{Action: action, Token: browser.Token(action)}, Link: secret}
}

// posted reads the form of an action.
func (p Pages) posted(r *http.Request, action string) (url.Values, error) {
	return p.Cookies.Posted(r, func(url.Values) string { return action })
}

func (p Pages) showAsk(w http.ResponseWriter, r *http.Request) error {
	t := p.Pages.Texts(r, "")
	p.Pages.Recover(w, t, http.StatusOK, web.RecoverPage{LinkForm: p.form(w, r, PathAsk, ""), Title: "recover.title", Lead: "recover.lead", Submit: "recover.submit", Fields: []web.Field{
		{Name: "login", Label: t.T("field.login"), Type: "text", Autocomplete: "username", Required: true, Focus: true, Plain: true},
	}})
	return nil
}

// askReset answers the same for every login, after the same work.
func (p Pages) askReset(w http.ResponseWriter, r *http.Request) error {
	form, err := p.posted(r, PathAsk)
	if err != nil {
		return err
	}
	if err := p.Limits.Allow(r.Context(), PathAsk, p.Address(r)); err != nil {
		return err
	}
	t := p.Pages.Texts(r, "")
	if err := p.AskReset(r.Context(), form.Get("login"), t.Lang); err != nil {
		return err
	}
	p.Pages.Message(w, t, web.MessagePage{Title: "recover.sent.title", Text: "recover.sent.text"})
	return nil
}

// showReset only looks: mail scanners open links, too.
func (p Pages) showReset(w http.ResponseWriter, r *http.Request) error {
	secret := r.URL.Query().Get(paramLink)
	u, err := p.look(r.Context(), secret, PurposeReset)
	if err != nil {
		return err
	}
	return p.resetPage(w, r, http.StatusOK, u, secret, "")
}

func (p Pages) resetPage(w http.ResponseWriter, r *http.Request, status int, u user.User, secret, problem string) error {
	t := p.Pages.Texts(r, u.Locale)
	p.Pages.Recover(w, t, status, web.RecoverPage{
		LinkForm: p.form(w, r, pathReset, secret), Title: "recover.reset.title", Lead: "recover.reset.lead", Submit: "recover.reset.submit",
		Login: u.Login, Fields: []web.Field{{
			Name: "password", Label: t.T("field.new_password"), Type: "password", Autocomplete: "new-password", Required: true, Focus: true,
			Hint: t.T("field.password.hint"), Problem: problem,
		}},
	})
	return nil
}

func (p Pages) resetPassword(w http.ResponseWriter, r *http.Request) error {
	form, err := p.posted(r, pathReset)
	if err != nil {
		return err
	}
	secret := form.Get(paramLink)
	u, err := p.look(r.Context(), secret, PurposeReset)
	if err != nil {
		return err
	}
	err = p.reset(r.Context(), u, secret, sdk.Secret(form.Get("password")))
	t := p.Pages.Texts(r, u.Locale)
	if problems, ok := errors.AsType[user.Problems](err); ok && len(problems) > 0 {
		return p.resetPage(w, r, http.StatusUnprocessableEntity, u, secret, t.Or("problem."+string(problems[0].Code), problems[0].Text))
	}
	if err != nil {
		return err
	}
	p.Log.InfoContext(r.Context(), "user reset their password", "user_id", u.ID)
	p.Pages.Message(w, t, web.MessagePage{
		Title: "recover.done.title", Text: "recover.done.text", Link: pathAccount, LinkText: t.T("sign_in.title"),
	})
	return nil
}

func (p Pages) showVerify(w http.ResponseWriter, r *http.Request) error {
	secret := r.URL.Query().Get(paramLink)
	u, err := p.look(r.Context(), secret, PurposeVerify)
	if err != nil {
		return err
	}
	p.Pages.Recover(w, p.Pages.Texts(r, u.Locale), http.StatusOK, web.RecoverPage{
		LinkForm: p.form(w, r, pathVerify, secret), Title: "verify.title", Lead: "verify.lead", Submit: "verify.submit", Login: u.Login, Email: u.Email,
	})
	return nil
}

func (p Pages) verifyEmail(w http.ResponseWriter, r *http.Request) error {
	form, err := p.posted(r, pathVerify)
	if err != nil {
		return err
	}
	if err := p.verify(r.Context(), form.Get(paramLink)); err != nil {
		return err
	}
	t := p.Pages.Texts(r, "")
	p.Pages.Message(w, t, web.MessagePage{Title: "verify.done.title", Text: "verify.done.text", Link: pathAccount, LinkText: t.T("account.title")})
	return nil
}
