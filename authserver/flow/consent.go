package flow

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Consents keeps what users let applications have.
type Consents interface {
	// Of returns the scopes, none if the user was never asked.
	Of(ctx context.Context, user provisioning.UserID, client provisioning.ClientID) ([]string, error)
	// Add adds scopes to them.
	Add(ctx context.Context, user provisioning.UserID, client provisioning.ClientID, scopes []string, at time.Time) error
}

const (
	pathConsent = "/consent"
	paramAnswer = "answer"
	paramUser   = "user" // who was asked
	answerAllow = "allow"
)

// remembered reports whether the user let the application have all it asks for.
func (d *Driver) remembered(ctx context.Context, s SignIn) (bool, error) {
	if s.User == "" {
		return false, nil
	}
	had, err := d.Consents.Of(ctx, s.User, s.Request.Client)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(s.Request.Asks, func(scope string) bool { return !slices.Contains(had, scope) }), nil
}

func mayConsent(step Step) bool { return step.Action == ActionConsent }

func (d *Driver) showConsent(w http.ResponseWriter, r *http.Request) error {
	s, _, ok, err := d.reached(w, r, mayConsent)
	if err != nil || !ok {
		return err
	}
	app, err := d.Applications.Get(r.Context(), s.Request.Client)
	if err != nil {
		return fmt.Errorf("read application: %w", err)
	}
	u, err := d.Users.Get(r.Context(), s.User)
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	texts := d.Pages.Texts(r, s.Request.UILocales)
	d.Pages.Consent(w, texts, web.ConsentPage{
		Form: d.form(r, pathConsent, s.ID), App: app.Name, About: about(app, s.Request), Login: u.Login, User: string(u.ID), Asks: texts.Asks(s.Request.Asks),
	})
	return nil
}

// about is what people should know of the application that asks. Of one that
// registered itself the place that answers go to is all that is certain.
func about(app application.Application, r AuthorizeRequest) web.AppAbout {
	a := web.AppAbout{App: app.Name, Policy: app.About.PolicyURI, Terms: app.About.TermsURI}
	if !app.SelfRegistered {
		return a
	}
	a.To = r.RedirectURI
	if u, err := url.Parse(r.RedirectURI); err == nil && u.Host != "" {
		a.To = u.Host
	}
	return a
}

// consent takes the answer. Allowing is remembered together with the sign-in's
// move; anything else goes back to the application.
func (d *Driver) consent(w http.ResponseWriter, r *http.Request) error {
	s, form, err := d.postedFor(r)
	if err != nil {
		return err
	}
	// It may have been answered already, or somebody else signed in meanwhile.
	mayAnswer := func(step Step) bool { return mayConsent(step) && form.Get(paramUser) == string(s.User) }
	if _, ok, err := d.arrived(w, r, &s, mayAnswer); err != nil || !ok {
		return err
	}
	allowed := form.Get(paramAnswer) == answerAllow
	err = d.Tx.InTx(r.Context(), func(ctx context.Context) error {
		if allowed {
			if err := d.Consents.Add(ctx, s.User, s.Request.Client, s.Request.Asks, d.Now()); err != nil {
				return err
			}
		}
		answered := s
		answered.Consented, answered.Leave = allowed, !allowed
		return d.SignIns.Update(ctx, answered)
	})
	if err != nil {
		return fmt.Errorf("record consent: %w", err)
	}
	d.logger(s).InfoContext(r.Context(), "user answered the question for consent", "user_id", s.User, "allowed", allowed)
	d.toResume(w, r, s)
	return nil
}
