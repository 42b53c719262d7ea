package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Finder is what the page needs of a store.
type Finder interface {
	// Find returns the request of a user code, in whatever state; ErrNotFound if there
	// is none.
	Find(ctx context.Context, userCode []byte) (Request, error)
	// Settle is [Store]'s.
	Settle(ctx context.Context, hash []byte, o Outcome, at time.Time) error
}

// SignIns is what follows the page; *flow.Driver is one.
type SignIns interface {
	// Enter begins a sign-in and sends the browser to where it goes on.
	Enter(w http.ResponseWriter, r *http.Request, req flow.AuthorizeRequest) error
	// Ask has the person sign in for a page of ours, and come back to it.
	Ask(w http.ResponseWriter, r *http.Request, path, loginHint string, again bool) error
	// Error shows what went wrong.
	Error(w http.ResponseWriter, r *http.Request, err error)
}

// Limits bounds the guesses at user codes; user.Service is one.
type Limits interface {
	// TakeTry counts a try, or returns *user.ThrottledError.
	TakeTry(ctx context.Context, t user.Try) error
	// ForgiveTry takes it back: it was right.
	ForgiveTry(ctx context.Context, t user.Try) error
}

// Users tells who is signed in.
type Users interface {
	Get(ctx context.Context, id provisioning.UserID) (user.User, error)
}

// Applications reads applications.
type Applications interface {
	// Get returns application.ErrNotFound for an unknown one.
	Get(ctx context.Context, id provisioning.ClientID) (application.Application, error)
}

// Pages serves the page where a person enters a user code. All fields must be set.
type Pages struct {
	Codes        Codes
	Requests     Finder
	SignIns      SignIns
	Limits       Limits
	Users        Users
	Applications Applications
	Sessions     *session.Manager
	Pages        *web.Renderer
	Address      func(*http.Request) string
	Log          *slog.Logger
	Now          func() time.Time
}

// Path is the verification URI (RFC 8628 section 3.2) below the issuer.
const Path = "/device"

const (
	pathDone   = Path + "/done"
	pathSignIn = Path + "/sign-in"
	// ParamCode is the parameter of the verification URI that has the user code.
	ParamCode   = "user_code"
	paramResult = "result"
	paramAnswer = "answer"

	answerContinue = "continue"
	maxFormBytes   = 16 << 10
)

// Result is how a request ended, in the words of the last page.
type Result string

// The results.
const (
	ResultApproved    Result = "approved"
	ResultDenied      Result = "denied"
	ResultExpired     Result = "expired"     // or somebody else was first
	ResultUnavailable Result = "unavailable" // a target is down
	ResultFailed      Result = "failed"      // ours
)

// Done returns the path of the page that tells the result.
func Done(result Result) string {
	return pathDone + "?" + url.Values{paramResult: {string(result)}}.Encode()
}

// errCode means that no request waits for what was typed.
var errCode = errors.New("no device waits for this user code")

// Mount serves the pages.
func (p Pages) Mount(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, session.Guarded(maxFormBytes, h, p.SignIns.Error))
	}
	handle("GET "+Path, p.show)
	handle("POST "+Path, p.answer)
	handle("GET "+pathDone, p.done)
	handle("GET "+pathSignIn, func(w http.ResponseWriter, r *http.Request) error { return p.SignIns.Ask(w, r, Path, "", false) })
}

// show asks for a code or, with one, whether the device is the person's own. It
// changes nothing, wherever the link came from.
func (p Pages) show(w http.ResponseWriter, r *http.Request) error {
	typed := r.URL.Query().Get(ParamCode)
	if typed == "" {
		p.enterPage(w, r, http.StatusOK, web.DevicePage{})
		return nil
	}
	v, err := p.find(r, typed)
	if err != nil {
		return p.refuse(w, r, typed, err)
	}
	return p.confirmPage(w, r, v)
}

// visit is a person in front of a pending request.
type visit struct {
	code    UserCode
	request Request
	user    provisioning.UserID // "" if nobody is signed in
}

// find returns the pending request of a code. Each try counts until it is right:
// against the user who is signed in, whom nobody else can use up the tries of, or
// else against the network.
func (p Pages) find(r *http.Request, typed string) (visit, error) {
	ctx := r.Context()
	code, ok := ParseUserCode(typed)
	if !ok {
		return visit{}, errCode
	}
	v := visit{code: code}
	current, err := p.Sessions.Current(ctx, r)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return v, err
	}
	v.user = current.User
	try := user.Try{Action: Path, Address: p.Address(r), User: v.user}
	if err := p.Limits.TakeTry(ctx, try); err != nil {
		return v, err
	}
	v.request, err = p.Requests.Find(ctx, p.Codes.Digest(code))
	switch {
	case errors.Is(err, ErrNotFound):
		return v, errCode
	case err != nil:
		return v, err
	case v.request.Status != StatusPending || !p.Now().Before(v.request.ExpiresAt):
		return v, errCode
	}
	return v, p.Limits.ForgiveTry(ctx, try)
}

// refuse shows the form again with what is wrong.
func (p Pages) refuse(w http.ResponseWriter, r *http.Request, typed string, cause error) error {
	texts := p.Pages.Texts(r, "")
	throttled, busy := errors.AsType[*user.ThrottledError](cause)
	switch {
	case busy:
		page := web.DevicePage{Code: typed, Problem: texts.T("device.throttled", "seconds", web.RetryAfter(w, throttled.Wait))}
		if _, err := p.Sessions.Current(r.Context(), r); errors.Is(err, session.ErrNone) {
			page.SignIn = pathSignIn
		}
		p.enterPage(w, r, http.StatusTooManyRequests, page)
		return nil
	case errors.Is(cause, errCode):
		p.enterPage(w, r, http.StatusUnprocessableEntity, web.DevicePage{Code: typed, Problem: texts.T("device.unknown")})
		return nil
	default:
		return cause
	}
}

func (p Pages) enterPage(w http.ResponseWriter, r *http.Request, status int, page web.DevicePage) {
	page.Action = Path
	if len(page.Code) > maxTyped {
		page.Code = ""
	}
	p.Pages.Device(w, p.Pages.Texts(r, ""), status, page)
}

func purpose(code UserCode) string { return "device:" + string(code) }

// confirmPage shows what the device asks for, and where it asked: whoever was sent
// a code by somebody else can see that it is not theirs (RFC 8628 section 5.4).
func (p Pages) confirmPage(w http.ResponseWriter, r *http.Request, v visit) error {
	app, err := p.Applications.Get(r.Context(), v.request.Client)
	if err != nil {
		return fmt.Errorf("read application: %w", err)
	}
	texts := p.Pages.Texts(r, "")
	page := web.DeviceConfirmPage{
		Form: web.Form{Action: Path, Token: p.Sessions.Cookies.EnsureBrowser(w, r).Token(purpose(v.code))},
		App:  app.Name, Code: v.code.String(), Asks: texts.Asks(v.request.Asks()), Network: v.request.Network,
		SameNetwork: v.request.Network == NetworkOf(p.Address(r)), Minutes: int(p.Now().Sub(v.request.CreatedAt) / time.Minute),
	}
	if v.user != "" {
		u, err := p.Users.Get(r.Context(), v.user)
		if err != nil && !errors.Is(err, provisioning.ErrUserNotFound) {
			return fmt.Errorf("read user: %w", err)
		}
		page.Login = u.Login
	}
	p.Pages.DeviceConfirm(w, texts, page)
	return nil
}

// answer takes the person's word. Yes begins the sign-in that everything else
// depends on; no ends the request.
func (p Pages) answer(w http.ResponseWriter, r *http.Request) error {
	form, err := p.Sessions.Cookies.Posted(r, func(v url.Values) string {
		code, _ := ParseUserCode(v.Get(ParamCode))
		return purpose(code)
	})
	if err != nil {
		return err
	}
	v, err := p.find(r, form.Get(ParamCode))
	if err != nil {
		return p.refuse(w, r, form.Get(ParamCode), err)
	}
	if form.Get(paramAnswer) == answerContinue {
		return p.SignIns.Enter(w, r, flow.AuthorizeRequest{
			Client: v.request.Client, Device: v.request.Hash, Scopes: v.request.Scopes, Asks: v.request.Asks(),
		})
	}
	denied := Outcome{Status: StatusDenied, Error: ErrorDenied}
	if err := p.Requests.Settle(r.Context(), v.request.Hash, denied, p.Now()); err != nil && !errors.Is(err, ErrSettled) {
		return err
	}
	p.Log.InfoContext(r.Context(), "device refused", "client_id", v.request.Client)
	http.Redirect(w, r, Done(ResultDenied), http.StatusSeeOther)
	return nil
}

// ErrorDenied is what a device is told that was refused.
const ErrorDenied = "access_denied"

func (p Pages) done(w http.ResponseWriter, r *http.Request) error {
	page := web.MessagePage{}
	result := Result(r.URL.Query().Get(paramResult))
	switch result {
	case ResultApproved, ResultDenied:
	case ResultExpired:
		page.Status = http.StatusGone
	case ResultUnavailable:
		page.Status = http.StatusServiceUnavailable
	default:
		result, page.Status = ResultFailed, http.StatusInternalServerError
	}
	page.Title, page.Text = "device."+string(result)+".title", "device."+string(result)+".text"
	p.Pages.Message(w, p.Pages.Texts(r, ""), page)
	return nil
}
