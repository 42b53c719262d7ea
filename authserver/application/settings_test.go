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
	} {
		a := valid()
		c.change(&a)
		if diff := cmp.Diff(c.want, fields(t, a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
