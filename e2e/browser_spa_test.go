package e2e

import (
	"slices"

	"github.com/chromedp/chromedp"

	"github.com/anteroom-id/anteroom/e2e/peers"
)

// spaInBrowser is an application that has only its page, on oidc-client-ts: it fetches
// the metadata, tokens and UserInfo from there, and keeps what it got in the tab.
func spaInBrowser(s *suite, b *tab) {
	library := peers.BrowserLibrary(b.T)
	settings := marshal(map[string]any{
		"authority": s.issuer, "client_id": suiteSPA, "redirect_uri": s.app + "/spa", "post_logout_redirect_uri": s.app + "/out",
		"scope": "openid profile email offline_access", "loadUserInfo": true, "automaticSilentRenew": false,
	})
	load := func() { eval[chromedp.Void](b, library+"\nwindow.users = new oidc.UserManager("+settings+"); void 0") }
	b.open(s.app + "/spa")
	load()
	eval[chromedp.Void](b, "void users.signinRedirect()")
	b.at(s.issuer + "/sign-in")
	b.do(chromedp.SendKeys(chromedp.ID("login"), s.user.Login), chromedp.SendKeys(chromedp.ID("password"), password))
	b.submit("button.primary")
	b.at(s.app + "/spa")
	load()
	eval[chromedp.Void](b, `window.got = null
		users.signinRedirectCallback()
			.then(async (first) => [first, await users.signinSilent()])
			.then(([first, next]) => got = [first.profile.sub, next.profile.sub, first.profile.email, String(next.refresh_token !== first.refresh_token)],
				(e) => got = [String(e)])
		void 0`)
	b.until("got !== null")
	if got, want := eval[[]string](b, "got"), []string{string(s.user.ID), string(s.user.ID), s.user.Email, "true"}; !slices.Equal(got, want) {
		b.Errorf("the page got %q, want %q", got, want)
	}
	eval[chromedp.Void](b, "void users.signoutRedirect()")
	b.at(s.app + "/out")
	b.open(s.app + "/spa")
	load()
	eval[chromedp.Void](b, `void users.signinRedirect({prompt: "none"})`)
	b.until("location.search.includes('error=login_required')")
}
