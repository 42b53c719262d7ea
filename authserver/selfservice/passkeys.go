package selfservice

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Passkeys keeps the passkeys of users; see passkey.Service.
type Passkeys interface {
	Of(ctx context.Context, id provisioning.UserID) ([]passkey.Passkey, error)
	// Invite returns what a browser is to make a passkey with, as JSON. The answer
	// counts once, for the same bound.
	Invite(ctx context.Context, o passkey.Owner, bound string) ([]byte, error)
	// Add returns passkey.ErrRefused, passkey.ErrTaken, passkey.ErrMany or
	// *passkey.NameError.
	Add(ctx context.Context, o passkey.Owner, bound, name, answer string) error
	// Rename returns passkey.ErrNone or *passkey.NameError.
	Rename(ctx context.Context, id provisioning.UserID, key []byte, name string) error
	// Remove returns passkey.ErrNone.
	Remove(ctx context.Context, id provisioning.UserID, key []byte) error
}

const (
	pathPasskeys      = "/account/passkeys"
	pathPasskeyAsk    = "/account/passkeys/challenge"
	pathPasskeyRename = "/account/passkeys/rename"
	pathPasskeyRemove = "/account/passkeys/remove"

	fieldAnswer  = "answer"
	fieldName    = "name"
	fieldPasskey = "passkey"
)

// mountPasskeys serves what needs a session as fresh as the second factor's.
func (p Pages) mountPasskeys(handle func(string, func(http.ResponseWriter, *http.Request) error)) {
	handle("GET "+pathPasskeys, p.signed(pathPasskeys, freshFor, own(p, "passkeys", p.showPasskeys)))
	handle("POST "+pathPasskeyAsk, p.posted(pathPasskeys, freshFor, own(p, "passkeys", p.invitePasskey)))
	handle("POST "+pathPasskeys, p.posted(pathPasskeys, freshFor, own(p, "passkeys", p.addPasskey)))
	handle("POST "+pathPasskeyRename, p.posted(pathPasskeys, freshFor, own(p, "passkeys", p.renamePasskey)))
	handle("POST "+pathPasskeyRemove, p.posted(pathPasskeys, freshFor, own(p, "passkeys", p.removePasskey)))
}

// own serves users of our own, and tells the others why not on a page of that name.
// A way in of our own, of one whom an upstream signs in, would outlast their account
// there.
func own(p Pages, page string, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, v visit) error {
		if v.user.Source == "" {
			return h(w, r, v)
		}
		p.Pages.Message(w, v.texts, web.MessagePage{
			Status: http.StatusForbidden, Title: "account." + page, Text: page + ".source", Link: pathAccount, LinkText: v.texts.T("account.back"),
		})
		return nil
	}
}

func (p Pages) showPasskeys(w http.ResponseWriter, r *http.Request, v visit) error {
	done := v.texts.Or("passkeys.done."+r.URL.Query().Get(paramDone), "")
	return p.passkeysPage(w, r, v, http.StatusOK, web.PasskeysPage{Done: done})
}

// passkeysPage fills in what is on the page anyway.
func (p Pages) passkeysPage(w http.ResponseWriter, r *http.Request, v visit, status int, page web.PasskeysPage) error {
	all, err := p.Passkeys.Of(r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	for _, k := range all {
		page.Passkeys = append(page.Passkeys, passkeyRow(v.texts, k))
	}
	page.Add = web.PasskeyForm{Form: v.formTo(pathPasskeys), Challenge: pathPasskeyAsk, Page: pathPasskeys}
	page.Rename, page.Remove = v.formTo(pathPasskeyRename), v.formTo(pathPasskeyRemove)
	f := &page.Field
	f.Name, f.Label, f.Type, f.Autocomplete, f.Required = fieldName, v.texts.T("field.passkey_new"), "text", "off", true
	if f.Problem == "" {
		f.Value = browserText(v.texts, r.UserAgent())
	}
	p.Pages.Passkeys(w, v.texts, status, page)
	return nil
}

func passkeyRow(t web.Texts, k passkey.Passkey) web.PasskeyRow {
	text := t.T("passkeys.device", "time", clockText(k.CreatedAt))
	if k.Synced {
		text = t.T("passkeys.synced", "time", clockText(k.CreatedAt))
	}
	used := t.T("passkeys.unused")
	if !k.UsedAt.IsZero() {
		used = t.T("passkeys.used", "time", clockText(k.UsedAt))
	}
	row := web.PasskeyRow{ID: base64.RawURLEncoding.EncodeToString(k.ID), Name: k.Name, Text: text + " · " + used}
	if !k.SuspectAt.IsZero() {
		row.Warning = t.T("passkeys.suspect")
	}
	return row
}

// passwordDone is what to say after a new password: passkeys sign in whoever added them.
func (p Pages) passwordDone(ctx context.Context, v visit) (string, error) {
	if p.Passkeys == nil {
		return "password", nil
	}
	all, err := p.Passkeys.Of(ctx, v.user.ID)
	if len(all) > 0 {
		return "password_passkeys", err
	}
	return "password", err
}

func (v visit) owner() passkey.Owner {
	return passkey.Owner{ID: v.user.ID, Login: v.user.Login, Name: v.user.Name}
}

func (p Pages) invitePasskey(w http.ResponseWriter, r *http.Request, v visit) error {
	options, err := p.Passkeys.Invite(r.Context(), v.owner(), v.purpose())
	if err != nil {
		return err
	}
	web.JSON(w, options)
	return nil
}

// addPasskey leaves the other sessions alone: nothing they began with has changed.
func (p Pages) addPasskey(w http.ResponseWriter, r *http.Request, v visit) error {
	name := v.form.Get(fieldName)
	err := p.Passkeys.Add(r.Context(), v.owner(), v.purpose(), name, v.form.Get(fieldAnswer))
	problem, named := errors.AsType[*passkey.NameError](err)
	switch {
	case named:
		return p.passkeysPage(w, r, v, http.StatusUnprocessableEntity, web.PasskeysPage{Field: web.Field{Value: name, Problem: nameProblem(v, problem)}})
	case errors.Is(err, passkey.ErrRefused):
		p.Log.InfoContext(r.Context(), "passkey refused", "user_id", v.user.ID, "error", err)
		return p.passkeyProblem(w, r, v, "passkeys.failed")
	case errors.Is(err, passkey.ErrTaken):
		return p.passkeyProblem(w, r, v, "passkeys.exists")
	case errors.Is(err, passkey.ErrMany):
		return p.passkeyProblem(w, r, v, "passkeys.many")
	case err != nil:
		return err
	}
	p.Log.InfoContext(r.Context(), "user added a passkey", "user_id", v.user.ID)
	return didPasskey(w, r, "added")
}

func (p Pages) renamePasskey(w http.ResponseWriter, r *http.Request, v visit) error {
	err := p.Passkeys.Rename(r.Context(), v.user.ID, v.passkeyID(), v.form.Get(fieldName))
	problem, named := errors.AsType[*passkey.NameError](err)
	switch {
	case named:
		return p.passkeysPage(w, r, v, http.StatusUnprocessableEntity, web.PasskeysPage{Problem: nameProblem(v, problem)})
	case errors.Is(err, passkey.ErrNone):
		return p.passkeyProblem(w, r, v, "passkeys.gone")
	case err != nil:
		return err
	}
	return didPasskey(w, r, "renamed")
}

// removePasskey ends the other sessions: whoever has the key may be in one.
func (p Pages) removePasskey(w http.ResponseWriter, r *http.Request, v visit) error {
	err := p.Tx.InTx(r.Context(), func(ctx context.Context) error {
		if err := p.dropPasskey(ctx, v); err != nil {
			return err
		}
		return p.Sessions.EndOthersOf(ctx, v.user.ID, v.session.ID)
	})
	switch {
	case errors.Is(err, passkey.ErrNone):
		return p.passkeyProblem(w, r, v, "passkeys.gone")
	case errors.Is(err, errLastWay):
		return p.passkeyProblem(w, r, v, "methods.last")
	case err != nil:
		return err
	}
	p.Log.InfoContext(r.Context(), "user removed a passkey", "user_id", v.user.ID)
	return didPasskey(w, r, "removed")
}

// dropPasskey returns errLastWay if the user could sign in before and could not after it.
func (p Pages) dropPasskey(ctx context.Context, v visit) error {
	before, err := p.lockedOut(ctx, v.user.ID)
	if err != nil {
		return err
	}
	if err := p.Passkeys.Remove(ctx, v.user.ID, v.passkeyID()); err != nil {
		return err
	}
	after, err := p.lockedOut(ctx, v.user.ID)
	if after && !before {
		return errors.Join(errLastWay, err)
	}
	return err
}

// passkeyID is the passkey the form is about; none if it is nonsense.
func (v visit) passkeyID() []byte {
	id, err := base64.RawURLEncoding.DecodeString(v.form.Get(fieldPasskey))
	if err != nil {
		return nil
	}
	return id
}

func nameProblem(v visit, problem *passkey.NameError) string {
	return v.texts.Or("problem.passkey_name."+problem.Reason, problem.Error())
}

func (p Pages) passkeyProblem(w http.ResponseWriter, r *http.Request, v visit, key string) error {
	return p.passkeysPage(w, r, v, http.StatusUnprocessableEntity, web.PasskeysPage{Problem: v.texts.T(key)})
}

// didPasskey goes back to the list, which says what was done.
func didPasskey(w http.ResponseWriter, r *http.Request, what string) error {
	web.SecureHeaders(w, web.FormsStay)
	http.Redirect(w, r, pathPasskeys+"?"+url.Values{paramDone: {what}}.Encode(), http.StatusSeeOther)
	return nil
}
