package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Upstreams signs people in elsewhere; see federation.Service.
type Upstreams interface {
	Offered(ctx context.Context) ([]federation.Upstream, error)
	Begin(ctx context.Context, start federation.Start) (string, error)
	// Take uses the attempt up; the sign-in's browser is ours to check.
	Take(ctx context.Context, upstream, state string) (federation.Attempt, error)
	Finish(ctx context.Context, a federation.Attempt, answer url.Values) (federation.Identity, error)
	// Resolve takes part in ctx's transaction.
	Resolve(ctx context.Context, id federation.Identity, home provisioning.ClientID) (user.User, error)
	Newcomers
	Linker
	Departures
}

func (d *Driver) offered(ctx context.Context) ([]federation.Upstream, error) {
	if d.Upstreams == nil {
		return nil, nil
	}
	return d.Upstreams.Offered(ctx)
}

func buttons(upstreams []federation.Upstream) []web.UpstreamButton {
	out := make([]web.UpstreamButton, len(upstreams))
	for i, u := range upstreams {
		out[i] = web.UpstreamButton{Name: u.Name, Text: u.Button}
	}
	return out
}

// discovers reports whether a login alone may lead to an upstream.
func discovers(upstreams []federation.Upstream) bool {
	return slices.ContainsFunc(upstreams, func(u federation.Upstream) bool { return len(u.Domains) > 0 })
}

// withoutPassword goes to the upstream of the login's domain. A password that was
// typed is never looked at so: it is checked here, as everybody's.
func (d *Driver) withoutPassword(w http.ResponseWriter, r *http.Request, s SignIn, registration bool, login string) error {
	upstreams, err := d.offered(r.Context())
	if err != nil {
		return err
	}
	if u, ok := federation.ByDomain(upstreams, login); ok {
		return d.toUpstream(w, r, s, registration, u.Name, login)
	}
	texts := d.Pages.Texts(r, s.Request.UILocales)
	return d.signInPage(w, r, s, registration, http.StatusUnprocessableEntity, login, texts.T("sign_in.no_password"))
}

// signInWith is a press of an upstream's button.
func (d *Driver) signInWith(w http.ResponseWriter, r *http.Request) error {
	s, form, err := d.postedFor(r)
	if err != nil {
		return err
	}
	st, ok, err := d.arrived(w, r, &s, mayAuthenticate)
	if err != nil || !ok {
		return err
	}
	return d.toUpstream(w, r, s, st.Registration, form.Get(paramWith), s.Request.LoginHint)
}

func (d *Driver) toUpstream(w http.ResponseWriter, r *http.Request, s SignIn, registration bool, name, hint string) error {
	if d.Upstreams == nil {
		return federation.ErrNotFound
	}
	fresh := s.Request.Has(promptLogin) || s.Request.MaxAge != nil
	to, err := d.Upstreams.Begin(r.Context(), federation.Start{Upstream: name, SignIn: string(s.ID), Hint: hint, Fresh: fresh})
	if err != nil {
		return d.upstreamFailed(w, r, s, registration, err)
	}
	seeOther(w, r, to)
	return nil
}

// signedInWith is the upstream's answer. It is the browser's that began the sign-in,
// or nothing is asked of anybody: a code from elsewhere would sign its user in here.
func (d *Driver) signedInWith(w http.ResponseWriter, r *http.Request) error {
	if d.Upstreams == nil {
		return federation.ErrNotFound
	}
	answer := r.URL.Query()
	attempt, err := d.Upstreams.Take(r.Context(), r.PathValue("upstream"), answer.Get("state"))
	if err != nil {
		return err
	}
	if attempt.SignIn == "" {
		return d.link(w, r, attempt, answer)
	}
	s, err := d.load(r, ID(attempt.SignIn))
	if err != nil {
		return err
	}
	st, ok, err := d.arrived(w, r, &s, mayAuthenticate)
	if err != nil || !ok {
		return err
	}
	identity, err := d.Upstreams.Finish(r.Context(), attempt, answer)
	if err == nil {
		err = d.enterAs(w, r, s, identity, func(ctx context.Context, home provisioning.ClientID) (user.User, error) {
			return d.Upstreams.Resolve(ctx, identity, home)
		})
	}
	if err != nil {
		return d.upstreamFailed(w, r, s, st.Registration, err)
	}
	return nil
}

// homeAt returns the application that a new user belongs to. One that registered
// itself has no users of its own: nobody said which accounts they need.
func (d *Driver) homeAt(ctx context.Context, client provisioning.ClientID) (provisioning.ClientID, error) {
	if client == "" { // for a page of ours
		return "", nil
	}
	app, err := d.Applications.Get(ctx, client)
	if err != nil {
		return "", fmt.Errorf("read application: %w", err)
	}
	if app.SelfRegistered {
		return "", nil
	}
	return client, nil
}

// errCodeFirst means that the identity's user has a second factor here.
var errCodeFirst = errors.New("a code comes first")

// resolver finds or makes the user of an identity, in ctx's transaction. A new one's
// home is the application.
type resolver func(ctx context.Context, home provisioning.ClientID) (user.User, error)

func (d *Driver) resolved(ctx context.Context, s SignIn, resolve resolver) (user.User, error) {
	home, err := d.homeAt(ctx, s.Request.Client)
	if err != nil {
		return user.User{}, err
	}
	return resolve(ctx, home)
}

// enterAs signs in the identity's user, or asks for the code of one who has a second
// factor here: an upstream is no way around it. Two tabs may make the same user at
// the same time: the slower one finds them made.
func (d *Driver) enterAs(w http.ResponseWriter, r *http.Request, s SignIn, identity federation.Identity, resolve resolver) error {
	who := func(ctx context.Context) (user.User, error) {
		u, err := d.resolved(ctx, s, resolve)
		if err != nil {
			return u, err
		}
		has, err := d.SecondFactor.Enrolled(ctx, u.ID)
		if err == nil && has {
			err = errCodeFirst
		}
		return u, err
	}
	by := proof{amr: identity.AMR, identity: &identity}
	_, err := d.enter(w, r, s, by, who)
	if isTaken(err) {
		_, err = d.enter(w, r, s, by, who)
	}
	switch {
	case errors.Is(err, errCodeFirst):
		return d.askCodeAs(w, r, s, identity, resolve)
	case errors.Is(err, federation.ErrUnconfirmed):
		return d.askConfirmation(w, r, s, identity)
	case err != nil:
		return err
	default:
		d.toResume(w, r, s)
		return nil
	}
}

// isTaken reports whether another request may have made the same user.
func isTaken(err error) bool {
	wrong, _ := errors.AsType[user.Problems](err)
	return errors.Is(err, federation.ErrLinked) || federation.IsKind(err, federation.KindTaken) ||
		slices.ContainsFunc(wrong, func(p user.Problem) bool { return p.Code == user.CodeLoginTaken })
}

// askCodeAs brings the user up to date without a session and asks for their code.
func (d *Driver) askCodeAs(w http.ResponseWriter, r *http.Request, s SignIn, identity federation.Identity, resolve resolver) error {
	sealed, err := d.sealIdentity(s, identity)
	if err != nil {
		return err
	}
	var u user.User
	err = d.Tx.InTx(r.Context(), func(ctx context.Context) (err error) {
		u, err = d.resolved(ctx, s, resolve)
		return err
	})
	if err != nil {
		return err
	}
	return d.askCode(w, r, s, u, sealed)
}

// sealIdentity returns what is stored of an identity, good for this sign-in alone.
func (d *Driver) sealIdentity(s SignIn, identity federation.Identity) ([]byte, error) {
	held, err := identity.Held()
	if err != nil {
		return nil, err
	}
	sealed, err := d.Sealer.Seal(held, identityAAD(s.ID))
	if err != nil {
		return nil, fmt.Errorf("seal identity: %w", err)
	}
	return sealed, nil
}

func identityAAD(id ID) []byte { return []byte("identity:" + id) }

// openIdentity returns whom an upstream vouched for.
func (d *Driver) openIdentity(ctx context.Context, s SignIn) (federation.Identity, error) {
	if d.Upstreams == nil {
		return federation.Identity{}, federation.ErrNotFound
	}
	held, err := d.Sealer.Open(s.Identity, identityAAD(s.ID))
	if err != nil {
		return federation.Identity{}, fmt.Errorf("open identity: %w", err)
	}
	return d.Upstreams.Recall(ctx, held)
}

// upstreamFailed shows the sign-in page with what went wrong: there may be another
// way in. What the upstream said is for the log.
func (d *Driver) upstreamFailed(w http.ResponseWriter, r *http.Request, s SignIn, registration bool, cause error) error {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	if errors.Is(cause, provisioning.ErrUserInactive) {
		return d.signInPage(w, r, s, registration, http.StatusForbidden, "", texts.T("sign_in.inactive"))
	}
	failed, ok := errors.AsType[*federation.Error](cause)
	if !ok {
		return cause
	}
	d.logger(s).WarnContext(r.Context(), "sign-in with upstream failed", "upstream", failed.Upstream, "kind", string(failed.Kind), "error", failed.Err)
	text := texts.T("upstream."+string(failed.Kind), "upstream", failed.Label)
	return d.signInPage(w, r, s, registration, upstreamStatus(failed.Kind), "", text+" "+texts.T("reference", "reference", s.Reference))
}

// upstreamStatus is the one table from a kind to the page's status.
func upstreamStatus(kind federation.Kind) int {
	switch kind {
	case federation.KindUnavailable:
		return http.StatusServiceUnavailable
	case federation.KindRefused, federation.KindInvalid, federation.KindProfile:
		return http.StatusBadGateway
	default:
		return http.StatusForbidden
	}
}
