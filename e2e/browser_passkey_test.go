package e2e

import (
	"strings"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// authenticator gives the tab one that verifies its user at once.
func (b *tab) authenticator() {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.Fatal(err)
	}
	_, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		b.Fatal(err)
	}
}

// passkeyPages adds a passkey as the user who is signed in, and signs in with it.
func passkeyPages(s *site, b *tab) {
	b.Helper()
	b.authenticator()
	b.open(s.issuer + "/account/passkeys")
	b.shows("Add a passkey")
	b.looksRight("passkeys-none")
	b.fill("name", "Ada's notebook")
	b.submit("form[data-passkey] button")
	b.shows("The passkey is added.")
	b.looksRight("passkeys-added")
	b.click("summary")
	b.looksRight("passkeys-rename")
	b.fill("name-0", "Notebook, the old one")
	b.submit("details button")
	b.shows("The passkey has a new name.")
	b.click("form[data-passkey] button")
	b.shows("on this device or security key already")
	b.looksRight("passkeys-exists")
	beside := b.beside()
	beside.open(s.issuer + "/sign-out")
	beside.submit("button.primary")
	// The script notices, the page asks who it is, and the browser offers the passkey by
	// itself.
	b.click("form[data-passkey] button")
	b.shows("last used")
	withPasskey(s, b)
	b.open(s.issuer + "/account/passkeys")
	b.submit("li > form button")
	b.shows("The passkey is removed.")
}

// withPasskey signs in at the application, by the button.
func withPasskey(s *site, b *tab) {
	b.Helper()
	never := page.AddScriptToEvaluateOnNewDocumentParams{Source: "PublicKeyCredential.isConditionalMediationAvailable = async () => false"}
	if _, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, never); err != nil {
		b.Fatal(err)
	}
	b.open(s.issuer + "/sign-out")
	b.submit("button.primary")
	b.open(s.app + "/login")
	b.shows("Sign in with a passkey")
	b.looksRight("sign-in-passkey")
	b.click("form[data-passkey] button")
	b.at(s.app + "/")
	b.shows("Welcome, Ada Lovelace")
	if text := b.text("main"); !strings.Contains(text, "hwk") {
		b.Errorf("the application was told:\n%s", text)
	}
}
