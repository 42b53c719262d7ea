package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

const adminPassword = "correct horse staple"

// consoleVisit is a server with a console, and a browser without JavaScript at it.
type consoleVisit struct {
	*testing.T
	*System
	b *browser.Browser
}

func newConsole(t *testing.T) *consoleVisit {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dir := newDir(t)
	s := openSystemIn(t, dir, "sqlite://"+filepath.Join(dir, "db"))
	s.Config.Issuer = "http://" + listener.Addr().String()
	s.buildStores() // again, for another issuer
	s.buildUsers()
	h, err := s.Handler(t.Context())
	must(t, err)
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(listener) }()
	t.Cleanup(func() { _ = srv.Close() })
	return &consoleVisit{t, s, browser.New()}
}

// person registers somebody with a role, "" for none.
func (c *consoleVisit) person(login string, role admin.Role) provisioning.UserID {
	c.Helper()
	u, err := c.Users.Register(c.Context(), user.User{Login: login, Email: login + "@example.com", GivenName: login, FamilyName: "Doe"}, adminPassword)
	must(c, err)
	if role != "" {
		must(c, c.Admins.Grant(c.Context(), u.ID, role, c.Now()))
	}
	return u.ID
}

func (c *consoleVisit) get(path string) *browser.Page {
	c.Helper()
	p, err := c.b.Get(c.Context(), c.Config.Issuer+path)
	must(c, err)
	return p
}

func (c *consoleVisit) submit(p *browser.Page, action string, fill map[string]string) *browser.Page {
	c.Helper()
	next, err := c.b.Submit(c.Context(), p, action, fill)
	must(c, err)
	return next
}

// enter opens a page of the console in a new browser, signing in on the way.
func (c *consoleVisit) enter(login, path string) *browser.Page {
	c.Helper()
	c.b = browser.New()
	p := c.get(path)
	return c.submit(p, "/sign-in", map[string]string{"login": login, "password": adminPassword})
}

func (c *consoleVisit) target(names ...provisioning.TargetName) {
	c.Helper()
	for _, name := range names {
		_, err := c.Targets.Put(c.Context(), provisioning.Target{Name: name, Connector: "scim2", Config: []byte(`{}`)}, c.Now())
		must(c, err)
	}
}

// The walk of an admin who binds an application to a target.
func TestConsoleBindsATarget(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.person("ada", admin.RoleAdmin)
	c.target("google", "salesforce")
	app := application.New("payroll", "Payroll")
	app.RedirectURIs, app.SecretHash = []string{"https://payroll.example/cb"}, application.HashSecret("x")
	_, err := c.Applications.Put(t.Context(), app)
	must(t, err)

	p := c.enter("ada", "/admin/applications/payroll")
	if p.Status != http.StatusOK || !strings.Contains(p.Text, "Outbound Provisioning Configuration") {
		t.Fatalf("the page of an application: %d %s", p.Status, p.Text)
	}
	p = c.submit(p, "/admin/applications/payroll", map[string]string{"add": "google", "do": "add"})
	if bound, err := c.Bindings.ByClient(t.Context(), "payroll"); err != nil || len(bound) != 0 {
		t.Errorf("%d bindings before Update was pressed (%v)", len(bound), err)
	}
	p = c.submit(p, "/admin/applications/payroll", map[string]string{
		"outbound_provisioning[0].blocking": "true", "outbound_provisioning[0].timeout": "20s", "do": "update",
	})
	if p.Status != http.StatusOK || !strings.Contains(p.Text, "Updated.") || !strings.Contains(p.Text, "Sign-in waits until the account exists") {
		t.Fatalf("after the update: %d %s", p.Status, p.Text)
	}
	bound, err := c.Bindings.ByClient(t.Context(), "payroll")
	must(t, err)
	want := provisioning.NewBinding("payroll", "google")
	want.Blocking, want.Timeout = true, 20*time.Second
	if diff := cmp.Diff([]provisioning.Binding{want}, bound); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	events, err := c.Audit.Store.List(t.Context(), audit.Filter{Object: "payroll", Limit: 5})
	if err != nil || len(events) != 1 || events[0].Actor != (audit.Actor{Kind: audit.KindUser, Name: "ada"}) {
		t.Errorf("events of the change: %+v, %v", events, err)
	}
	p = c.submit(p, "/admin/applications/payroll", map[string]string{"do": "remove:0"})
	c.submit(p, "/admin/applications/payroll", map[string]string{"do": "update"})
	if bound, err = c.Bindings.ByClient(t.Context(), "payroll"); err != nil || len(bound) != 0 {
		t.Errorf("bindings after the removal: %+v, %v", bound, err)
	}
}

// What is wrong is said where it is, and nothing that was typed is lost.
func TestConsoleKeepsABadForm(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.person("ada", admin.RoleAdmin)
	c.target("google")
	p := c.enter("ada", "/admin/applications/new")
	p = c.submit(p, "/admin/applications", map[string]string{"add": "google", "do": "add"})
	p = c.submit(p, "/admin/applications", map[string]string{
		"client_id": "pay roll", "name": "Pay <b>", "redirect_uris": "https://ok.example/cb\nnot a uri", "outbound_provisioning[0].timeout": "soon", "do": "update",
	})
	if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.HTML, `id="f-outbound_provisioning-0-timeout-problem"`) || !strings.Contains(p.HTML, `value="soon"`) {
		t.Fatalf("a bad form: %d %s", p.Status, p.Text)
	}
	p = c.submit(p, "/admin/applications", map[string]string{"outbound_provisioning[0].timeout": "5s", "do": "update"})
	for _, want := range []string{
		`id="f-client_id-problem"`, `id="f-redirect_uris-problem">line 2: `,
		`value="pay roll"`, `value="Pay &lt;b&gt;"`, "https://ok.example/cb\nnot a uri</textarea>",
	} {
		if !strings.Contains(p.HTML, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	p = c.submit(p, "/admin/applications", map[string]string{
		"client_id": "payroll", "redirect_uris": "https://ok.example/cb", "outbound_provisioning[0].timeout": "5s", "do": "update",
	})
	f := c.created(p)
	app, err := c.Applications.Get(t.Context(), "payroll")
	if err != nil || app.Name != "Pay <b>" || !application.VerifySecret(app.SecretHash, f) {
		t.Errorf("application = %+v, %v", app, err)
	}
	p = c.submit(c.get("/admin/applications/new"), "/admin/applications", map[string]string{"client_id": "payroll", "redirect_uris": "https://evil.example/cb", "do": "update"})
	if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Text, "there is an application of that name") {
		t.Errorf("a second one of that name: %d %s", p.Status, p.Text)
	}
}

// An application gets another secret, and ends: typed by its name, with what it leaves.
func TestConsoleEndsAnApplication(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.person("ada", admin.RoleAdmin)
	c.target("google")
	app := application.New("payroll", "Payroll")
	app.RedirectURIs, app.SecretHash = []string{"https://payroll.example/cb"}, application.HashSecret("x")
	_, err := c.Applications.Put(t.Context(), app)
	must(t, err)
	binding := provisioning.NewBinding("payroll", "google")
	binding.OnLoss = provisioning.LossSuspend
	must(t, c.Bindings.Put(t.Context(), binding))
	secret := c.created(c.submit(c.enter("ada", "/admin/applications/payroll"), "/payroll/secret", nil))
	if app, err = c.Applications.Get(t.Context(), "payroll"); err != nil || !application.VerifySecret(app.SecretHash, secret) || application.VerifySecret(app.SecretHash, "x") {
		t.Errorf("the secret that was shown is not the one that counts (%v)", err)
	}
	p := c.get("/admin/applications/payroll/delete")
	if !strings.Contains(p.Text, "google: accounts that nothing else grants are suspended") {
		t.Errorf("what will happen: %s", p.Text)
	}
	if p = c.submit(p, "/payroll/delete", map[string]string{"name": "other"}); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("with another name: %d %s", p.Status, p.Text)
	}
	if p = c.submit(p, "/payroll/delete", map[string]string{"name": "payroll"}); !strings.Contains(p.Text, "Deleted.") {
		t.Errorf("deleted: %d %s", p.Status, p.Text)
	}
	if _, err = c.Applications.Get(t.Context(), "payroll"); !errors.Is(err, application.ErrNotFound) {
		t.Errorf("after the end: %v", err)
	}
	var acts []audit.Action
	events, err := c.Audit.Store.List(t.Context(), audit.Filter{Actor: "ada", Limit: 5})
	must(t, err)
	for _, e := range events {
		acts = append(acts, e.Action)
	}
	if diff := cmp.Diff([]audit.Action{"application.delete", "application.replace_secret"}, acts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if p = c.get("/admin/applications/payroll"); p.Status != http.StatusNotFound {
		t.Errorf("its page: %d", p.Status)
	}
}

// Two people change the same application: the second is told, and loses nothing.
func TestConsoleTellsOfAnotherChange(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.person("ada", admin.RoleAdmin)
	app := application.New("payroll", "Payroll")
	app.RedirectURIs, app.SecretHash = []string{"https://payroll.example/cb"}, application.HashSecret("x")
	app, err := c.Applications.Put(t.Context(), app)
	must(t, err)
	p := c.enter("ada", "/admin/applications/payroll")
	app.Name = "Theirs"
	_, err = c.Applications.Put(t.Context(), app)
	must(t, err)
	for range 2 { // sending it again does not help either
		p = c.submit(p, "/admin/applications/payroll", map[string]string{"name": "Ours", "do": "update"})
		if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Text, "Somebody else changed") || !strings.Contains(p.HTML, `value="Ours"`) {
			t.Errorf("a form of an earlier version: %d %s", p.Status, p.Text)
		}
	}
	if app, err = c.Applications.Get(context.WithoutCancel(t.Context()), "payroll"); err != nil || app.Name != "Theirs" {
		t.Errorf("name = %q, %v", app.Name, err)
	}
}

// Who has no role sees nothing, and a role that looks changes nothing.
func TestConsoleAsksForARole(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.person("eve", "")
	auditor := c.person("otto", admin.RoleAuditor)
	p := c.enter("eve", "/admin/applications")
	if p.Status != http.StatusForbidden || !strings.Contains(p.Text, "no administrator") || strings.Contains(p.HTML, "<nav") {
		t.Errorf("without a role: %d %s", p.Status, p.Text)
	}
	p = c.enter("otto", "/admin/applications")
	if p.Status != http.StatusOK || strings.Contains(p.Text, "New application") {
		t.Errorf("an auditor's list: %d %s", p.Status, p.Text)
	}
	if p = c.get("/admin/applications/new"); p.Status != http.StatusForbidden || !strings.Contains(p.Text, "another role than auditor") {
		t.Errorf("an auditor's form: %d %s", p.Status, p.Text)
	}
	must(t, c.Admins.Revoke(t.Context(), auditor))
	if p = c.get("/admin/applications"); p.Status != http.StatusForbidden {
		t.Errorf("after the role was taken away: %d", p.Status)
	}
	if p = c.submit(p, "/admin/sign-out", nil); p.Status != http.StatusOK {
		t.Errorf("signing out: %d %s", p.Status, p.Text)
	}
	must(t, c.Users.Delete(t.Context(), auditor))
	if all, err := c.Admins.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("administrators = %+v, %v", all, err)
	}
}

// Who came in stays in with their session, and no longer.
func TestConsoleIsLeftWithTheSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	ada := c.person("ada", admin.RoleAdmin)
	c.enter("ada", "/admin/applications")
	c.b.Stop = func(u *url.URL) bool { return u.Path == "/oauth2/authorize" }
	if p := c.get("/admin/applications"); p.Location != nil {
		t.Fatalf("a second page asks to sign in, at %s", p.Location)
	}
	must(t, c.sessions.EndAllOf(t.Context(), ada))
	if p := c.get("/admin/applications"); p.Location == nil {
		t.Errorf("after the session: %d %s", p.Status, p.Text)
	}
	c.submit(c.get("/account"), "/sign-in", map[string]string{"login": "ada", "password": adminPassword})
	if p := c.get("/admin/applications"); p.Location == nil {
		t.Errorf("in another session: %d %s", p.Status, p.Text)
	}
}

// created reads the secret of the page after an application was made.
func (c *consoleVisit) created(p *browser.Page) (secret sdk.Secret) {
	c.Helper()
	_, rest, ok := strings.Cut(p.HTML, `id="secret" value="`)
	text, _, _ := strings.Cut(rest, `"`)
	if !ok || text == "" {
		c.Fatalf("no secret is shown: %d %s", p.Status, p.Text)
	}
	return sdk.Secret(text)
}
