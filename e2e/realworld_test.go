package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
)

// realWorld is a server process for clients and upstreams that nobody here wrote.
type realWorld struct {
	*deployment
	address string
	key     jose.JSONWebKey // of all applications that have one
	back    string          // where applications hear of logouts
	heard   chan string     // the logout tokens
	token   string          // with which an application registers itself
}

// newRealWorld returns one that does not listen yet.
func newRealWorld(t *testing.T) *realWorld {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	r := &realWorld{
		deployment: deploy(t, "http://"+address, ""), address: address,
		key:   jose.JSONWebKey{Key: key, KeyID: "the-key", Algorithm: "ES256"},
		heard: make(chan string, 1),
	}
	r.settings = "dynamic_registration: {mode: token, scopes: [openid, profile, email, offline_access, provisioning]}\n"
	back := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		r.heard <- req.PostFormValue("logout_token")
	}))
	t.Cleanup(back.Close)
	r.back = back.URL
	return r
}

// begin applies the resources and starts the server.
func (r *realWorld) begin(t *testing.T, resources string) {
	t.Helper()
	r.write(t, "more.yaml", resources)
	r.command(t, "apply", "-f", r.path("more.yaml"))
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(r.command(t, "application", "registration-token", "create", "--output", "json")), &made); err != nil {
		t.Fatal(err)
	}
	r.token = made.Token
	r.serve(t, r.address)
}

// visitor is a user with a browser.
type visitor struct {
	*realWorld
	client, login string
	browser       *browser.Browser
	// atRedirect are the user's accounts when the browser was last sent on with a
	// code, or a device connected: they must be in the directory then, not soon.
	atRedirect []map[string]any
	// authenticate fills in what it takes to be signed in, from the sign-in page on.
	authenticate func(t *testing.T, page *browser.Page) *browser.Page
}

func (r *realWorld) visitor(t *testing.T, client, login string) *visitor {
	v := &visitor{realWorld: r, client: client, login: login, browser: newBrowser()}
	v.authenticate = v.givePassword
	stop := v.browser.Stop
	v.browser.Stop = func(u *url.URL) bool {
		if u.Query().Has("code") {
			v.look(t)
		}
		return stop(u)
	}
	return v
}

func (v *visitor) look(t *testing.T) {
	t.Helper()
	v.atRedirect = upstream{v.proxy.URL, scimToken}.find(t, v.login)
}

func (v *visitor) open(t *testing.T, address string) *browser.Page {
	t.Helper()
	page, err := v.browser.Get(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func (v *visitor) submit(t *testing.T, page *browser.Page, action string, fill map[string]string) *browser.Page {
	t.Helper()
	page, err := v.browser.Submit(t.Context(), page, action, fill)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// givePassword signs in, and allows what is asked for if the user is asked.
func (v *visitor) givePassword(t *testing.T, page *browser.Page) *browser.Page {
	t.Helper()
	page = v.submit(t, page, "/sign-in", map[string]string{"login": v.login, "password": password})
	if _, err := page.Form("/consent"); err == nil {
		page = v.submit(t, page, "/consent", nil)
	}
	return page
}

// enter opens a page of an application that leads to the sign-in, signs in and waits
// for the account.
func (v *visitor) enter(t *testing.T, address string) *browser.Page {
	t.Helper()
	return settle(t, v.browser, v.authenticate(t, v.open(t, address)))
}

// arrive goes through an authorization request and returns where the browser is sent.
func (v *visitor) arrive(t *testing.T, authorizeURL string) *url.URL {
	t.Helper()
	return arrive(t, v.browser, v.authenticate(t, v.open(t, authorizeURL)))
}

// connect says that a device is the user's, and signs in for it. The device may ask
// for its tokens from then on.
func (v *visitor) connect(t *testing.T, verificationURI string) *browser.Page {
	t.Helper()
	page := v.submit(t, v.open(t, verificationURI), "/device", nil)
	page = settle(t, v.browser, v.authenticate(t, page))
	if page.URL.Path != "/device/done" || page.URL.Query().Get("result") != "approved" {
		t.Fatalf("page %q at %s, want that the device is connected", page.Title, page.URL)
	}
	v.look(t)
	return page
}

// signedIn reports whether the browser has a session, as another application sees it.
func (v *visitor) signedIn(t *testing.T) bool {
	t.Helper()
	page := v.open(t, newRelyingPartyOf(t, v.issuer, otherAppID).request(promptNone).url)
	if page.Location == nil {
		t.Fatalf("prompt=none shows %q", page.Title)
	}
	return page.Location.Query().Get("error") != "login_required"
}

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of keys and texts
	}
	return string(text)
}
