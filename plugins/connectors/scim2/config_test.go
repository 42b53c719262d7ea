package scim2_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestConfigNamesTheField(t *testing.T) {
	bearer := map[string]sdk.Secret{"token": "canary"}
	cases := []struct {
		name, values string
		secrets      map[string]sdk.Secret
		want         []string // fields with a problem
	}{
		{"good", `{"base_url":"https://example.com/scim/v2","auth":"bearer"}`, bearer, nil},
		{"good basic", `{"base_url":"https://example.com","auth":"basic","username":"u"}`, map[string]sdk.Secret{"password": "p"}, nil},
		{"this machine", `{"base_url":"http://localhost:8080/scim","auth":"bearer"}`, bearer, nil},
		{"this machine, IPv6", `{"base_url":"http://[::1]:8080","auth":"bearer"}`, bearer, nil},
		{"no token", `{"base_url":"https://example.com","auth":"bearer"}`, nil, []string{"token"}},
		{"token of two words", `{"base_url":"https://example.com","auth":"bearer"}`, map[string]sdk.Secret{"token": "a b"}, []string{"token"}},
		{"token of two lines", `{"base_url":"https://example.com","auth":"bearer"}`, map[string]sdk.Secret{"token": "a\r\nX: b"}, []string{"token"}},
		{"basic without anything", `{"base_url":"https://example.com","auth":"basic"}`, bearer, []string{"username", "password"}},
		{"colon", `{"base_url":"https://example.com","auth":"basic","username":"a:b"}`, map[string]sdk.Secret{"password": "p"}, []string{"username"}},
		{"http", `{"base_url":"http://example.com","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"http, looks local", `{"base_url":"http://localhost.example.com","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"no scheme", `{"base_url":"example.com/scim","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"other scheme", `{"base_url":"ftp://example.com","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"password in the address", `{"base_url":"https://u:canary@example.com","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"query", `{"base_url":"https://example.com?a=b","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"no host", `{"base_url":"https://:443","auth":"bearer"}`, bearer, []string{"base_url"}},
		{"several", `{"base_url":"http://example.com","auth":"bearer","timeout":"1h","ca_certificates":"x"}`, nil,
			[]string{"base_url", "token", "timeout", "ca_certificates"}},
		{"none on this machine", `{"base_url":"http://127.0.0.1:1","auth":"none"}`, nil, nil},
		{"none elsewhere", `{"base_url":"https://example.com","auth":"none"}`, nil, []string{"auth"}},
		{"none, looks local", `{"base_url":"https://127.0.0.1.example.com","auth":"none"}`, nil, []string{"auth"}},
		{"api key", `{"base_url":"https://example.com","auth":"api_key","api_key_header":"X-Key"}`, map[string]sdk.Secret{"api_key": "k"}, nil},
		{"api key, usual header", `{"base_url":"https://example.com","auth":"api_key"}`, map[string]sdk.Secret{"api_key": "k"}, nil},
		{"no api key", `{"base_url":"https://example.com","auth":"api_key"}`, nil, []string{"api_key"}},
		{"header of two lines", `{"base_url":"https://example.com","auth":"api_key","api_key_header":"X\r\nHost"}`, map[string]sdk.Secret{"api_key": "k"}, []string{"api_key_header"}},
		{"header of HTTP", `{"base_url":"https://example.com","auth":"api_key","api_key_header":"Content-Length"}`, map[string]sdk.Secret{"api_key": "k"}, []string{"api_key_header"}},
		{"oauth", `{"base_url":"https://example.com","auth":"oauth","token_url":"https://login.example.com/t?x=1","client_id":"c"}`, map[string]sdk.Secret{"client_secret": "canary"}, nil},
		{"oauth without anything", `{"base_url":"https://example.com","auth":"oauth"}`, nil, []string{"token_url", "client_id", "client_secret"}},
		{"oauth in clear text", `{"base_url":"https://example.com","auth":"oauth","token_url":"http://login.example.com/t","client_id":"c"}`, map[string]sdk.Secret{"client_secret": "canary"}, []string{"token_url"}},
		{"dialect", `{"base_url":"https://example.com","auth":"bearer","dialect":"slack"}`, bearer, nil},
		{"unknown dialect", `{"base_url":"https://example.com","auth":"bearer","dialect":"klingon"}`, bearer, []string{"dialect"}},
		{"no time", `{"base_url":"https://example.com","auth":"bearer","timeout":"0s"}`, bearer, []string{"timeout"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			problems := scim2.Connector().Validate(sdk.RawConfig{Values: json.RawMessage(c.values), Secrets: c.secrets})
			var got []string
			for _, p := range problems {
				got = append(got, p.Field)
				if strings.Contains(p.Message, "canary") || p.Message == "" {
					t.Errorf("message %q", p.Message)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// TestZeroConfigIsRefused: nothing is switched off by leaving it out.
func TestZeroConfigIsRefused(t *testing.T) {
	_, err := scim2.Open(t.Context(), scim2.Config{})
	wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
	for _, cfg := range []scim2.Config{
		{BaseURL: "https://example.com", Token: "t", Update: "auto", Timeout: time.Second},                          // no auth
		{BaseURL: "https://example.com", Auth: "none", Dialect: "standard", Update: "auto", Timeout: time.Second},   // not on this machine
		{BaseURL: "https://example.com", Auth: "digest", Dialect: "standard", Update: "auto", Timeout: time.Second}, // unknown auth
		{BaseURL: "https://example.com", Auth: "bearer", Token: "t", Update: "auto", Timeout: time.Second},          // no dialect
		{BaseURL: "https://example.com", Auth: "bearer", Token: "t", Update: "never", Timeout: time.Second},         // unknown update
	} {
		if _, err := scim2.Open(t.Context(), cfg); sdk.KindOf(err) != sdk.KindInvalid {
			t.Errorf("%+v: %v, want it refused", cfg, err)
		}
	}
}

func TestDescribes(t *testing.T) {
	d := scim2.Connector().Describe()
	for _, c := range []sdk.Capability{sdk.CapabilityGet, sdk.CapabilitySetActive, sdk.CapabilityDelete, sdk.CapabilityList, sdk.CapabilityCheck, sdk.CapabilitySetGroups} {
		if !d.Has(c) {
			t.Errorf("capability %s is missing", c)
		}
	}
	got := map[string]string{}
	var keys []string
	for _, a := range d.Attributes {
		got[a.Name] = a.Source
		if a.Correlate > 0 {
			keys = append(keys, a.Name)
		}
		if a.Owner != (a.Name == "externalId") || a.Required != (a.Name == "userName") {
			t.Errorf("attribute %+v", a)
		}
	}
	want := map[string]string{
		"externalId": "user.id", "userName": "user.login", "name.givenName": "user.given_name", "name.familyName": "user.family_name",
		"displayName": "user.name", "email": "user.email", "name.formatted": "", "phone": "", "title": "", "locale": "", "entitlement": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"externalId", "userName"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
