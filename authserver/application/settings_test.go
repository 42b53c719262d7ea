package application_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
)

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*application.Application)
		want   []string
	}{
		"post logout": {func(a *application.Application) {
			a.PostLogoutRedirectURIs = []string{"https://app.example/out", "http://app.example/out", "https://app.example/out"}
		}, []string{"post_logout_redirect_uris[1]", "post_logout_redirect_uris[2]"}},
		"logout, both": {func(a *application.Application) {
			a.BackchannelLogoutURI, a.FrontchannelLogoutURI = "https://backend.example/out", "https://payroll.example.com/front?x=1"
		}, nil},
		"consent":         {func(a *application.Application) { a.Consent = application.ConsentAsk }, nil},
		"no consent":      {func(a *application.Application) { a.Consent = "never" }, []string{"consent"}},
		"pushed requests": {func(a *application.Application) { a.RequirePushedRequests = true }, nil},
		"pushed requests, machine": {func(a *application.Application) {
			a.RequirePushedRequests, a.GrantTypes = true, []string{"client_credentials"}
		}, []string{"require_pushed_authorization_requests"}},
		"PKCE optional": {func(a *application.Application) { a.PKCEOptional = true }, nil},
		"PKCE optional, public": {func(a *application.Application) {
			a.PKCEOptional, a.AuthMethod, a.SecretHash = true, application.AuthNone, ""
		}, []string{"pkce_optional"}},
		"backchannel in clear":    {func(a *application.Application) { a.BackchannelLogoutURI = "http://app.example.com/out" }, []string{"backchannel_logout_uri"}},
		"frontchannel, elsewhere": {func(a *application.Application) { a.FrontchannelLogoutURI = "https://other.example/out" }, []string{"frontchannel_logout_uri"}},
		"frontchannel, port":      {func(a *application.Application) { a.FrontchannelLogoutURI = "https://payroll.example.com:8443/" }, []string{"frontchannel_logout_uri"}},
		"frontchannel, script":    {func(a *application.Application) { a.FrontchannelLogoutURI = "javascript:alert(1)" }, []string{"frontchannel_logout_uri"}},
	} {
		a := valid()
		c.change(&a)
		if diff := cmp.Diff(c.want, fields(t, a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
