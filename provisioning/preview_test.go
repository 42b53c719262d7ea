package provisioning_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// previewed returns what a preview says of each attribute, in few words.
func (l *lab) previewed(user provisioning.UserID) map[string]string {
	l.Helper()
	all, err := l.engine.Preview(l.Context(), user, "dir")
	l.ok(err)
	out := map[string]string{}
	for _, m := range all {
		var words []string
		if m.WouldBe {
			words = append(words, "would be")
		}
		if s, ok := m.Value.(string); ok {
			words = append(words, s)
		}
		if m.Hidden {
			words = append(words, "hidden")
		}
		if m.Error != "" {
			words = append(words, "error: "+m.Error)
		}
		out[m.Attribute] = strings.Join(words, " ")
	}
	return out
}

func TestPreview(t *testing.T) {
	l := liteByName(t, provisioning.AttributeMapping{Attribute: "origin", UUID: true})
	l.world.declared = append(l.world.declared, sdk.Attribute{Name: "salary", Type: sdk.AttributeString, Secret: true}, sdk.Attribute{Name: "bonus", Type: sdk.AttributeString, Secret: true})
	target, err := l.Targets.Get(t.Context(), "dir")
	l.ok(err)
	target.Mapping = append(target.Mapping, provisioning.AttributeMapping{Attribute: "salary", Source: "claims.salary"},
		provisioning.AttributeMapping{Attribute: "bonus", Expression: "user.claims['bonus'][0]"})
	_, err = l.Targets.Put(t.Context(), target, l.Now())
	l.ok(err)
	l.namesake("u0")
	l.people.edit("u0", func(p *provisioning.Profile) { p.Claims = map[string][]string{"salary": {"90000"}} })
	l.world.plant(sdk.Attributes{"login": "ada"}, true)
	l.drain()
	l.world.took()

	fails := "error: the expression fails for this user at 1:1: there is no such key"
	want := map[string]string{"owner": "u0", "login": "would be ada2", "email": "u0@example.com", "origin": "would be", "salary": "hidden", "bonus": fails}
	if diff := cmp.Diff(want, l.previewed("u0")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l.calls(map[string]int{"lookup": 2})
	if got := l.reserved("u0"); len(got) != 0 {
		t.Errorf("a preview reserved %v", got)
	}

	l.world.failing("lookup", down())
	if got := l.previewed("u0")["login"]; got != "would be ada error: whether the target has it already is not known: transient" {
		t.Errorf("while the target is down: %s", got)
	}
	l.world.mend()

	l.people.edit("u0", func(p *provisioning.Profile) { p.Claims["bonus"] = []string{"1"} })
	l.start("u0")
	l.drain()
	l.people.edit("u0", func(p *provisioning.Profile) { p.GivenName = "Grace" })
	if got := l.previewed("u0"); got["login"] != "ada2" || len(got["origin"]) != 36 || got["bonus"] != "hidden" {
		t.Errorf("of an account that is there: %v", got)
	}
	l.person("nameless")
	if got := l.previewed("nameless")["login"]; got != "would be error: no candidate gives a value for this user; add one that always does" {
		t.Errorf("without a name: %s", got)
	}
}
