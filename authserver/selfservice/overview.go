package selfservice

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

func (p Pages) showAccount(w http.ResponseWriter, r *http.Request, v visit) error {
	systems, err := p.systems(r, v)
	if err != nil {
		return err
	}
	u, t := v.user, v.texts
	page := web.AccountPage{Systems: systems, Done: t.Or("account.done."+r.URL.Query().Get(paramDone), ""), Links: p.links(v)}
	email := u.Email
	if u.EmailVerified {
		email = t.T("account.email_verified", "email", email)
	}
	for _, f := range [][2]string{{"login", u.Login}, {"name", u.Name}, {"email", email}, {"phone_number", u.PhoneNumber}, {"groups", strings.Join(u.Groups, ", ")}} {
		if f[1] != "" {
			page.Facts = append(page.Facts, web.Fact{Name: t.T("field." + f[0]), Value: f[1]})
		}
	}
	if p.Verify != nil && u.Email != "" && !u.EmailVerified {
		form := v.formTo(pathVerify)
		page.Verify = &form
	}
	p.Pages.Account(w, t, page)
	return nil
}

// links are the other pages.
func (p Pages) links(v visit) []web.Link {
	t := v.texts
	links := []web.Link{{URL: pathPassword, Text: t.T("account.password")}, {URL: pathFactor, Text: t.T("account.factor")}}
	if p.Passkeys != nil && v.user.Source == "" {
		links = append(links, web.Link{URL: pathPasskeys, Text: t.T("account.passkeys")})
	}
	if p.Links != nil && v.user.Source == "" {
		links = append(links, web.Link{URL: pathLinks, Text: t.T("account.methods")})
	}
	return append(links, []web.Link{
		{URL: pathSessions, Text: t.T("account.sessions")},
		{URL: pathPermissions, Text: t.T("account.permissions")},
		{URL: pathDelete, Text: t.T("account.delete")},
		{URL: "/sign-out", Text: t.T("sign_out.title")},
	}...)
}

// verifyEmail mails a link; how often, the mail's own limit says.
func (p Pages) verifyEmail(w http.ResponseWriter, r *http.Request, v visit) error {
	if err := p.Verify(r.Context(), v.user.ID, v.texts.Lang); err != nil {
		return err
	}
	return did(w, r, "verify")
}

// systems lists where the user has accounts, or is about to.
func (p Pages) systems(r *http.Request, v visit) ([]web.Fact, error) {
	accounts, err := p.Accounts.Of(r.Context(), v.user.ID)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	var out []web.Fact
	for _, a := range accounts {
		if key := standing(a.State); key != "" {
			out = append(out, web.Fact{Name: string(a.Target), Value: v.texts.T(key)})
		}
	}
	return out, nil
}

// standing is the text for an account's state, "" for one that is not there.
func standing(s provisioning.State) string {
	switch s {
	case provisioning.StateInSync:
		return "progress.done"
	case provisioning.StatePending, provisioning.StateRetrying:
		return "progress.working"
	case provisioning.StateFailed:
		return "progress.failed"
	case provisioning.StateSuspended:
		return "progress.suspended"
	default:
		return ""
	}
}

// clockText is a time for people; they may be anywhere, so it names its zone.
func clockText(at time.Time) string { return at.UTC().Format("2 Jan 2006, 15:04 UTC") }
