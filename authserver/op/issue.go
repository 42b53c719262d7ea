package op

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
)

// maxMoves bounds how often a request starts over when others move its sign-in.
const maxMoves = 3

// resume goes on with a sign-in after a page. It may be called any number of
// times: the stored sign-in says what comes next.
func (p *Provider) resume(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > maxQueryBytes {
		p.errorPage(w, r, badRequest(codeInvalidRequest, "The request's query is too long."), flow.NewReference())
		return
	}
	id := r.URL.Query().Get(paramSignIn)
	if !isText(id) {
		p.signInError(w, r, flow.ErrUnknown)
		return
	}
	s, step, err := p.signIns.Resume(w, r, flow.ID(id))
	if err != nil {
		p.signInError(w, r, err)
		return
	}
	p.follow(w, r, s, step)
}

// follow does what the sign-in's step says. Losing a race to another request
// reads the sign-in anew.
func (p *Provider) follow(w http.ResponseWriter, r *http.Request, s *flow.SignIn, step flow.Step) {
	for range maxMoves {
		err := p.act(w, r, s, step)
		if err == nil {
			return
		}
		if !errors.Is(err, flow.ErrStale) && !errors.Is(err, flow.ErrNotYet) {
			p.fail(w, r, s, err)
			return
		}
		if s.Version == 0 {
			s, step, err = p.signIns.Begin(w, r, s.Request)
		} else {
			s, step, err = p.signIns.Resume(w, r, s.ID)
		}
		if err != nil {
			p.signInError(w, r, err)
			return
		}
	}
	p.errorPage(w, r, internalError(flow.ErrStale), s.Reference)
}

// act makes one step. It writes the response if and only if the error is nil.
func (p *Provider) act(w http.ResponseWriter, r *http.Request, s *flow.SignIn, step flow.Step) error {
	if page := flow.Location(s, step); page != "" {
		redirect(w, page)
		return nil
	}
	switch step.Action {
	case flow.ActionIssue:
		return p.issue(w, r, s)
	case flow.ActionReplay:
		p.sendAnswer(w, r, step.Response)
		return nil
	case flow.ActionFail:
		return p.end(w, r, s, &protocolError{Code: step.Error, Description: step.Description})
	case flow.ActionExpired:
		return p.expired(w, r, s)
	default:
		return fmt.Errorf("sign-in has unknown step %q", step.Action)
	}
}

// expired shows that the sign-in is over, with the way back to its application.
func (p *Provider) expired(w http.ResponseWriter, r *http.Request, s *flow.SignIn) error {
	app, err := p.apps.Get(r.Context(), s.Request.Client)
	if err != nil && !errors.Is(err, application.ErrNotFound) {
		return fmt.Errorf("read application: %w", err)
	}
	p.pages.Error(w, r, http.StatusGone, ErrorPage{
		Code: CodeExpired, Description: "This sign-in is over. Go back to the application and start again.",
		Reference: s.Reference, App: app.Name, Link: app.InitiateLoginURI,
	})
	return nil
}

// issue makes the code and the sign-in's last transition in one transaction,
// then sends both. Whatever fails, nothing is left behind.
func (p *Provider) issue(w http.ResponseWriter, r *http.Request, s *flow.SignIn) error {
	var answer string
	err := p.store.inTx(r.Context(), func(ctx context.Context) error {
		permit, err := p.signIns.Permit(ctx, s)
		if err != nil {
			return err
		}
		answer, err = p.mintAnswer(provisioning.WithPermit(ctx, permit), s)
		if err != nil {
			return err
		}
		if err := p.usePushed(ctx, s); err != nil {
			return err
		}
		return p.signIns.Issued(ctx, s, permit, answer)
	})
	if errors.Is(err, ErrGrantExists) {
		return flow.ErrStale // another request is ahead, and its transaction committed
	}
	if err != nil {
		return err
	}
	p.sendAnswer(w, r, answer)
	return nil
}

// mintAnswer returns what the browser is sent on with: a code to the application, or
// word that its device may fetch tokens.
func (p *Provider) mintAnswer(ctx context.Context, s *flow.SignIn) (string, error) {
	if s.Request.Device != nil {
		return p.approveDevice(ctx, s)
	}
	return p.mintCode(ctx, s)
}

// mintCode returns the answer with a fresh code. The request is rebuilt from
// the stored form, so an application that changed meanwhile is seen.
func (p *Provider) mintCode(ctx context.Context, s *flow.SignIn) (_ string, err error) {
	a, fail := p.stored(ctx, s)
	if fail != nil {
		return "", fail
	}
	if fail := checkFresh(s); fail != nil {
		return "", fail
	}
	claims, fail := parseClaims(a.form.Get("claims"))
	if fail != nil {
		return "", fail
	}
	if s.Alias, err = p.subjects.Alias(ctx, a.client.app, s.User, s.SID); err != nil {
		return "", internalError(err)
	}
	if !claims.isFor(s.Alias.Subject) {
		return "", badRequest(codeLoginRequired, "The request is for another user.")
	}
	ar, err := p.validate(ctx, a)
	if err != nil {
		return "", err
	}
	wished, fail := p.wished(ctx, a.client, a.form[paramResource], ar.GetRequestedScopes())
	if fail != nil {
		return "", fail
	}
	// The family's id is the sign-in's: the database refuses a second one.
	ar.SetID(string(s.ID))
	grantScopes(ar, a.client)
	sess := newSession()
	sess.setUser(Grant{User: s.User, Subject: s.Alias.Subject, Session: s.Session, SID: s.Alias.SID, AMR: s.AMR, Claims: claims.names(a.client), AuthTime: s.AuthTime})
	sess.wishes = wished
	// Fosite compares auth_time with the time of the request: that is when it
	// first came, not when the wait for accounts ended.
	ar.RequestedAt = s.CreatedAt.UTC()
	sess.claims.RequestedAt = s.CreatedAt.UTC().Truncate(authTimeUnit)
	resp, err := p.fosite.NewAuthorizeResponse(ctx, ar, sess)
	if err != nil {
		return "", err
	}
	return p.answer(a, url.Values{"code": {resp.GetParameters().Get("code")}}), nil
}

// stored rebuilds the authorization from the sign-in's form.
func (p *Provider) stored(ctx context.Context, s *flow.SignIn) (authorization, *protocolError) {
	a, fail := p.verifyTarget(ctx, s.Request.Form)
	if fail != nil {
		return authorization{}, fail
	}
	if a.redirectURI != s.Request.RedirectURI || a.client.app.ClientID != s.Request.Client {
		return authorization{}, badRequest(codeInvalidRequest, "The application changed during the sign-in.")
	}
	return a, nil
}

// checkFresh refuses a sign-in that should have asked for the password again:
// fosite ignores max_age=0 altogether.
func checkFresh(s *flow.SignIn) *protocolError {
	zero := s.Request.MaxAge != nil && *s.Request.MaxAge == 0
	if (zero || s.Request.Has(promptLogin)) && !s.Fresh {
		return badRequest(codeLoginRequired, "The request asks for a fresh sign-in.")
	}
	return nil
}

// grantScopes grants what was requested; validation allowed it.
func grantScopes(ar *fosite.AuthorizeRequest, c *client) {
	for _, scope := range c.grantable(ar.GetRequestedScopes()) {
		ar.GrantScope(scope)
	}
}

// fail ends a sign-in that cannot be issued.
func (p *Provider) fail(w http.ResponseWriter, r *http.Request, s *flow.SignIn, err error) {
	if endErr := p.end(w, r, s, p.outage(toProtocol(err))); endErr != nil {
		p.errorPage(w, r, internalError(endErr), s.Reference)
	}
}

// end sends an error to the application, once. If the application no longer
// takes answers there, the user sees a page.
func (p *Provider) end(w http.ResponseWriter, r *http.Request, s *flow.SignIn, fail *protocolError) error {
	if s.Request.Device != nil {
		return p.endDevice(w, r, s, fail)
	}
	if err := p.signIns.Ended(r.Context(), s); err != nil {
		return err
	}
	a, gone := p.stored(r.Context(), s)
	if gone != nil {
		p.errorPage(w, r, gone, s.Reference)
		return nil
	}
	p.sendError(w, r, a, fail, s.Reference)
	return nil
}

// signInError shows that there is no such sign-in in this browser.
func (p *Provider) signInError(w http.ResponseWriter, r *http.Request, err error) {
	fail := internalError(err)
	if errors.Is(err, flow.ErrUnknown) || errors.Is(err, flow.ErrForeign) {
		fail = badRequest(codeInvalidRequest, "This sign-in is not known in this browser. Go back to the application and start again.")
	}
	p.errorPage(w, r, fail, flow.NewReference())
}
