package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Users reads users.
type Users interface {
	// Get returns provisioning.ErrUserNotFound for an unknown or deleted user.
	Get(ctx context.Context, id provisioning.UserID) (user.User, error)
}

// Roles knows who is an administrator.
type Roles interface {
	// Role returns admin.ErrNone for everybody else.
	Role(ctx context.Context, id provisioning.UserID) (admin.Role, error)
}

// Applications does to applications what is no edit of their document.
type Applications interface {
	// ReplaceSecret returns a new client secret, or application.ErrNoSecret.
	ReplaceSecret(ctx context.Context, id provisioning.ClientID) (sdk.Secret, error)
	// DeleteApplication removes the application, its bindings, and all that was issued to it.
	DeleteApplication(ctx context.Context, id provisioning.ClientID) error
}

// Options are the parts of the console. All must be set.
type Options struct {
	Issuer       string
	Client       provisioning.ClientID // the application that the console is
	Secure       bool                  // browsers reach us by https
	Inside       Inside
	Sessions     *session.Manager
	Sealer       Sealer
	Users        Users
	Roles        Roles
	Resources    Resources
	Applications Applications
	Assets       func(name string) string // the URL of a static file
	// Reference ties together what one request does, in the record.
	Reference func() string
	Log       *slog.Logger
	Now       func() time.Time
}

// Console serves the pages. Make one with New.
type Console struct {
	Options
	pages pages
}

// New returns the console.
func New(o Options) (*Console, error) {
	p, err := loadPages(o.Assets)
	if err != nil {
		return nil, err
	}
	return &Console{Options: o, pages: p}, nil
}

// The paths that others know: Path is the first page, PathCallback the redirect URI.
const (
	Path         = "/admin"
	PathCallback = Path + "/callback"
)

// visit is a request of an administrator.
type visit struct {
	user    user.User
	role    admin.Role
	session session.Session
	browser session.Browser
	form    url.Values // of a form that was sent
}

// purpose binds a form to the session: one of an earlier session is worth nothing.
func (v visit) purpose() string { return "console:" + v.session.SID }

func (v visit) token() string { return v.browser.Token(v.purpose()) }

// anybody is the permission of what everybody may do who is signed in.
const anybody admin.Permission = "anybody"

type handler func(w http.ResponseWriter, r *http.Request, v visit) error

// route is a page or what a form does.
type route struct {
	pattern    string
	permission admin.Permission
	handle     handler
}

func (c *Console) routes() []route {
	return append([]route{
		{"GET " + Path, admin.PermissionView, c.showStart},
		{"POST " + Path + "/sign-out", anybody, c.signOut},
	}, c.applicationRoutes()...)
}

const maxFormBytes = 256 << 10

// Mount serves the console.
func (c *Console) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET "+PathCallback, session.Guarded(maxFormBytes, c.returned, c.failed))
	for _, r := range c.routes() {
		mux.HandleFunc(r.pattern, session.Guarded(maxFormBytes, c.visited(r), c.failed))
	}
	mux.HandleFunc("GET "+Path+"/", session.Guarded(maxFormBytes, func(http.ResponseWriter, *http.Request) error { return errNotFound }, c.failed))
}

// visited lets administrators in who may, and everybody else sign in first.
func (c *Console) visited(rt route) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := c.visit(w, r)
		if errors.Is(err, session.ErrNone) {
			return c.leave(w, r, backTo(r))
		}
		if err != nil {
			return err
		}
		if r.Method == http.MethodPost {
			if v.form, err = c.Sessions.Cookies.Posted(r, func(url.Values) string { return v.purpose() }); err != nil {
				return err
			}
		}
		if rt.permission != anybody && !v.role.May(rt.permission) {
			return forbidden{v}
		}
		who := audit.Actor{Kind: audit.KindUser, Name: v.user.Login}
		return rt.handle(w, r.WithContext(audit.WithActor(r.Context(), who, c.Reference())), v)
	}
}

// visit returns session.ErrNone when nobody who may sign in came in.
func (c *Console) visit(w http.ResponseWriter, r *http.Request) (visit, error) {
	s, err := c.session(r)
	if err != nil {
		return visit{}, err
	}
	u, err := c.Users.Get(r.Context(), s.User)
	if errors.Is(err, provisioning.ErrUserNotFound) || err == nil && !u.Active() {
		return visit{}, session.ErrNone
	}
	if err != nil {
		return visit{}, fmt.Errorf("read user: %w", err)
	}
	role, err := c.Roles.Role(r.Context(), u.ID)
	if err != nil && !errors.Is(err, admin.ErrNone) {
		return visit{}, err
	}
	return visit{user: u, role: role, session: s, browser: c.Sessions.Cookies.EnsureBrowser(w, r)}, nil
}

// forbidden is the error of somebody who came in and may not do that.
type forbidden struct{ visit visit }

// Error says who it was.
func (f forbidden) Error() string { return fmt.Sprintf("%s may not do that", f.visit.user.ID) }

// errNotFound means that there is no such page, or nothing it could be about.
var errNotFound = errors.New("there is no such page")

func (c *Console) showStart(w http.ResponseWriter, r *http.Request, _ visit) error {
	web.SecureHeaders(w, web.FormsStay)
	http.Redirect(w, r, pathApplications, http.StatusSeeOther)
	return nil
}

// paramDone names what was just done, for the page to say so.
const paramDone = "done"

// did goes to a page, which says what was done.
func did(w http.ResponseWriter, r *http.Request, path, what string) error {
	web.SecureHeaders(w, web.FormsStay)
	http.Redirect(w, r, path+"?"+url.Values{paramDone: {what}}.Encode(), http.StatusSeeOther)
	return nil
}
