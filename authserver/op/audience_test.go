package op_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

const (
	reports = "https://reports.example/api"
	billing = "urn:example:billing"
)

func reportsServer() resourceserver.Server {
	return resourceserver.Server{Identifier: reports, Settings: resourceserver.Settings{
		Scopes: []string{"reports", "reports.write"}, Applications: []provisioning.ClientID{"app"}, Introspection: []provisioning.ClientID{"other"},
		TokenLifetime: "5m",
	}}
}

// withResources is a server with two resource servers that the application may use.
func withResources(s *server) *server {
	app := s.apps["app"]
	app.Scopes = append(app.Scopes, "billing")
	s.apps["app"] = app
	s.servers[reports] = reportsServer()
	s.servers[billing] = resourceserver.Server{Identifier: billing, Settings: resourceserver.Settings{
		Scopes: []string{"billing"}, Applications: []provisioning.ClientID{resourceserver.Any}, TokenLifetime: "2h",
	}}
	return s
}

// asking returns an authorization request for the resources.
func asking(scope string, resources ...string) url.Values {
	form := authorizeForm("scope", scope)
	form["resource"] = resources
	return form
}

// An access token is for the resource it was asked for: with its scopes and
// lifetime, worth nothing at userinfo, and so are those of refreshes.
func TestAccessTokenIsForItsResource(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		withResources(s)
		first := granted(t, s.token(codeForm(s.code(t, asking("openid email offline_access reports", reports)))))
		if first.Scope != "reports" || first.ExpiresIn < 290 || first.ExpiresIn > 300 || first.IDToken == "" || first.RefreshToken == "" {
			t.Errorf("tokens = %+v; want scope reports for 5 m, and all else as ever", first)
		}
		second := granted(t, s.token(refreshForm(first.RefreshToken)))
		for _, token := range []string{first.AccessToken, second.AccessToken} {
			got := s.introspect(t, token)
			if got["aud"] != reports || got["scope"] != "reports" || got["sub"] != string(alice) {
				t.Errorf("introspection = %v", got)
			}
			if w := s.userinfo(token); w.Code != http.StatusUnauthorized || decodeTokens(t, w).Error != "invalid_token" {
				t.Errorf("userinfo = %d %s, want invalid_token", w.Code, w.Body)
			}
		}
		own := granted(t, s.token(refreshForm(second.RefreshToken, "resource", issuer)))
		if w := s.userinfo(own.AccessToken); w.Code != http.StatusOK || own.Scope != "openid email offline_access" {
			t.Errorf("userinfo with a token for us = %d %s, scope %q", w.Code, w.Body, own.Scope)
		}
		if got := s.introspect(t, own.AccessToken); got["aud"] != issuer {
			t.Errorf("aud = %v, want the issuer", got["aud"])
		}
	})
}

func TestSeveralResources(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		withResources(s)
		form := codeForm(s.code(t, asking("openid offline_access reports billing", reports, billing, reports, "")))
		refused(t, s.token(form), http.StatusBadRequest, "invalid_target") // which one?
		both := params(form)
		both["resource"] = []string{reports, billing}
		refused(t, s.token(both), http.StatusBadRequest, "invalid_target")
		refused(t, s.token(params(form, "resource", "urn:example:other")), http.StatusBadRequest, "invalid_target")
		first := granted(t, s.token(params(form, "resource", billing))) // the code is as good as it was
		if got := s.introspect(t, first.AccessToken); got["aud"] != billing || got["scope"] != "billing" || first.ExpiresIn < 7190 {
			t.Errorf("token = %+v, introspection %v", first, got)
		}
		second := granted(t, s.token(refreshForm(first.RefreshToken, "resource", reports)))
		if got := s.introspect(t, second.AccessToken); got["aud"] != reports || got["scope"] != "reports" {
			t.Errorf("introspection = %v", got)
		}
		refused(t, s.token(refreshForm(second.RefreshToken, "resource", reports, "scope", "billing")), http.StatusBadRequest, "invalid_scope")
		granted(t, s.token(refreshForm(second.RefreshToken, "resource", billing, "scope", "billing")))
	})
}

// A lifetime that is longer than that of other tokens is not cut by the grant's.
func TestLongLifetimeWithoutRefresh(t *testing.T) {
	s := withResources(lite(t))
	got := granted(t, s.token(codeForm(s.code(t, asking("openid billing", billing)))))
	if exp, _ := s.introspect(t, got.AccessToken)["exp"].(float64); got.ExpiresIn < 7190 || int64(exp) < s.clock.Now().Unix()+7190 {
		t.Errorf("the token lives %d s, exp in %d s; want two hours", got.ExpiresIn, int64(exp)-s.clock.Now().Unix())
	}
}

func TestResourceOfClientCredentials(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		withResources(s)
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}, "resource": {reports}}
		got := granted(t, s.token(form))
		if seen := s.introspect(t, got.AccessToken); seen["aud"] != reports || seen["sub"] != "app" || got.Scope != "reports" || got.ExpiresIn > 300 {
			t.Errorf("token = %+v, introspection %v", got, seen)
		}
		refused(t, s.token(params(form, "scope", "billing")), http.StatusBadRequest, "invalid_scope")
		refused(t, s.token(params(form, "resource", "https://nobody.example")), http.StatusBadRequest, "invalid_target")
		form["resource"] = []string{reports, billing}
		refused(t, s.token(form), http.StatusBadRequest, "invalid_target")
		form["resource"] = []string{issuer}
		if seen := s.introspect(t, granted(t, s.token(form)).AccessToken); seen["aud"] != issuer {
			t.Errorf("aud = %v, want the issuer", seen["aud"])
		}
	})
}

// What is wrong with a resource is invalid_target, at once, whichever way it comes.
func TestResourceRefused(t *testing.T) {
	s := withResources(lite(t))
	disabled := reportsServer()
	disabled.Identifier, disabled.Disabled = "urn:example:disabled", true
	foreign := reportsServer()
	foreign.Identifier, foreign.Applications = "urn:example:foreign", []provisioning.ClientID{"native"}
	s.servers[disabled.Identifier], s.servers[foreign.Identifier] = disabled, foreign
	var many []string
	for _, c := range "abcdefghi" {
		many = append(many, "urn:example:"+string(c))
	}
	for name, c := range map[string]struct {
		form url.Values
		code string
	}{
		"unknown":         {asking("openid", reports+"/"), "invalid_target"},
		"disabled":        {asking("openid", disabled.Identifier), "invalid_target"},
		"of another":      {asking("openid", foreign.Identifier), "invalid_target"},
		"one of them":     {asking("openid", reports, "urn:example:other"), "invalid_target"},
		"relative":        {asking("openid", "/api"), "invalid_target"},
		"fragment":        {asking("openid", reports+"#x"), "invalid_target"},
		"control":         {asking("openid", reports, "urn:a\x00b"), "invalid_target"},
		"too many":        {asking("openid", many...), "invalid_target"},
		"scope of none":   {asking("openid billing", reports), "invalid_scope"},
		"client's scopes": {asking("openid reports.write", reports), "invalid_scope"}, // which the application has not
	} {
		if got := redirected(t, s.authorize(c.form)); got.Get("error") != c.code || got.Has("code") || got.Get("state") != givenState {
			t.Errorf("%s: %v, want %s", name, got, c.code)
		}
		if w := s.asApp(op.PathPushed, c.form); w.Code != http.StatusBadRequest || decodeTokens(t, w).Error != c.code {
			t.Errorf("%s, pushed: %d %s, want %s", name, w.Code, w.Body, c.code)
		}
	}
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", s.log)
	}
}

// A token request takes nothing that the authorization did not ask for, and a
// resource server that was taken away meanwhile gets no token.
func TestResourceAtToken(t *testing.T) {
	s := withResources(lite(t))
	plain := codeForm(s.code(t, authorizeForm("scope", "openid offline_access reports")))
	refused(t, s.token(params(plain, "resource", reports)), http.StatusBadRequest, "invalid_target")
	refused(t, s.token(params(plain, "resource", "x")), http.StatusBadRequest, "invalid_target")
	if got := granted(t, s.token(params(plain, "resource", issuer))); got.Scope != "openid offline_access reports" {
		t.Errorf("scope = %q", got.Scope)
	}
	ours := codeForm(s.code(t, asking("openid reports", issuer)))
	if got := granted(t, s.token(ours)); s.introspect(t, got.AccessToken)["aud"] != issuer || got.Scope != "openid reports" {
		t.Errorf("the issuer as resource: %+v; want what comes without", got)
	}
	withoutOpenID := codeForm(s.code(t, asking("reports", reports)))
	refused(t, s.token(params(withoutOpenID, "resource", issuer)), http.StatusBadRequest, "invalid_target")
	form := codeForm(s.code(t, asking("openid reports", reports)))
	taken := reportsServer()
	taken.Applications = nil
	s.servers[reports] = taken
	refused(t, s.token(form), http.StatusBadRequest, "invalid_target")
	s.servers[reports] = reportsServer()
	granted(t, s.token(form))
	if code := redirected(t, s.authorize(continued(t, s.asApp(op.PathPushed, asking("reports", reports))))).Get("code"); s.introspect(t, granted(t, s.token(codeForm(code))).AccessToken)["aud"] != reports {
		t.Error("a pushed request loses its resource")
	}
}

// A resource server introspects the access tokens that are for it, and no others.
func TestResourceServerIntrospects(t *testing.T) {
	s := withResources(lite(t))
	ask := func(token string) string {
		return s.asOther(op.PathIntrospect, url.Values{"token": {token}}).Body.String()
	}
	form := codeForm(s.code(t, asking("openid offline_access reports billing", reports, billing)), "resource", reports)
	its := granted(t, s.token(form))
	if got := ask(its.AccessToken); !strings.Contains(got, `"aud":"`+reports+`"`) || !strings.Contains(got, `"client_id":"app"`) {
		t.Errorf("its own: %s", got)
	}
	others := granted(t, s.token(refreshForm(its.RefreshToken, "resource", billing)))
	ours := granted(t, s.token(refreshForm(others.RefreshToken, "resource", issuer)))
	for name, token := range map[string]string{"refresh token": ours.RefreshToken, "of another": others.AccessToken, "for us": ours.AccessToken} {
		if got := ask(token); got != `{"active":false}` {
			t.Errorf("%s: %s", name, got)
		}
	}
	disabled := reportsServer()
	disabled.Disabled = true
	s.servers[reports] = disabled
	if got := ask(its.AccessToken); got != `{"active":false}` {
		t.Errorf("a disabled resource server: %s", got)
	}
	delete(s.servers, reports)
	if got := ask(its.AccessToken); got != `{"active":false}` {
		t.Errorf("a resource server that is gone: %s", got)
	}
	if got := s.introspect(t, its.AccessToken); got["active"] != true {
		t.Errorf("to whom it was issued: %v", got)
	}
}
