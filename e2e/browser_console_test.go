package e2e

import (
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/admin"
)

// consolePages looks at the console as the user who is signed in, who is no
// administrator at first, and binds an application to a target on the way.
func consolePages(s *site, b *tab) {
	b.Helper()
	b.open(s.issuer + "/admin")
	b.shows("You may not do that")
	b.looksRight("console-forbidden")
	ada, err := s.Users.ByLogin(b.Context(), "ada")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Admins.Grant(b.Context(), ada.ID, admin.RoleAdmin, s.Now()); err != nil {
		b.Fatal(err)
	}
	b.open(s.issuer + "/admin")
	b.shows("directory (blocking)")
	b.looksRight("console-applications")
	b.click(`a[href="/admin/applications/new"]`)
	b.shows("No target yet")
	b.looksRight("console-application-new")
	b.fill("f-client_id", "wiki")
	redirects := func(uri string) {
		eval[string](b, fmt.Sprintf(`document.getElementById("f-redirect_uris").value = %q`, uri))
	}
	redirects("not a uri")
	b.click(`button[value="add"]`)
	b.shows("Sign-in goes on at once; the account is made in the background.")
	b.click("#f-outbound_provisioning-0-blocking")
	b.shows("Sign-in waits until the account exists") // by the script: nothing was sent
	eval[any](b, `document.querySelectorAll("details").forEach((d) => { d.open = true })`)
	b.submit(".actions button.primary")
	b.shows("must be")
	b.looksRight("console-application-errors")
	redirects("https://wiki.example/cb")
	b.submit(".actions button.primary")
	b.shows("It is shown this once")
	b.looksRight("console-secret")
	b.click("a.button.primary")
	b.shows("Sign-in waits until the account exists")
	b.looksRight("console-application")
	eval[any](b, `document.querySelectorAll("details").forEach((d) => { d.open = true }) ?? document.getElementById("outbound").scrollIntoView() ?? 0`)
	b.looksRight("console-application-outbound")
	b.click(`a[href="/admin/applications/wiki/delete"]`)
	b.shows("This cannot be undone")
	b.fill("name", "wicked")
	b.submit("button.danger")
	b.shows("This is not its client ID")
	b.looksRight("console-delete")
	b.fill("name", "wiki")
	b.submit("button.danger")
	b.shows("Deleted.")
	b.open(s.issuer + "/admin/nowhere")
	b.looksRight("console-not-found")
}
