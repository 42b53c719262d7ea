package e2e

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/provisioning"
)

// auditJS lists what is wrong with how a page looks.
//
//go:embed testdata/audit.js
var auditJS string

// views are the windows every page is looked at in.
var views = []struct {
	name          string
	width, height int64
	scheme        string
}{
	{"1280-light", 1280, 800, "light"},
	{"1280-dark", 1280, 800, "dark"},
	{"390-light", 390, 844, "light"},
	{"390-dark", 390, 844, "dark"},
	{"320-light", 320, 568, "light"}, // 1280 at a zoom of 400 % (WCAG 2.2, 1.4.10)
}

// looksRight audits the page in every view and, when ANTEROOM_SCREENSHOTS names
// a folder, leaves pictures there.
func (b *tab) looksRight(page string) {
	b.Helper()
	for _, v := range views {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}}
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
			b.Fatal(err)
		}
		b.do(chromedp.EmulateViewport(v.width, v.height))
		b.until(fmt.Sprintf("innerWidth == %d", v.width))
		for _, problem := range eval[[]string](b, auditJS) {
			b.Errorf("%s, %s: %s", page, v.name, problem)
		}
		b.picture(page + "-" + v.name)
	}
}

func (b *tab) picture(name string) {
	b.Helper()
	folder := os.Getenv("ANTEROOM_SCREENSHOTS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600); err != nil {
		b.Fatal(err)
	}
}

// everyPage walks through all pages and looks at each.
func everyPage(t *testing.T, chromium context.Context) {
	s, b := startSiteAt(t, "localhost", "timeout: 60s"), newTab(t, chromium)
	b.open(s.app)
	b.looksRight("app")
	b.click(`a[href="/login"]`)
	b.shows("to continue to Payroll")
	b.looksRight("sign-in")
	b.fill("login", "ada", "password", "wrong")
	b.submit("button.primary")
	b.looksRight("sign-in-wrong")
	b.click(".aside a")
	b.shows("to use Payroll")
	b.looksRight("register")
	eval[chromedp.Void](b, `document.querySelector("form").noValidate = true`)
	b.fill("login", "a b", "email", "ada@", "given_name", "Ada", "password", "short")
	b.submit("button.primary")
	b.looksRight("register-errors")
	waitingPages(s, b)
	consolePages(s, b)
	accountPages(s, b)
	b.open(s.issuer + "/oauth2/authorize?client_id=nobody&response_type=code")
	b.looksRight("error")
	b.open(s.issuer + "/")
	b.looksRight("home")
	b.open(s.issuer + "/sign-out")
	b.looksRight("sign-out")
	b.submit("button.primary")
	b.looksRight("sign-out-done")
	b.open(s.issuer + "/recover")
	b.looksRight("recover")
	b.fill("login", "nobody")
	b.submit("button.primary")
	b.shows("If there is an account")
	b.looksRight("recover-sent")
	b.open(s.issuer + "/recover/password?link=x")
	b.looksRight("recover-link")
	failedPages(t, chromium)
}

func waitingPages(s *site, b *tab) {
	makeStaff, makeBadge := hold(s.proxy), hold(s.badges)
	s.register(b, "ada")
	b.until(line("badges", "being set up"))
	b.looksRight("wait")
	b.looksRightWithLongWords()
	makeStaff()
	b.until(line("directory", "ready"))
	b.looksRight("wait-half-done")
	makeBadge()
	s.landed(b, "ada")
	b.looksRight("done")
	b.open(s.page)
	b.looksRight("directory")
}

// accountPages looks at self-service, as the user who is signed in.
func accountPages(s *site, b *tab) {
	b.open(s.issuer + "/account")
	b.shows("Systems you have accounts in")
	b.looksRight("account")
	b.open(s.issuer + "/account/applications")
	b.shows("Withdraw access") // what the application holds ends with the password
	b.looksRight("applications")
	b.open(s.issuer + "/account")
	b.click(`a[href="/account/password"]`)
	b.shows("You stay signed in here")
	b.looksRight("password")
	b.fill("current_password", "wrong", "password", "dragon 84 river 17 cloud")
	b.submit("button.primary")
	b.shows("This is not your current password.")
	b.looksRight("password-wrong")
	b.fill("current_password", password, "password", "dragon 84 river 17 cloud")
	b.submit("button.primary")
	b.shows("Your password is changed.")
	b.looksRight("account-done")
	other := newTab(b.T, b.ctx)
	other.open(s.issuer + "/account")
	other.shows("to manage your account")
	other.looksRight("sign-in-own")
	other.fill("login", "ada", "password", "dragon 84 river 17 cloud")
	other.submit("button.primary")
	other.shows("Systems you have accounts in")
	b.open(s.issuer + "/account/sessions")
	b.shows("Sign out everywhere else")
	b.looksRight("sessions")
	passkeyPages(s, b)
	secondFactorPages(s, b, other)
	b.open(s.issuer + "/account/delete")
	b.shows("cannot be undone")
	b.looksRight("delete")
}

// secondFactorPages turns an authenticator app on, and signs in with it in another
// browser.
func secondFactorPages(s *site, b, other *tab) {
	b.Helper()
	b.open(s.issuer + "/account/second-factor")
	b.shows("Nobody gets in with the password alone")
	b.looksRight("factor-off")
	b.submit("button.primary")
	b.shows("Scan this")
	b.looksRight("factor-pending")
	code, err := totp.GenerateCode(eval[string](b, `document.querySelector("code").textContent`), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	b.fill("code", code)
	b.submit("button.primary")
	b.shows("Keep these recovery codes")
	b.looksRight("factor-codes")
	recovery := eval[string](b, `document.querySelector(".codes li").textContent`)
	b.open(s.issuer + "/account/second-factor")
	b.shows("Recovery codes left: 10.")
	b.looksRight("factor-on")
	other.open(s.issuer + "/account")
	other.shows("to manage your account")
	other.fill("login", "ada", "password", "dragon 84 river 17 cloud")
	other.submit("button.primary")
	other.shows("Your password was right.")
	other.looksRight("sign-in-code")
	other.fill("code", "000000")
	other.submit("button.primary")
	other.shows("This code is wrong")
	other.looksRight("sign-in-code-wrong")
	other.fill("code", recovery)
	other.submit("button.primary")
	other.shows("Systems you have accounts in")
}

// looksRightWithLongWords puts names on the page that admins may choose.
func (b *tab) looksRightWithLongWords() {
	b.Helper()
	eval[chromedp.Void](b, `for (const e of document.querySelectorAll("h1, .target, button")) {
		e.dataset.short = e.textContent;
		e.textContent += " " + "x".repeat(64);
	}`)
	b.looksRight("long-words")
	eval[chromedp.Void](b, `for (const e of document.querySelectorAll("[data-short]")) e.textContent = e.dataset.short`)
}

func failedPages(t *testing.T, chromium context.Context) {
	s, b := startSite(t, "timeout: 1s"), newTab(t, chromium)
	s.directory.SetMode(directory.Down)
	s.register(b, "ada")
	b.shows("Payroll is not ready for you yet")
	b.looksRight("failed")
	b.submit("button.quiet")
	b.looksRight("app-unavailable")
	s.directory.SetMode(directory.Refuse)
	b = newTab(t, chromium)
	s.register(b, "grace")
	b.shows("You cannot continue to Payroll")
	s.account(t, "grace", func(a provisioning.Account) bool { return a.State == provisioning.StateFailed })
	b.looksRight("denied")
	b.submit("button.quiet")
	b.looksRight("app-denied")
}
