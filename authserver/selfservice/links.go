package selfservice

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Links keeps the upstreams that users sign in with; see federation.Service.
type Links interface {
	Offered(ctx context.Context) ([]federation.Upstream, error)
	// LinksOf returns the user's links, the oldest first.
	LinksOf(ctx context.Context, id provisioning.UserID) ([]federation.Link, error)
	// Begin returns the address to send the browser to. It returns
	// federation.ErrNotFound or *federation.Error. The answer is the flow's to take.
	Begin(ctx context.Context, start federation.Start) (string, error)
	// Unlink takes part in ctx's transaction and returns the links that are left to sign
	// in with, or federation.ErrNoLink.
	Unlink(ctx context.Context, l federation.Link) ([]federation.Link, error)
}

const (
	pathLinks  = federation.LinksPath
	pathLink   = pathLinks + "/link"
	pathUnlink = pathLinks + "/unlink"

	fieldUpstream = "upstream"
	fieldIssuer   = "issuer"
	fieldSubject  = "subject"
)

// errLastWay means that a user would have no way to sign in left.
var errLastWay = errors.New("no other way to sign in")

// mountLinks serves what needs a session as fresh as the second factor's.
func (p Pages) mountLinks(handle func(string, func(http.ResponseWriter, *http.Request) error)) {
	handle("GET "+pathLinks, p.signed(pathLinks, freshFor, own(p, "methods", p.showLinks)))
	handle("POST "+pathLink, p.posted(pathLinks, freshFor, own(p, "methods", p.beginLink)))
	handle("POST "+pathUnlink, p.posted(pathLinks, freshFor, own(p, "methods", p.unlink)))
}

func (p Pages) showLinks(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.linksPage(w, r, v, http.StatusOK, "")
}

func (p Pages) linksPage(w http.ResponseWriter, r *http.Request, v visit, status int, problem string) error {
	offered, err := p.Links.Offered(r.Context())
	if err != nil {
		return err
	}
	links, err := p.Links.LinksOf(r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	page := web.LinksPage{
		Link: v.formTo(pathLink), Unlink: v.formTo(pathUnlink), Problem: problem, Done: v.texts.Or("methods.done."+r.URL.Query().Get(paramDone), ""),
	}
	if page.Facts, err = p.methods(r.Context(), v); err != nil {
		return err
	}
	for _, l := range links {
		row := web.LinkRow{Issuer: l.Issuer, Subject: l.Subject, Name: l.Issuer, Text: v.texts.T("methods.off", "time", clockText(l.CreatedAt))}
		if i := slices.IndexFunc(offered, func(u federation.Upstream) bool { return u.Issuer == l.Issuer }); i >= 0 {
			row.Name, row.Text = offered[i].Button, v.texts.T("sessions.since", "time", clockText(l.CreatedAt))
		}
		page.Links = append(page.Links, row)
	}
	for _, u := range offered {
		if !slices.ContainsFunc(links, func(l federation.Link) bool { return l.Issuer == u.Issuer }) {
			page.Offered = append(page.Offered, web.UpstreamButton{Name: u.Name, Text: u.Button})
		}
	}
	p.Pages.Links(w, v.texts, status, page)
	return nil
}

// methods tells of the ways in that are kept on other pages.
func (p Pages) methods(ctx context.Context, v visit) ([]web.Fact, error) {
	password, passkeys, err := p.waysIn(ctx, v.user.ID)
	if err != nil {
		return nil, err
	}
	text := v.texts.T("methods.password_none")
	if password {
		text = v.texts.T("methods.password_set")
	}
	facts := []web.Fact{{Name: v.texts.T("field.password"), Value: text}}
	if p.Passkeys != nil {
		facts = append(facts, web.Fact{Name: v.texts.T("account.passkeys"), Value: v.texts.T("methods.passkeys", "number", passkeys)})
	}
	return facts, nil
}

// waysIn are those beside links.
func (p Pages) waysIn(ctx context.Context, id provisioning.UserID) (password bool, passkeys int, err error) {
	if password, err = p.Users.HasPassword(ctx, id); err != nil || p.Passkeys == nil {
		return password, 0, err
	}
	all, err := p.Passkeys.Of(ctx, id)
	all = slices.DeleteFunc(all, func(k passkey.Passkey) bool { return !k.SuspectAt.IsZero() })
	return password, len(all), err
}

// lockedOut reports whether nothing is left to sign in with.
func (p Pages) lockedOut(ctx context.Context, id provisioning.UserID) (bool, error) {
	password, passkeys, err := p.waysIn(ctx, id)
	if err != nil || password || passkeys > 0 || p.Links == nil {
		return err == nil && !password && passkeys == 0, err
	}
	links, err := p.Links.LinksOf(ctx, id)
	if err != nil {
		return false, err
	}
	offered, err := p.Links.Offered(ctx)
	return !slices.ContainsFunc(links, func(l federation.Link) bool {
		return slices.ContainsFunc(offered, func(u federation.Upstream) bool { return u.Issuer == l.Issuer })
	}), err
}

// beginLink sends the browser to the upstream, which asks again who is there: whoever
// used this browser last may be signed in at it.
func (p Pages) beginLink(w http.ResponseWriter, r *http.Request, v visit) error {
	to, err := p.Links.Begin(r.Context(), federation.Start{
		Upstream: v.form.Get(fieldUpstream), Owner: federation.Owner{User: v.user.ID, Session: v.session.ID}, Fresh: true,
	})
	if failed, ok := errors.AsType[*federation.Error](err); ok {
		p.Log.WarnContext(r.Context(), "link with upstream failed", "user_id", v.user.ID, "upstream", failed.Upstream, "kind", string(failed.Kind), "error", failed.Err)
		return p.linksPage(w, r, v, http.StatusServiceUnavailable, v.texts.T("link."+string(failed.Kind), "upstream", failed.Label))
	}
	if err != nil {
		return err
	}
	web.SecureHeaders(w, web.FormsLeave)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// unlink ends the other sessions, too: whoever has the upstream's identity may be in
// one.
func (p Pages) unlink(w http.ResponseWriter, r *http.Request, v visit) error {
	link := federation.Link{Issuer: v.form.Get(fieldIssuer), Subject: v.form.Get(fieldSubject), User: v.user.ID}
	err := p.Tx.InTx(r.Context(), func(ctx context.Context) error {
		left, err := p.Links.Unlink(ctx, link)
		if err != nil {
			return err
		}
		password, passkeys, err := p.waysIn(ctx, v.user.ID)
		if err != nil {
			return err
		}
		if !password && passkeys == 0 && len(left) == 0 {
			return errLastWay
		}
		return p.Sessions.EndOthersOf(ctx, v.user.ID, v.session.ID)
	})
	switch {
	case errors.Is(err, errLastWay):
		return p.linksPage(w, r, v, http.StatusConflict, v.texts.T("methods.last"))
	case errors.Is(err, federation.ErrNoLink): // another tab was faster
		return p.showLinks(w, r, v)
	case err != nil:
		return err
	}
	p.Log.InfoContext(r.Context(), "user unlinked an upstream", "user_id", v.user.ID, "issuer", link.Issuer)
	web.SecureHeaders(w, web.FormsStay)
	http.Redirect(w, r, pathLinks+"?"+url.Values{paramDone: {"unlinked"}}.Encode(), http.StatusSeeOther)
	return nil
}
