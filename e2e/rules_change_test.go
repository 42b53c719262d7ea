package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// ruled is a stack with one target, an application that refuses whom the rules deny
// and one that lets them go on without an account.
type ruled struct {
	*stack
	login string
}

// The applications of a ruled stack.
const (
	strictApp  = appID
	lenientApp = otherAppID
)

func startRuled(t *testing.T, database, when string) *ruled {
	t.Helper()
	up, _ := startElimity(t)
	s := &ruled{startStack(t, up, stackOptions{database: database}), "ada"}
	s.say(t, when)
	for app, policy := range map[provisioning.ClientID]provisioning.RulePolicy{strictApp: provisioning.RuleRefuse, lenientApp: provisioning.RuleSkip} {
		b := provisioning.NewBinding(app, "directory")
		b.Blocking, b.EnableRules, b.RuleSets, b.OnRuleDeny = true, true, []string{"staff"}, policy
		check(t, s.Bindings.Put(t.Context(), b))
	}
	_, err := s.Users.Import(t.Context(), user.User{Login: s.login, Email: "ada@example.com", Groups: []string{"staff"}}, password)
	check(t, err)
	return s
}

// say makes the condition the only rule there is.
func (s *ruled) say(t *testing.T, when string) {
	t.Helper()
	set := nativeSet("", rule{"permit", when})
	set.Name = "staff"
	_, err := s.RuleSets.Put(t.Context(), set, s.Now())
	check(t, err)
}

// join makes the user a member of exactly these groups.
func (s *ruled) join(t *testing.T, groups ...string) {
	t.Helper()
	_, err := s.Users.Update(t.Context(), s.user(t, s.login).ID, func(u *user.User) error {
		u.Groups = groups
		return nil
	})
	check(t, err)
	s.account(t, s.login, func(a provisioning.Account) bool { return a.InSync() })
}

// enters lets the user sign in to the application, with the password if they have
// no session, and returns the code's request with where the browser was sent.
func (s *ruled) enters(t *testing.T, b *browser.Browser, app string, options ...oauth2.AuthCodeOption) (request, *url.URL) {
	t.Helper()
	r := newRelyingPartyOf(t, s.issuer, app).request(options...)
	page, err := b.Get(t.Context(), r.url)
	check(t, err)
	if page.Location == nil && page.Refresh == 0 {
		page = signIn(t, b, r.url, s.login)
	}
	return r, arrive(t, b, page)
}

func (s *ruled) redeem(t *testing.T, app string, r request, callback *url.URL) answer {
	t.Helper()
	return s.send(t, "/oauth2/token", app, url.Values{
		"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")}, "redirect_uri": {appCallback}, "code_verifier": {r.verifier},
	})
}

func (s *ruled) refreshAt(t *testing.T, app, token string) answer {
	t.Helper()
	return s.send(t, "/oauth2/token", app, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

const isStaff = "'staff' in user.groups"

// Whoever loses the group between the grants is refused at the next one by a binding
// that refuses, and goes on at one that skips. Neither the code nor the refresh token
// is used up by that.
func TestRulesAreAskedAtEveryGrant(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		s := startRuled(t, database, isStaff)
		b := newBrowser()
		r, callback := s.enters(t, b, strictApp)
		s.join(t, "former")
		if a := s.redeem(t, strictApp, r, callback); !a.is(http.StatusBadRequest, "invalid_grant") {
			t.Errorf("code of somebody whom rules deny: %d %v, want invalid_grant", a.status, a.body)
		}
		s.join(t, "staff")
		strict := s.redeem(t, strictApp, r, callback)
		lr, lcallback := s.enters(t, b, lenientApp)
		lenient := s.redeem(t, lenientApp, lr, lcallback)
		if strict.status != http.StatusOK || lenient.status != http.StatusOK {
			t.Fatalf("codes of a member: %d %v, %d %v", strict.status, strict.body, lenient.status, lenient.body)
		}
		account := s.account(t, s.login, inSync)
		s.join(t, "former")
		if a := s.refreshAt(t, strictApp, strict.text("refresh_token")); !a.is(http.StatusBadRequest, "invalid_grant") {
			t.Errorf("refresh of somebody whom rules deny: %d %v, want invalid_grant", a.status, a.body)
		}
		goesOn := s.refreshAt(t, lenientApp, lenient.text("refresh_token"))
		if goesOn.status != http.StatusOK {
			t.Fatalf("refresh where rules that deny are skipped: %d %v", goesOn.status, goesOn.body)
		}
		s.tells(t, goesOn, account.ExternalID, "skipped")
		s.join(t, "staff")
		back := s.refreshAt(t, strictApp, strict.text("refresh_token"))
		if back.status != http.StatusOK {
			t.Fatalf("refresh with the same token by somebody who is a member again: %d %v", back.status, back.body)
		}
		s.tells(t, back, account.ExternalID, "in_sync")
	})
}

// tells checks what the ID token and userinfo say of the account.
func (s *ruled) tells(t *testing.T, tokens answer, id, state string) {
	t.Helper()
	want := map[string]any{"directory": map[string]any{"id": id, "state": state}}
	if diff := cmp.Diff(want, tokens.claims(t)["provisioned"]); diff != "" {
		t.Errorf("provisioned in the ID token (-want +got):\n%s", diff)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.issuer+"/oauth2/userinfo", nil)
	check(t, err)
	req.Header.Set("Authorization", "Bearer "+tokens.text("access_token"))
	if diff := cmp.Diff(want, s.do(t, req).body["provisioned"]); diff != "" {
		t.Errorf("provisioned of userinfo (-want +got):\n%s", diff)
	}
}

// A request that allows no page is answered at once with what rules say.
func TestRulesWithoutAPage(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		s := startRuled(t, database, isStaff)
		b := newBrowser()
		s.enters(t, b, lenientApp)
		s.join(t, "former")
		r, callback := s.enters(t, b, strictApp, promptNone)
		refused(t, s.stack, r, callback, "access_denied")
		r, callback = s.enters(t, b, lenientApp, promptNone)
		s.tells(t, s.redeem(t, lenientApp, r, callback), s.account(t, s.login, func(provisioning.Account) bool { return true }).ExternalID, "skipped")
		s.say(t, fails)
		r, callback = s.enters(t, b, strictApp, promptNone)
		refused(t, s.stack, r, callback, "access_denied")
		s.say(t, holds)
		r, callback = s.enters(t, b, strictApp, promptNone)
		s.tells(t, s.redeem(t, strictApp, r, callback), s.account(t, s.login, inSync).ExternalID, "in_sync")
	})
}

// What rules ask of the sign-in is known at the grants after it, and when the
// account is made.
func TestRulesKnowTheSignInAtEveryGrant(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		s := startRuled(t, database, "request.ip == '127.0.0.1' && 'email' in request.scopes && request.auth_time < env.now")
		b := newBrowser()
		r, callback := s.enters(t, b, strictApp)
		tokens := s.redeem(t, strictApp, r, callback)
		if tokens.status != http.StatusOK {
			t.Fatalf("code: %d %v", tokens.status, tokens.body)
		}
		again := s.refreshAt(t, strictApp, tokens.text("refresh_token"))
		if again.status != http.StatusOK {
			t.Fatalf("refresh: %d %v", again.status, again.body)
		}
		r, callback = s.enters(t, b, strictApp, oauth2.SetAuthURLParam("scope", "openid"), promptNone)
		refused(t, s.stack, r, callback, "access_denied")
		s.say(t, "request.ip == '192.0.2.1'")
		a := s.refreshAt(t, strictApp, again.text("refresh_token"))
		if !a.is(http.StatusBadRequest, "invalid_grant") || strings.Contains(a.text("error_description"), "rule") {
			t.Errorf("refresh from another network: %d %v, want invalid_grant", a.status, a.body)
		}
	})
}
