package selfservice

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/web"
)

// fieldSession is the session to end; without it all others end.
const fieldSession = "session"

func (p Pages) showSessions(w http.ResponseWriter, r *http.Request, v visit) error {
	live, err := p.Sessions.Of(r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	page := web.SessionsPage{Form: v.formTo(pathSessions)}
	for _, s := range live {
		row := web.SessionRow{
			ID: s.ID, Browser: browserText(v.texts, s.Agent), Address: s.Address,
			Since: clockText(s.AuthTime), Used: clockText(s.UsedAt), Current: s.ID == v.session.ID,
		}
		page.Sessions = append(page.Sessions, row)
	}
	slices.SortStableFunc(page.Sessions, func(a, b web.SessionRow) int { // ours first
		switch {
		case a.Current == b.Current:
			return 0
		case a.Current:
			return -1
		default:
			return 1
		}
	})
	page.Others = len(page.Sessions) > 1
	p.Pages.Sessions(w, v.texts, page)
	return nil
}

// endSessions ends one session of the user, or all but this one.
func (p Pages) endSessions(w http.ResponseWriter, r *http.Request, v visit) error {
	id, what := v.form.Get(fieldSession), "session"
	end := func(ctx context.Context) error { return p.Sessions.EndOneOf(ctx, v.user.ID, id) }
	if id == "" {
		what = "sessions"
		end = func(ctx context.Context) error { return p.Sessions.EndOthersOf(ctx, v.user.ID, v.session.ID) }
	}
	if err := p.Tx.InTx(r.Context(), end); err != nil {
		return err
	}
	return did(w, r, what)
}

// named are parts of a browser's name for itself, most telling first: almost all of
// them claim to be Safari.
func named() (browsers, systems [][2]string) {
	return [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}},
		[][2]string{{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
}

// browserText says which browser it was, as far as it told.
func browserText(t web.Texts, agent string) string {
	browsers, systems := named()
	browser, system := find(browsers, agent), find(systems, agent)
	switch {
	case browser == "":
		return t.T("sessions.unknown")
	case system == "":
		return browser
	default:
		return t.T("sessions.browser", "browser", browser, "system", system)
	}
}

func find(names [][2]string, agent string) string {
	for _, n := range names {
		if strings.Contains(agent, n[0]) {
			return n[1]
		}
	}
	return ""
}
