package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Three policies against an account that is there before its user ever signed
// in, on three servers. The claimed one has the externalId of somebody else.
func TestAccountThatIsThereIsAdoptedByPolicy(t *testing.T) {
	long(t)
	t.Parallel()
	cases := map[string]map[bool]bool{ // policy → claimed → adopted
		"if_unclaimed": {false: true, true: false},
		"never":        {false: false, true: false},
		"always":       {false: true, true: true},
	}
	eachServer(t, func(t *testing.T, up upstream) {
		for policy, outcomes := range cases {
			t.Run(policy, func(t *testing.T) {
				s := startStack(t, up, stackOptions{target: "adopt: " + policy})
				for claimed, adopted := range outcomes {
					name := map[bool]string{false: "unclaimed", true: "claimed"}[claimed]
					t.Run(name, func(t *testing.T) { meetsAccount(t, s, claimed, adopted) })
				}
			})
		}
	})
}

func meetsAccount(t *testing.T, s *stack, claimed, adopted bool) {
	login := loginFor(t)
	attributes := map[string]any{
		"userName": login, "active": true, "name": map[string]any{"givenName": "Older", "familyName": "Account"},
		"emails": []map[string]any{{"value": "older." + login + "@example.com", "type": "work", "primary": true}},
	}
	if claimed {
		attributes["externalId"] = "of-somebody-else-" + login
	}
	s.up.add(t, attributes)
	there, writes := s.up.find(t, login), s.proxy.Writes()
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	r := rp.request(promptCreate)
	page := register(t, b, r.url, login)
	if adopted {
		callback := arrive(t, b, page)
		if _, err := rp.exchange(t.Context(), r, callback); err != nil {
			t.Error(err)
		}
		adoptedAccount(t, s, login, there)
		return
	}
	page = failed(t, b, page)
	after := s.up.find(t, login)
	if diff := cmp.Diff(there, after); diff != "" {
		t.Errorf("the foreign account changed (-before +after):\n%s", diff)
	}
	if n := s.proxy.Writes() - writes; n != 0 {
		t.Errorf("%d writes to a target with a foreign account, want 0", n)
	}
	a := s.account(t, login, func(provisioning.Account) bool { return true })
	if a.State != provisioning.StateFailed || a.Kind != sdk.KindConflict || a.ExternalID != "" {
		t.Errorf("account = %+v, want it failed by conflict and without a link", a)
	}
	refused(t, s, r, leave(t, b, page), "access_denied")
}

func adoptedAccount(t *testing.T, s *stack, login string, there []map[string]any) {
	t.Helper()
	a := s.account(t, login, func(provisioning.Account) bool { return true })
	if !inSync(a) || !a.Adopted || a.Created || a.Outcome != provisioning.OutcomeAdopted {
		t.Errorf("account when the code was issued = %+v, want it adopted and in sync", a)
	}
	after := s.up.find(t, login)
	if len(after) != 1 || len(there) != 1 || after[0]["id"] != there[0]["id"] || after[0]["externalId"] != string(a.User) {
		t.Errorf("the server has %v, want the account it had, now of %s", after, a.User)
	}
	if name, _ := after[0]["name"].(map[string]any); name["givenName"] != "Ada" {
		t.Errorf("the adopted account has the name %v, want the user's", name)
	}
	for _, r := range s.proxy.Requests() {
		if r.Method == http.MethodPost {
			t.Errorf("%s %s although the account was there", r.Method, r.Path)
		}
	}
}

// failed follows the wait page until it says that the sign-in cannot go on.
func failed(t *testing.T, b *browser.Browser, page *browser.Page) *browser.Page {
	t.Helper()
	eventually(t, "the page that says why not", func() bool {
		if page.Location != nil {
			t.Fatalf("sent to %s, want our page first", page.Location)
		}
		if reference(page) != "" {
			return true
		}
		next, err := b.Get(t.Context(), page.URL.String())
		if err != nil {
			t.Fatal(err)
		}
		page = next
		return false
	})
	if page.Status != http.StatusOK || page.URL.Path != "/wait" {
		t.Errorf("page %q with status %d at %s, want the wait page", page.Title, page.Status, page.URL)
	}
	return page
}

var referenceText = regexp.MustCompile(`Reference for support: ([0-9A-Z]{4}-[0-9A-Z]{4})`)

// reference returns what the page tells for support, "" if nothing.
func reference(page *browser.Page) string {
	match := referenceText.FindStringSubmatch(page.Text)
	if match == nil {
		return ""
	}
	return match[1]
}

// leave presses Back to the app.
func leave(t *testing.T, b *browser.Browser, page *browser.Page) *url.URL {
	t.Helper()
	page, err := b.Submit(t.Context(), page, "/wait/leave", nil)
	if err != nil {
		t.Fatal(err)
	}
	if page.Location == nil {
		t.Fatalf("Back to the app led to %q at %s", page.Title, page.URL)
	}
	return page.Location
}

// refused checks that the application got exactly this error, to this request,
// and no code.
func refused(t *testing.T, s *stack, r request, callback *url.URL, code string) {
	t.Helper()
	answer := callback.Query()
	if answer.Get("error") != code || answer.Get("state") != r.state || answer.Get("iss") != s.issuer || answer.Has("code") {
		t.Errorf("the application got %v, want %s with its state and our iss, and no code", answer, code)
	}
}
