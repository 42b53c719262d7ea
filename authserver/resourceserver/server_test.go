package resourceserver_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

func valid() resourceserver.Server {
	return resourceserver.Server{Identifier: "https://reports.example/api", Settings: resourceserver.Settings{
		Scopes: []string{"reports.read"}, Applications: []provisioning.ClientID{"payroll"}, TokenLifetime: "15m",
	}}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*resourceserver.Server)
		want   []string // fields with a problem
	}{
		"valid":            {func(*resourceserver.Server) {}, nil},
		"urn":              {func(s *resourceserver.Server) { s.Identifier = "urn:example:reports" }, nil},
		"no identifier":    {func(s *resourceserver.Server) { s.Identifier = "" }, []string{"identifier"}},
		"relative":         {func(s *resourceserver.Server) { s.Identifier = "/reports" }, []string{"identifier"}},
		"only a scheme":    {func(s *resourceserver.Server) { s.Identifier = "https:///" }, []string{"identifier"}},
		"fragment":         {func(s *resourceserver.Server) { s.Identifier += "#" }, []string{"identifier"}},
		"space":            {func(s *resourceserver.Server) { s.Identifier += " " }, []string{"identifier"}},
		"not ASCII":        {func(s *resourceserver.Server) { s.Identifier += "ü" }, []string{"identifier"}},
		"long":             {func(s *resourceserver.Server) { s.Identifier += strings.Repeat("x", 500) }, []string{"identifier"}},
		"scopes":           {func(s *resourceserver.Server) { s.Scopes = []string{"a b", "c", "c"} }, []string{"scopes[0]", "scopes[2]"}},
		"twice":            {func(s *resourceserver.Server) { s.Introspection = []provisioning.ClientID{"a", "a"} }, []string{"introspection[1]"}},
		"JWT":              {func(s *resourceserver.Server) { s.TokenFormat, s.TokenAlg = application.TokenJWT, "EdDSA" }, nil},
		"format":           {func(s *resourceserver.Server) { s.TokenFormat = "saml" }, []string{"token_format"}},
		"alg":              {func(s *resourceserver.Server) { s.TokenFormat, s.TokenAlg = application.TokenJWT, "none" }, []string{"token_alg"}},
		"alg of opaque":    {func(s *resourceserver.Server) { s.TokenAlg = "ES256" }, []string{"token_alg"}},
		"no duration":      {func(s *resourceserver.Server) { s.TokenLifetime = "15" }, []string{"token_lifetime"}},
		"short":            {func(s *resourceserver.Server) { s.TokenLifetime = "9s" }, []string{"token_lifetime"}},
		"longer than kept": {func(s *resourceserver.Server) { s.TokenLifetime = "12h1s" }, []string{"token_lifetime"}},
	} {
		s := valid()
		c.change(&s)
		var got []string
		for _, p := range s.Check() {
			got = append(got, p.Field)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func named(id provisioning.ClientID) application.Application {
	return application.Application{ClientID: id}
}

// Nobody is served who is not listed, and nobody at all when it is disabled.
func TestServes(t *testing.T) {
	s := valid()
	if !s.Serves(named("payroll")) || s.Serves(named("other")) || s.Serves(named("")) || s.Introspects("payroll") {
		t.Error("another than the listed application is served")
	}
	s.Applications, s.Introspection = []provisioning.ClientID{resourceserver.Any}, []provisioning.ClientID{"api", resourceserver.Any}
	if !s.Serves(named("other")) || !s.Introspects("api") || s.Introspects("other") {
		t.Error("any application may ask, and the listed one introspect")
	}
	console := named(application.Console)
	for _, listed := range []provisioning.ClientID{resourceserver.Any, application.Console} {
		if s.Applications = []provisioning.ClientID{listed}; s.Serves(console) {
			t.Errorf("%s: the console gets tokens past the gate", listed)
		}
	}
	s.Applications = []provisioning.ClientID{resourceserver.Any}
	stranger := application.Application{ClientID: "other", SelfRegistered: true}
	if s.Serves(stranger) {
		t.Error("an application that registered itself is any")
	}
	s.Applications = []provisioning.ClientID{resourceserver.SelfRegistered}
	if !s.Serves(stranger) || s.Serves(named("other")) {
		t.Error("those that registered themselves are meant, and no other")
	}
	s.Applications = []provisioning.ClientID{"other"}
	if !s.Serves(stranger) {
		t.Error("one that registered itself is listed, and not served")
	}
	s.Disabled = true
	if s.Serves(named("other")) || s.Introspects("api") {
		t.Error("a disabled resource server is served")
	}
	if (resourceserver.Server{}).Serves(named("x")) {
		t.Error("an empty list serves somebody")
	}
}

func TestLifetime(t *testing.T) {
	s := valid()
	if got := s.Lifetime(time.Hour); got != 15*time.Minute {
		t.Errorf("lifetime = %s", got)
	}
	s.TokenLifetime = ""
	if got := s.Lifetime(time.Hour); got != time.Hour {
		t.Errorf("lifetime left out = %s, want the server's", got)
	}
}

// FuzzCheckIdentifier: what is taken is an absolute URI without a fragment, and one
// word, as it is kept.
func FuzzCheckIdentifier(f *testing.F) {
	for _, seed := range []string{"https://reports.example/api?x=1", "urn:example:a", "http://[::1]:80", "a:b", "https://", "x", "https://a#", "https://a\u0085b", "//a", "%zz:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if resourceserver.CheckIdentifier(raw) != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "" || strings.Contains(raw, "#") {
			t.Errorf("%q is taken", raw)
		}
		if words := strings.Fields(raw); len(words) != 1 || words[0] != raw {
			t.Errorf("%q is %d words", raw, len(words))
		}
	})
}
