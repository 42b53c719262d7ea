package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// registration is what a registration form belongs to: a sign-in, or just an
// application when somebody came by a link.
type registration struct {
	signIn SignIn // zero without a sign-in
	app    application.Application
}

func (g registration) purpose() string {
	if g.signIn.ID != "" {
		return signInPurpose(g.signIn.ID)
	}
	return registerPurpose(string(g.app.ClientID))
}

func registerPurpose(client string) string { return "register:" + client }

func (d *Driver) showRegister(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	g := registration{}
	client := provisioning.ClientID(query.Get(paramClient))
	if query.Has(paramSignIn) {
		s, _, ok, err := d.reached(w, r, mayAuthenticate)
		if err != nil || !ok {
			return err
		}
		g.signIn, client = s, s.Request.Client
	}
	var err error
	if g.app, err = d.registrable(r.Context(), client); err != nil {
		return err
	}
	return d.registerPage(w, r, g, url.Values{}, nil)
}

// registrable returns the application if people may register through it.
func (d *Driver) registrable(ctx context.Context, id provisioning.ClientID) (application.Application, error) {
	app, err := d.Applications.Get(ctx, id)
	if err != nil {
		return app, fmt.Errorf("read application: %w", err)
	}
	if !app.Registration || !app.Enabled {
		return app, errNoRegistration
	}
	return app, nil
}

func (d *Driver) registerPage(w http.ResponseWriter, r *http.Request, g registration, typed url.Values, problems user.Problems) error {
	browser := d.Sessions.Cookies.EnsureBrowser(w, r)
	texts := d.Pages.Texts(r, g.signIn.Request.UILocales)
	page := web.RegisterPage{
		Form:   web.Form{Action: pathRegister, Token: browser.Token(g.purpose()), SignIn: string(g.signIn.ID)},
		App:    g.app.Name,
		Fields: registerFields(texts, typed, problems),
		Failed: len(problems) > 0,
	}
	if g.signIn.ID == "" {
		page.Client = string(g.app.ClientID)
	} else {
		page.SignInURL = at(pathSignIn, g.signIn.ID)
	}
	status := http.StatusOK
	if page.Failed {
		status = http.StatusUnprocessableEntity
	}
	d.Pages.Register(w, texts, status, page)
	return nil
}

// profileFields are the inputs for who somebody is.
func profileFields(texts web.Texts) []web.Field {
	return []web.Field{
		{Name: "login", Type: "text", Autocomplete: "username", Required: true, Plain: true, Hint: texts.T("field.login.hint")},
		{Name: "email", Type: "email", Autocomplete: "email", Required: true, Plain: true},
		{Name: "given_name", Type: "text", Autocomplete: "given-name"},
		{Name: "family_name", Type: "text", Autocomplete: "family-name"},
	}
}

func registerFields(texts web.Texts, typed url.Values, problems user.Problems) []web.Field {
	fields := append(profileFields(texts),
		web.Field{Name: "password", Type: "password", Autocomplete: "new-password", Required: true, Hint: texts.T("field.password.hint")})
	return filled(texts, fields, typed, problems)
}

// filled returns the inputs with labels, what was typed, passwords excepted, and the
// first problem at each. The first that has one gets the focus, else the first that
// can be written.
func filled(texts web.Texts, fields []web.Field, typed url.Values, problems user.Problems) []web.Field {
	focus := slices.IndexFunc(fields, func(f web.Field) bool { return !f.ReadOnly })
	for i := len(fields) - 1; i >= 0; i-- {
		f := &fields[i]
		f.Label = texts.T("field." + f.Name)
		if f.Type != "password" {
			f.Value = typed.Get(f.Name)
		}
		at := slices.IndexFunc(problems, func(p user.Problem) bool { return p.Field == f.Name })
		if at >= 0 {
			f.Problem = texts.Or("problem."+string(problems[at].Code), problems[at].Text)
			focus = i
		}
	}
	if focus >= 0 {
		fields[focus].Focus = true
	}
	return fields
}

func (d *Driver) register(w http.ResponseWriter, r *http.Request) error {
	g, form, ok, err := d.registering(w, r)
	if err != nil || !ok {
		return err
	}
	u, err := d.Users.Register(r.Context(), user.User{
		Login: form.Get("login"), Email: form.Get("email"), GivenName: form.Get("given_name"),
		FamilyName: form.Get("family_name"), Home: g.app.ClientID,
	}, sdk.Secret(form.Get("password")))
	var problems user.Problems
	if errors.As(err, &problems) {
		return d.refused(w, r, g, form, problems)
	}
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if g.signIn.ID != "" {
		return d.authenticated(w, r, g.signIn, u, amrPassword)
	}
	return d.registered(w, r, g.app.ClientID, u)
}

// refused shows the form again; but a login that is taken because the same form
// was sent twice is no problem.
func (d *Driver) refused(w http.ResponseWriter, r *http.Request, g registration, form url.Values, problems user.Problems) error {
	if g.signIn.ID != "" {
		now, err := d.SignIns.Get(r.Context(), g.signIn.ID)
		if err != nil {
			return err
		}
		if now.Fresh && now.Version != g.signIn.Version {
			d.toResume(w, r, now)
			return nil
		}
	}
	return d.registerPage(w, r, g, form, problems)
}

// registering reads a registration form and what it belongs to; ok is false when
// the browser was sent elsewhere.
func (d *Driver) registering(w http.ResponseWriter, r *http.Request) (g registration, form url.Values, ok bool, err error) {
	form, err = d.Sessions.Cookies.Posted(r, func(v url.Values) string {
		if id := v.Get(paramSignIn); id != "" {
			return signInPurpose(ID(id))
		}
		return registerPurpose(v.Get(paramClient))
	})
	if err != nil {
		return g, nil, false, err
	}
	client := provisioning.ClientID(form.Get(paramClient))
	if id := ID(form.Get(paramSignIn)); id != "" {
		if g.signIn, err = d.load(r, id); err != nil {
			return g, nil, false, err
		}
		if _, ok, err = d.arrived(w, r, &g.signIn, mayAuthenticate); err != nil || !ok {
			return g, nil, false, err
		}
		client = g.signIn.Request.Client
	}
	g.app, err = d.registrable(r.Context(), client)
	return g, form, err == nil, err
}

// registered signs the new user in; there is no sign-in to go on with.
func (d *Driver) registered(w http.ResponseWriter, r *http.Request, client provisioning.ClientID, u user.User) error {
	var cookie *http.Cookie
	err := d.Tx.InTx(r.Context(), func(ctx context.Context) error {
		_, c, err := d.Sessions.Start(ctx, r, u.ID, amrPassword)
		cookie = c
		return err
	})
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	d.Known.Remember(w, r, u.LoginNorm)
	seeOther(w, r, pathRegistered+"?"+url.Values{paramClient: {string(client)}}.Encode())
	return nil
}

func (d *Driver) showRegistered(w http.ResponseWriter, r *http.Request) error {
	app, err := d.registrable(r.Context(), provisioning.ClientID(r.URL.Query().Get(paramClient)))
	if err != nil {
		return err
	}
	texts := d.Pages.Texts(r, "")
	d.Pages.Message(w, texts, web.MessagePage{
		Title: "register.done.title", Text: "register.done.text",
		Link: app.InitiateLoginURI, LinkText: texts.T("go_to_app", "app", app.Name),
	})
	return nil
}
