package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Nothing but its own words opens registration to anyone.
func TestRegistration(t *testing.T) {
	c, err := Parse([]byte(minimal+"dynamic_registration: {mode: open_to_anyone, scopes: [openid, email], max_applications: 7, keep_unused: 3d, pkce_optional: true}\n"), env())
	want := Registration{Mode: "open_to_anyone", Scopes: []string{"openid", "email"}, MaxApplications: 7, KeepUnused: 3 * 24 * 3600e9, PKCEOptional: true}
	if diff := cmp.Diff(want, c.Registration); diff != "" || err != nil {
		t.Errorf("Parse (-want +got):\n%s%v", diff, err)
	}
	if c, err := Parse([]byte(minimal+"dynamic_registration: {mode: token}\n"), env()); c.Registration.Mode != "token" || err != nil {
		t.Errorf("mode token: %+v, %v", c.Registration, err)
	}
	for key, value := range map[string]string{
		"mode": "open", "scopes": "[openid, openid]", "max_applications": "0", "keep_unused": "0d", "pkce_optional": "yes",
	} {
		_, err := Parse([]byte(minimal+"dynamic_registration: {"+key+": "+value+"}\n"), env())
		if problems, _ := IsProblems(err); len(problems) != 1 || !strings.HasSuffix(problems[0].Path, "."+key) {
			t.Errorf("%s: %s: %v, want a problem of it", key, value, err)
		}
	}
	if _, err := Parse([]byte(minimal+"dynamic_registration: {scopes: ['open id']}\n"), env()); err == nil {
		t.Error("a scope with a space is taken")
	}
}
