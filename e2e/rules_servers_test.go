package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// ruledYAML is a binding that refuses whom its one rule set denies, and deletes what
// it loses.
func ruledYAML(when string) stackOptions {
	return stackOptions{
		binding: "blocking: true, timeout: 1m, enable_rules: true, rule_sets: [welcome], on_rule_deny: refuse, on_loss: delete",
		more:    ruleSetYAML("welcome", when),
	}
}

// applyRuled brings a deployment to rules with that one condition.
func (d *deployment) applyRuled(t *testing.T, when string) {
	t.Helper()
	d.write(t, "resources.yaml", resourcesYAML(d.proxy.URL, ruledYAML(when)))
	d.command(t, "apply", "-f", d.path("resources.yaml"))
}

// While eight people wait at two servers the rules change: every one of them is told
// no, on both servers, no code is issued, and no account stays. Once the rules permit
// again all of them get in, with one account each.
func TestRuleSetChangesWhilePeopleWait(t *testing.T) {
	long(t)
	t.Parallel()
	d, lb, first, second := startPair(t)
	d.applyRuled(t, "user.email.endsWith('@example.com')")
	hold, release := held()
	d.proxy.Script(http.MethodPost, "/Users", slices.Repeat([]faultproxy.Fault{hold}, 1000)...)
	const people = 8
	waiting := make([]*arrival, people)
	each := func(do func(t *testing.T, i int)) {
		var cases []testCase
		for i := range people {
			cases = append(cases, testCase{fmt.Sprintf("person %d", i), func(t *testing.T) { do(t, i) }})
		}
		together(t, cases)
	}
	each(func(t *testing.T, i int) {
		if i == people/2 {
			lb.turn(second)
		}
		waiting[i] = d.arrive(t, fmt.Sprintf("person%02d", i))
	})
	d.applyRuled(t, "user.email.endsWith('@elsewhere.example')")
	lb.turn(first)
	each(func(t *testing.T, i int) {
		a := waiting[i]
		eventually(t, "the page that says no", func() bool {
			page, err := a.browser.Get(t.Context(), a.page.URL.String())
			check(t, err)
			if page.Location != nil {
				t.Fatalf("%s was sent to %s", a.login, page.Location)
			}
			a.page = page
			return strings.Contains(page.Text, web.English().T(provisioning.TextRuleDenied))
		})
		if told := leave(t, a.browser, a.page).Query(); told.Get("error") != "access_denied" || told.Has("code") {
			t.Errorf("the application of %s got %v", a.login, told)
		}
	})
	release()
	eventually(t, "a directory without accounts", func() bool { return len(d.directory.Accounts()) == 0 && d.atRest(t) })
	d.applyRuled(t, "true")
	lb.turn(second)
	each(func(t *testing.T, i int) {
		a := waiting[i]
		a.request = a.rp.request()
		page, err := a.browser.Get(t.Context(), a.request.url)
		check(t, err)
		a.page = page
		a.getIn(t, patience)
	})
	if found := d.directory.Accounts(); len(found) != people {
		t.Errorf("the directory has %d accounts, want %d", len(found), people)
	}
}

// atRest reports whether nothing is due.
func (d *deployment) atRest(t *testing.T) bool {
	t.Helper()
	return d.countRows(t, "SELECT COUNT(*) FROM account WHERE next_attempt_at > 0 OR applied_rev < desired_rev") == 0
}
