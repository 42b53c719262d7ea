package e2e

import (
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"
)

// TestBrowserProtocol looks at the pages of the protocol in Chromium, with and
// without JavaScript.
func TestBrowserProtocol(t *testing.T) {
	long(t)
	chromium := startChromium(t)
	s := startSuite(t)
	for _, script := range []bool{true, false} {
		for _, width := range []int64{1280, 390} {
			name := map[bool]string{true: "script", false: "no script"}[script] + map[int64]string{1280: ", wide", 390: ", narrow"}[width]
			t.Run(name, func(t *testing.T) {
				b := newTab(t, chromium)
				b.do(chromedp.EmulateViewport(width, 800))
				if !script {
					if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
						t.Fatal(err)
					}
				}
				formPostInBrowser(s, b, script)
				consentInBrowser(s, b, script)
				deviceInBrowser(s, b, script)
				if script {
					corsInBrowser(s, b)
				}
				frontchannelInBrowser(s, b, script)
				if script && width == 1280 {
					spaInBrowser(s, b)
				}
			})
		}
	}
}

// formPostInBrowser signs in; the answer is posted by itself, or by the button.
func formPostInBrowser(s *suite, b *tab, script bool) {
	p := s.partyOf(b.T, suiteFront)
	p.config.RedirectURL = s.app + "/callback"
	b.open(p.request(oauth2.SetAuthURLParam("response_mode", "form_post")).url)
	b.do(chromedp.SendKeys(chromedp.ID("login"), s.user.Login), chromedp.SendKeys(chromedp.ID("password"), password))
	b.submit("button.primary")
	if !script {
		b.picture("form-post")
		b.submit("button.primary")
	}
	b.at(s.app + "/callback")
	if r := s.posts(b.T); r.PostForm.Get("code") == "" || r.PostForm.Get("state") == "" || r.PostForm.Get("iss") != s.issuer {
		b.Errorf("the application got %v", r.PostForm)
	}
}

// consentInBrowser is asked, allows, and is not asked again.
func consentInBrowser(s *suite, b *tab, script bool) {
	p := s.partyOf(b.T, suiteAsks)
	p.config.RedirectURL, p.config.Scopes = s.app+"/callback", []string{"openid", "profile", "email", "phone", "offline_access"}
	b.open(p.request(oauth2.SetAuthURLParam("prompt", "consent")).url)
	if script {
		b.looksRight("consent")
	}
	b.submit("button.primary")
	b.at(s.app + "/callback")
	b.open(p.request().url)
	b.at(s.app + "/callback")
	b.open(p.request(oauth2.SetAuthURLParam("prompt", "consent")).url)
	b.submit("button.quiet")
	b.at(s.app + "/callback")
	strangerInBrowser(s, b, script)
}

// strangerInBrowser is asked about an application that registered itself.
func strangerInBrowser(s *suite, b *tab, script bool) {
	p := s.registered(b.T, map[string]any{
		"client_name": "A Stranger", "redirect_uris": []string{s.app + "/callback"}, "policy_uri": "https://rp.example/policy", "tos_uri": "https://rp.example/terms",
	})
	p.config.RedirectURL = s.app + "/callback"
	b.open(p.request().url)
	if script {
		b.looksRight("consent-stranger")
	}
	b.submit("button.primary")
	b.at(s.app + "/callback")
}

// frontchannelInBrowser signs in and out; the application's frame is loaded, and
// the browser comes back to it.
func frontchannelInBrowser(s *suite, b *tab, script bool) {
	p := s.partyOf(b.T, suiteFront)
	p.config.RedirectURL = s.app + "/callback"
	b.open(p.request().url)
	b.at(s.app + "/callback")
	b.open(p.endpoint(b.T, "end_session_endpoint") + "?" + url.Values{
		"client_id": {suiteFront}, "post_logout_redirect_uri": {s.app + "/out"}, "state": {"s"},
	}.Encode())
	b.picture("sign-out-asked")
	b.submit("button.primary")
	if !script { // with a script it is gone at once
		b.picture("signing-out")
	}
	if r := s.hears(b.T); r.URL.Path != "/frontchannel_logout" || r.URL.Query().Get("iss") != s.issuer || r.URL.Query().Get("sid") == "" {
		b.Errorf("the frame is %s", r.URL)
	}
	b.at(s.app + "/out")
}

// at waits until the tab is at an address, whatever its query.
func (b *tab) at(address string) {
	b.Helper()
	eventually(b.T, address, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.documents) == 0 {
			return false
		}
		last := *b.documents[len(b.documents)-1].url
		last.RawQuery = ""
		return last.String() == address
	})
}
