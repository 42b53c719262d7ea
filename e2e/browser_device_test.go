package e2e

import (
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// deviceInBrowser connects a device, which golang.org/x/oauth2 plays, and refuses
// another.
func deviceInBrowser(s *suite, b *tab, script bool) {
	p := s.partyOf(b.T, suiteDevice)
	p.config.ClientSecret, p.config.Endpoint.AuthStyle = "", oauth2.AuthStyleInParams
	p.config.Scopes = []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess}
	look := func(page string) {
		if script {
			b.looksRight(page)
		}
	}
	asked := p.deviceAsks()
	b.open(asked.VerificationURI)
	look("device")
	b.do(chromedp.SendKeys(chromedp.ID("user_code"), "bcdf ghjk"))
	b.submit("button.primary")
	look("device-unknown")
	b.do(chromedp.Clear(chromedp.ID("user_code")), chromedp.SendKeys(chromedp.ID("user_code"), asked.UserCode))
	b.submit("button.primary")
	look("device-confirm")
	b.submit("button.primary")
	b.at(s.issuer + "/device/done")
	look("device-done")
	token, err := p.config.DeviceAccessToken(b.ctx, asked)
	if err != nil {
		b.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if id, err := p.provider.Verifier(&oidc.Config{ClientID: suiteDevice}).Verify(b.ctx, raw); err != nil || id.Subject != string(s.user.ID) || token.RefreshToken == "" {
		b.Errorf("tokens = %+v, %v; want them for %s", token, err, s.user.ID)
	}
	asked = p.deviceAsks()
	b.open(asked.VerificationURIComplete)
	b.submit("button.quiet")
	b.at(s.issuer + "/device/done")
	_, err = p.config.DeviceAccessToken(b.ctx, asked)
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != "access_denied" {
		b.Errorf("the refused device got %v, want access_denied", err)
	}
}

// deviceAsks asks for codes. The tests are in more of a hurry than devices.
func (p *party) deviceAsks() *oauth2.DeviceAuthResponse {
	p.Helper()
	asked, err := p.config.DeviceAuth(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	asked.Interval = 1
	return asked
}

// corsInBrowser calls the server from a page of the device's application, and then in
// the name of another application, which that page is none of.
func corsInBrowser(s *suite, b *tab) {
	b.open(s.app + "/spa")
	call := func(client string) string {
		eval[chromedp.Void](b, fmt.Sprintf(`window.got = ""
			fetch(%q).then((r) => r.json())
				.then((m) => fetch(m.device_authorization_endpoint, {method: "POST", headers: {DPoP: "x"}, body: new URLSearchParams({client_id: %q})}))
				.then((r) => got = "status " + r.status, (e) => got = String(e))`, s.issuer+"/.well-known/openid-configuration", client))
		b.until("got != ''")
		return eval[string](b, "got")
	}
	if got := call(suiteDevice); got != "status 200" {
		b.Errorf("a page of the application got %s", got)
	}
	if got := call(suiteFront); !strings.HasPrefix(got, "TypeError") {
		b.Errorf("a page of another application got %s", got)
	}
	if blocked := strings.Join(b.complained(), "\n"); !strings.Contains(blocked, "CORS") {
		b.Errorf("the browser complains of %q, want CORS", blocked)
	}
}
