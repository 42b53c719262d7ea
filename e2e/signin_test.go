package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// The main job: a first sign-in makes exactly one account before the code
// exists, and the second costs the target nothing, with servers and clients
// nobody here wrote.
func TestFirstSignInMakesOneAccountBeforeTheCodeTheSecondCallsNobody(t *testing.T) {
	long(t)
	t.Parallel()
	eachServer(t, func(t *testing.T, up upstream) {
		eachDatabase(t, func(t *testing.T, database string) {
			s := startStack(t, up, stackOptions{database: database})
			for name, c := range clients(t, s) {
				t.Run(name, func(t *testing.T) { firstAndSecondSignIn(t, s, c, loginFor(t)) })
			}
		})
	})
}

func firstAndSecondSignIn(t *testing.T, s *stack, c client, login string) {
	creates := s.proxy.Count(http.MethodPost, "/Users")
	first, b := c(t, "create"), newBrowser()
	// The browser is on its way to the application: the account must be in the
	// target now, not soon.
	var atRedirect []map[string]any
	stop := b.Stop
	b.Stop = func(u *url.URL) bool {
		if !stop(u) {
			return false
		}
		atRedirect = s.up.find(t, login)
		return true
	}
	callback := arrive(t, b, register(t, b, first.url, login))
	a := s.account(t, login, func(provisioning.Account) bool { return true })
	if !inSync(a) || a.ExternalID == "" || a.Outcome != provisioning.OutcomeCreated {
		t.Errorf("account when the code was issued = %+v, want it created and in sync", a)
	}
	if len(atRedirect) != 1 || atRedirect[0]["id"] != a.ExternalID || atRedirect[0]["externalId"] != string(a.User) {
		t.Errorf("the server had %v when the browser was sent back, want one account with id %s of user %s", atRedirect, a.ExternalID, a.User)
	}
	claims := first.finish(t, callback)
	want := map[string]any{"directory": map[string]any{"id": a.ExternalID, "state": "in_sync"}}
	if diff := cmp.Diff(want, claims["provisioned"]); diff != "" || claims["sub"] != string(a.User) {
		t.Errorf("sub %v, claim provisioned (-want +got):\n%s", claims["sub"], diff)
	}
	if n := s.proxy.Count(http.MethodPost, "/Users") - creates; n != 1 {
		t.Errorf("%d creates, want 1", n)
	}
	before := len(s.proxy.Requests())
	second := c(t, "")
	page, err := b.Get(t.Context(), second.url)
	if err != nil || page.Location == nil {
		t.Fatalf("second sign-in shows a page: %+v, %v", page, err)
	}
	if claims := second.finish(t, page.Location); claims["sub"] != string(a.User) {
		t.Errorf("sub of the second sign-in %v, want %s", claims["sub"], a.User)
	}
	if n := len(s.proxy.Requests()) - before; n != 0 {
		t.Errorf("the second sign-in made %d calls, want 0", n)
	}
}

func TestChangedAttributeIsOneWriteWithThatAttributeAlone(t *testing.T) {
	long(t)
	t.Parallel()
	eachServer(t, func(t *testing.T, up upstream) {
		eachDatabase(t, func(t *testing.T, database string) {
			s := startStack(t, up, stackOptions{database: database})
			rp, b, login := newRelyingParty(t, s.issuer), newBrowser(), loginFor(t)
			arrive(t, b, register(t, b, rp.request(promptCreate).url, login))
			before, writes, sent := len(s.proxy.Requests()), s.proxy.Writes(), &recorder{}
			s.proxy.Script(http.MethodPatch, "/Users/*", sent.pass)
			changed := "grace." + login + "@example.com"
			if _, err := s.Users.Update(t.Context(), s.user(t, login).ID, func(u *user.User) error {
				u.Email = changed
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			page, err := b.Get(t.Context(), rp.request().url)
			if err != nil {
				t.Fatal(err)
			}
			arrive(t, b, page)
			if a := s.account(t, login, func(provisioning.Account) bool { return true }); !inSync(a) || a.Outcome != provisioning.OutcomeUpdated {
				t.Errorf("account when the code was issued = %+v, want it updated", a)
			}
			if n := s.proxy.Writes() - writes; n != 1 || len(sent.bodies) != 1 {
				t.Fatalf("%d writes, %d of them PATCH, want one: %v", n, len(sent.bodies), s.proxy.Requests()[before:])
			}
			if body := sent.bodies[0]; !strings.Contains(body, changed) || mentions(body, "userName", "externalId", "name", "displayName", "active") {
				t.Errorf("sent %s, want the address and nothing else", body)
			}
			found := up.find(t, login)
			text, err := json.Marshal(found)
			if err != nil || len(found) != 1 || !strings.Contains(string(text), changed) {
				t.Errorf("the server has %s, %v", text, err)
			}
		})
	})
}

// mentions reports whether a PATCH names one of the attributes.
func mentions(body string, names ...string) bool {
	for _, name := range names {
		if strings.Contains(body, `"`+name) || strings.Contains(body, `:`+name) {
			return true
		}
	}
	return false
}

// recorder keeps the bodies of the requests it passes on.
type recorder struct {
	mu     sync.Mutex
	bodies []string
}

func (r *recorder) pass(w http.ResponseWriter, req *http.Request, upstream http.Handler) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.mu.Lock()
	r.bodies = append(r.bodies, string(body))
	r.mu.Unlock()
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	upstream.ServeHTTP(w, req)
}

var _ faultproxy.Fault = (*recorder)(nil).pass

// loginFor returns a login that no other test of the same server has.
func loginFor(t *testing.T) string {
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}
	parts := strings.Split(strings.ToLower(t.Name()), "/")
	return "ada" + strings.Map(keep, strings.Join(parts[1:], "-"))
}

// eachServer runs a test against SCIM servers on three libraries. A server is
// shared by the tests below it.
func eachServer(t *testing.T, f func(t *testing.T, up upstream)) {
	for _, name := range []string{peers.Scimmy, peers.BetterAuth} {
		t.Run(name, func(t *testing.T) { f(t, upstream(peers.Start(t, name))) })
	}
	t.Run("elimity", func(t *testing.T) {
		up, _ := startElimity(t)
		f(t, up)
	})
}

// startElimity runs the demo's directory, which is on elimity-com/scim.
func startElimity(t *testing.T) (upstream, *directory.Directory) {
	t.Helper()
	const token = "token-of-the-directory"
	d := directory.New(directory.Options{Token: token})
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return upstream{server.URL + directory.SCIMPath, token}, d
}

// find asks the server, past the fault proxy, for accounts by userName.
func (up upstream) find(t *testing.T, userName string) []map[string]any {
	t.Helper()
	var list struct{ Resources []map[string]any }
	up.call(t, http.MethodGet, "/Users?"+url.Values{"filter": {`userName eq "` + userName + `"`}}.Encode(), nil, &list)
	return list.Resources
}

// add makes an account that Anteroom knows nothing of.
func (up upstream) add(t *testing.T, attributes map[string]any) {
	t.Helper()
	attributes["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:User"}
	up.call(t, http.MethodPost, "/Users", attributes, &map[string]any{})
}

func (up upstream) call(t *testing.T, method, path string, in, out any) {
	t.Helper()
	var body io.Reader // scimmy reads even the body of a GET
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, up.BaseURL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+up.Token)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s, %s, %v", method, path, res.Status, answer, err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
}

// client begins sign-ins as an application does that is built on a library
// nobody here wrote. The prompt may be "".
type client func(t *testing.T, prompt string) attempt

// attempt is one authorization request of a client.
type attempt struct {
	url string
	// finish redeems the code and returns the claims of the ID token.
	finish func(t *testing.T, callback *url.URL) map[string]any
}

// clients returns the libraries. How they speak has nothing to do with the
// database, so those that are slow to start do so for one of them only.
func clients(t *testing.T, s *stack) map[string]client {
	all := map[string]client{"go-oidc": goOIDC(newRelyingParty(t, s.issuer))}
	if strings.HasPrefix(s.database, "sqlite:") {
		all["openid-client"] = openIDClient(s.issuer)
		all["openid-client with state"] = openIDClient(s.issuer, "--state")
	}
	return all
}

func goOIDC(rp *relyingParty) client {
	return func(_ *testing.T, prompt string) attempt {
		var options []oauth2.AuthCodeOption
		if prompt != "" {
			options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
		}
		r := rp.request(options...)
		return attempt{r.url, func(t *testing.T, callback *url.URL) map[string]any {
			g, err := rp.exchange(t.Context(), r, callback)
			if err != nil {
				t.Fatal(err)
			}
			return g.claims
		}}
	}
}

func openIDClient(issuer string, flags ...string) client {
	app := peers.Client{Issuer: issuer, ID: appID, Secret: appSecret, RedirectURI: appCallback}
	return func(t *testing.T, prompt string) attempt {
		flags := append([]string{"--scope", "openid profile email offline_access provisioning"}, flags...)
		if prompt != "" {
			flags = append(flags, "--prompt", prompt)
		}
		rp := peers.StartRelyingParty(t, peers.OpenIDClient, app, flags...)
		return attempt{rp.AuthorizeURL, func(t *testing.T, callback *url.URL) map[string]any {
			result := rp.Finish(t, callback.String())
			if result.Error != nil || result.Refreshed == nil || !result.Refreshed.HasRefreshToken {
				t.Fatalf("openid-client got %+v, error %+v", result, result.Error)
			}
			if diff := cmp.Diff(result.Claims["provisioned"], result.UserInfo["provisioned"]); diff != "" {
				t.Errorf("claim provisioned of ID token and userinfo differ:\n%s", diff)
			}
			return result.Claims
		}}
	}
}
