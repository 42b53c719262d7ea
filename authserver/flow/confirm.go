package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Newcomers lets people confirm what an upstream tells before a user is made of it;
// see federation.Service.
type Newcomers interface {
	// Recall returns federation.ErrNotFound if nobody may sign in with the upstream any
	// more.
	Recall(ctx context.Context, held []byte) (federation.Identity, error)
	// Confirm takes part in ctx's transaction. It returns *federation.Error, and
	// user.Problems of what can be typed again.
	Confirm(ctx context.Context, id federation.Identity, typed url.Values, home provisioning.ClientID) (user.User, error)
}

func mayConfirm(step Step) bool { return step.Action == ActionConfirm }

// askConfirmation keeps the identity with the sign-in. There is neither user nor
// session yet.
func (d *Driver) askConfirmation(w http.ResponseWriter, r *http.Request, s SignIn, identity federation.Identity) error {
	sealed, err := d.sealIdentity(s, identity)
	if err != nil {
		return err
	}
	now := d.Now()
	if err := d.move(r.Context(), s, func(s *SignIn) { s.Proven, s.ProvenAt, s.Identity = "", now, sealed }); err != nil {
		return fmt.Errorf("record identity: %w", err)
	}
	d.toResume(w, r, s)
	return nil
}

func (d *Driver) showConfirm(w http.ResponseWriter, r *http.Request) error {
	s, _, ok, err := d.reached(w, r, mayConfirm)
	if err != nil || !ok {
		return err
	}
	identity, err := d.openIdentity(r.Context(), s)
	if err != nil {
		return err
	}
	return d.confirmPage(w, r, s, identity, nil, nil)
}

// confirmPage shows the form: with what the upstream tells at first, later with what
// was typed and what is wrong with it.
func (d *Driver) confirmPage(w http.ResponseWriter, r *http.Request, s SignIn, identity federation.Identity, typed url.Values, problems user.Problems) error {
	texts := d.Pages.Texts(r, s.Request.UILocales)
	status := http.StatusOK
	if len(problems) > 0 {
		status = http.StatusUnprocessableEntity
	}
	values, fixed := url.Values{}, map[string]bool{}
	for _, f := range identity.Draft() {
		values.Set(f.Name, f.Value)
		if fixed[f.Name] = f.Fixed; !f.Fixed && typed != nil {
			values.Set(f.Name, typed.Get(f.Name))
		}
	}
	var fields []web.Field
	for _, f := range profileFields(texts) {
		if !values.Has(f.Name) {
			continue
		}
		switch f.ReadOnly = fixed[f.Name]; {
		case f.ReadOnly:
			f.Required, f.Hint = false, texts.T("confirm.fixed", "upstream", identity.Upstream.Button)
		case f.Hint != "": // nobody signs in with the login here
			f.Hint = texts.T("confirm." + f.Name + ".hint")
		}
		fields = append(fields, f)
	}
	d.Pages.Confirm(w, texts, status, web.ConfirmPage{
		Form: d.form(r, pathConfirm, s.ID), Upstream: identity.Upstream.Button, Fields: filled(texts, fields, values, problems),
		Restart: at(pathSignIn, s.ID), Failed: len(problems) > 0,
	})
	return nil
}

// confirm makes the user as the person wants it, and signs them in.
func (d *Driver) confirm(w http.ResponseWriter, r *http.Request) error {
	s, form, err := d.postedFor(r)
	if err != nil {
		return err
	}
	st, ok, err := d.arrived(w, r, &s, mayConfirm)
	if err != nil || !ok {
		return err
	}
	identity, err := d.openIdentity(r.Context(), s)
	if err != nil {
		return err
	}
	err = d.enterAs(w, r, s, identity, func(ctx context.Context, home provisioning.ClientID) (user.User, error) {
		return d.Upstreams.Confirm(ctx, identity, form, home)
	})
	if _, failed := errors.AsType[*federation.Error](err); failed || errors.Is(err, provisioning.ErrUserInactive) {
		return d.upstreamFailed(w, r, s, st.Registration, err)
	}
	if problems, ok := errors.AsType[user.Problems](err); ok {
		return d.confirmPage(w, r, s, identity, form, problems)
	}
	return err
}
