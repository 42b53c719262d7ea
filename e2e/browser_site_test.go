package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/authserver/demo/rp"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// site is a server, an example application and two directories: everything a
// person meets.
type site struct {
	*stack
	host      string // the issuer's
	app       string
	directory *directory.Directory
	page      string // the directory's own
	badges    *faultproxy.Proxy
}

// startSite starts a site whose bindings have more options: "timeout: 2s".
func startSite(t *testing.T, options ...string) *site {
	t.Helper()
	return startSiteAt(t, "127.0.0.1", options...)
}

// startSiteAt is startSite under a name; browsers make no passkeys for addresses.
func startSiteAt(t *testing.T, host string, options ...string) *site {
	t.Helper()
	s := &site{host: host}
	token := rand.Text()
	staff, staffURL := startDirectory(t, token)
	_, badgesURL := startDirectory(t, token)
	s.directory, s.page = staff, staffURL
	s.badges = faultproxy.Start(t, badgesURL+directory.SCIMPath)
	var app http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	s.app = server.URL
	s.stack = s.start(t, upstream{staffURL + directory.SCIMPath, token}, options)
	app = rp.New(rp.Options{Issuer: s.issuer, ClientID: appID, ClientSecret: appSecret, BaseURL: s.app, Name: "Payroll"})
	return s
}

func (s *site) start(t *testing.T, up upstream, options []string) *stack {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	k := &stack{issuer: "http://" + net.JoinHostPort(s.host, port), proxy: faultproxy.Start(t, up.BaseURL)}
	k.open(t, stackOptions{})
	// Nobody is there: pages offer to mail links, and no mail is sent.
	k.Config.Mail = config.Mail{Host: "127.0.0.1", Port: 1, From: mail.Address{Address: "login@example.com"}}
	if _, _, err := k.PinConnector(t.Context(), "scim2"); err != nil {
		t.Fatal(err)
	}
	binding := strings.Join(append([]string{"blocking: true"}, options...), ", ")
	doc, err := resources.Parse(fmt.Appendf(nil, siteYAML, k.proxy.URL, s.badges.URL, appID, s.app, binding))
	if err != nil {
		t.Fatal(err)
	}
	backend := k.Resources(func(name string) string {
		return map[string]string{"SCIM_TOKEN": up.Token, "APP_SECRET": appSecret}[name]
	})
	plan, err := backend.Plan(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Apply(asAdmin(t), plan); err != nil {
		t.Fatal(err)
	}
	k.serve(t, listener)
	return k
}

const siteYAML = `
targets:
  - name: directory
    connector: scim2
    config: {base_url: %[1]q, auth: bearer}
    secrets: {token: {env: SCIM_TOKEN}}
  - name: badges
    connector: scim2
    config: {base_url: %[2]q, auth: bearer}
    secrets: {token: {env: SCIM_TOKEN}}
applications:
  - client_id: %[3]s
    name: Payroll
    redirect_uris: ["%[4]s/callback"]
    secret: {env: APP_SECRET}
    scopes: [openid, profile, email, offline_access, provisioning]
    registration: true
    initiate_login_uri: "%[4]s/"
    outbound_provisioning:
      - {target: directory, %[5]s}
      - {target: badges, %[5]s}
`

func startDirectory(t *testing.T, token string) (*directory.Directory, string) {
	t.Helper()
	d := directory.New(directory.Options{Token: token})
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return d, server.URL
}

// hold keeps the next account from being made until release is called.
func hold(p *faultproxy.Proxy) (release func()) {
	f, release := held()
	p.Script(http.MethodPost, "/Users", f)
	return release
}

// register goes from the application through the registration form.
func (s *site) register(b *tab, login string) {
	b.Helper()
	b.open(s.app)
	b.click(`a[href="/login?prompt=create"]`)
	b.shows("Create an account")
	b.fill("login", login, "email", login+"@example.com", "given_name", "Ada", "family_name", "Lovelace", "password", password)
	b.click("button.primary")
}

// landed waits for the application's page and checks the one account behind it.
func (s *site) landed(b *tab, login string) {
	b.Helper()
	b.until(fmt.Sprintf("location.href == %q", s.app+"/"))
	b.shows("Welcome, Ada Lovelace")
	s.account(b.T, login, inSync)
	n := 0
	for _, a := range s.directory.Accounts() {
		if a.UserName == login {
			n++
		}
	}
	if n != 1 {
		b.Errorf("%d accounts of %s in the directory, want 1", n, login)
	}
}
