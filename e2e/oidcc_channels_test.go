package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

func backchannelModules() []conformanceModule {
	return []conformanceModule{
		{"oidcc-backchannel-logout-discovery-endpoint-verification", promises("backchannel_logout_supported", "backchannel_logout_session_supported")},
		{"oidcc-backchannel-rp-initiated-logout", backchannelLogout},
	}
}

func frontchannelModules() []conformanceModule {
	return []conformanceModule{
		{"oidcc-frontchannel-logout-discovery-endpoint-verification", promises("frontchannel_logout_supported", "frontchannel_logout_session_supported")},
		{"oidcc-frontchannel-rp-initiated-logout", frontchannelLogout},
	}
}

// promises wants the metadata to say true.
func promises(names ...string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		for _, name := range names {
			if s.metadata[name] != true {
				t.Errorf("the metadata has %s %v", name, s.metadata[name])
			}
		}
	}
}

// hears returns the next logout that an application hears of.
func (s *suite) hears(t *testing.T) *http.Request { t.Helper(); return receive(t, s.heard) }

// posts returns the next answer that is posted to an application.
func (s *suite) posts(t *testing.T) *http.Request { t.Helper(); return receive(t, s.posted) }

func receive(t *testing.T, from <-chan *http.Request) *http.Request {
	t.Helper()
	select {
	case r := <-from:
		return r
	case <-time.After(patience):
		t.Fatal("the application hears nothing")
		return nil
	}
}

func (p *party) logoutURL(g grant) string {
	return p.endpoint(p.T, "end_session_endpoint") + "?" + url.Values{
		"id_token_hint": {g.idToken()}, "post_logout_redirect_uri": {suiteAfterLogout}, "state": {"s"},
	}.Encode()
}

func backchannelLogout(t *testing.T, s *suite) {
	p := s.partyOf(t, suiteBack)
	g := p.signIn()
	p.wantBack(p.open(p.logoutURL(g)), suiteAfterLogout+"?state=s")
	r := s.hears(t)
	raw := r.PostForm.Get("logout_token")
	if r.Method != http.MethodPost || r.URL.Path != "/backchannel_logout" || raw == "" {
		t.Fatalf("heard %s %s %v", r.Method, r.URL, r.PostForm)
	}
	// The signature, issuer, audience and times are as of an ID token.
	if _, err := p.provider.Verifier(&oidc.Config{ClientID: suiteBack}).Verify(context.WithoutCancel(t.Context()), raw); err != nil {
		t.Errorf("logout token: %v", err)
	}
	var header, claims map[string]any
	for i, into := range []*map[string]any{&header, &claims} {
		part, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i])
		if err != nil || json.Unmarshal(part, into) != nil {
			t.Fatalf("part %d of %s: %v", i, raw, err)
		}
	}
	events, _ := claims["events"].(map[string]any)
	_, isLogout := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	_, nonce := claims["nonce"]
	if header["typ"] != "logout+jwt" || claims["sid"] != g.claims["sid"] || claims["sub"] != g.claims["sub"] || claims["jti"] == nil || !isLogout || nonce {
		t.Errorf("logout token %v %v of ID token %v", header, claims, g.claims)
	}
}

func frontchannelLogout(t *testing.T, s *suite) {
	p := s.partyOf(t, suiteFront)
	g := p.signIn()
	page := p.open(p.logoutURL(g))
	sid, _ := g.claims["sid"].(string)
	want := s.app + "/frontchannel_logout?iss=" + url.QueryEscape(s.issuer) + "&amp;sid=" + url.QueryEscape(sid)
	if !strings.Contains(page.HTML, `<iframe src="`+want+`"`) || page.Refresh == 0 || p.signedIn() {
		t.Errorf("page %s\n%s\nwant a frame of %s", page.URL, page.HTML, want)
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-src "+s.app) {
		t.Errorf("policy %s", policy)
	}
}
