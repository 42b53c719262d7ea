package resources

import (
	"reflect"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// everySetting gives every setting of an application a value; a setting without a
// line here fails TestEverySettingOfAnApplication.
const everySetting = `applications:
- client_id: payroll
  redirect_uris: [https://payroll.example/cb]
  post_logout_redirect_uris: [https://payroll.example/out]
  pkce_optional: true
  require_pushed_authorization_requests: true
  consent: ask
  backchannel_logout_uri: https://payroll.example/back
  frontchannel_logout_uri: https://payroll.example/front
`

func TestEverySettingOfAnApplication(t *testing.T) {
	b, m := newBackend(t)
	if got := apply(t, b, everySetting); !strings.Contains(got, "post_logout_redirect_uris: https://payroll.example/out\n") {
		t.Errorf("the difference is\n%s", got)
	}
	settings := reflect.ValueOf(m.apps["payroll"].Settings)
	for i := range settings.NumField() {
		if settings.Field(i).IsZero() {
			t.Errorf("setting %s did not arrive", settings.Type().Field(i).Name)
		}
	}
	appliesAgain(t, b)
	apply(t, b, "applications: [{client_id: payroll, redirect_uris: [\"https://payroll.example/cb\"]}]")
	if got := m.apps["payroll"].Settings; !reflect.DeepEqual(got, application.Settings{}) {
		t.Errorf("settings left out are %+v, want the defaults", got)
	}
}
