package language_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/rules/template"
)

// both returns a template's rule set in each language.
func both(t *testing.T, name string, v template.Values) map[rules.Language]rules.Compiled {
	t.Helper()
	form, ok := template.Find(name)
	if !ok {
		t.Fatalf("no template %s", name)
	}
	out := map[rules.Language]rules.Compiled{}
	for _, l := range []rules.Language{rules.LanguageCEL, rules.LanguageXACML} {
		set, err := form.Render(l, v)
		if err != nil {
			t.Fatal(err)
		}
		if out[l], err = language.Compile(set); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	}
	return out
}

func inGroups(names ...string) *rules.Request {
	return &rules.Request{User: rules.User{Groups: names}, Operation: rules.OperationCreate, Now: time.Unix(0, 0)}
}

// TestManyGroups shows that 500 groups are no problem, that 2,000 are decided, and
// that more are refused, in the same words.
func TestManyGroups(t *testing.T) {
	for l, set := range both(t, "group_based", template.Values{"groups": {"group 499", "nobody"}}) {
		for n, want := range map[int]rules.Decision{
			499: rules.Deny, 500: rules.Permit, rules.MaxListValues: rules.Permit, rules.MaxListValues + 1: rules.IndeterminateDP,
		} {
			var names []string
			for i := range n {
				names = append(names, fmt.Sprint("group ", i))
			}
			r := inGroups(names...)
			start := time.Now()
			got := set.Decide(r)
			if d := time.Since(start); d > time.Second { // some 20 ms where nobody else works
				t.Errorf("%s: %d groups took %s", l, n, d)
			}
			if got.Decision != want || want.Indeterminate() && got.Status.Message != "user.groups has more than 2000 values" {
				t.Errorf("%s: %d groups: %+v, want %s", l, n, got, want)
			}
			if x := set.Explain(r, nil); x.Result.Decision != want || (x.Policy == nil) != want.Indeterminate() {
				t.Errorf("%s: %d groups explained: %s", l, n, x.Text())
			}
		}
		if got := set.Decide(nil); got.Decision != rules.IndeterminateDP {
			t.Errorf("%s: without a request: %+v", l, got)
		}
		if x := set.Explain(nil, nil); x.Result.Decision != rules.IndeterminateDP {
			t.Errorf("%s: without a request, explained: %+v", l, x)
		}
	}
}

// TestCommas shows that a value is never split.
func TestCommas(t *testing.T) {
	for l, set := range both(t, "group_based", template.Values{"groups": {"admin", "Doe, Jane"}}) {
		for group, want := range map[string]rules.Decision{
			"Doe, Jane": rules.Permit, "Doe": rules.Deny, "Jane": rules.Deny, "staff, admin": rules.Deny, "staff,admin": rules.Deny, "admin": rules.Permit,
		} {
			if got := set.Decide(inGroups(group)); got.Decision != want {
				t.Errorf("%s: group %q: %+v, want %s", l, group, got, want)
			}
		}
	}
}

// TestNightsAndChangesOfTheClock asks, in UTC, about a window over midnight in
// Berlin, in the nights in which clocks were changed: from 02:00 to 03:00 at 01:00
// UTC on 29 March 2026, and from 03:00 back to 02:00 at 01:00 UTC on 25 October.
func TestNightsAndChangesOfTheClock(t *testing.T) {
	night := both(t, "provisioning_time_based_policy_template", template.Values{"from": {"22:00"}, "until": {"02:30"}, "timezone": {"Europe/Berlin"}})
	for at, want := range map[string]rules.Decision{
		"2026-01-15T20:59:59Z": rules.Deny, "2026-01-15T21:00:00Z": rules.Permit, // winter: +01:00
		"2026-01-15T23:30:00Z": rules.Permit, "2026-01-16T01:29:59Z": rules.Permit, "2026-01-16T01:30:00Z": rules.Deny,
		"2026-07-15T19:59:59Z": rules.Deny, "2026-07-15T20:00:00Z": rules.Permit, // summer: +02:00
		"2026-03-29T00:59:59Z": rules.Permit, "2026-03-29T01:00:00Z": rules.Deny, // 01:59:59, then 03:00
		"2026-10-25T00:29:59Z": rules.Permit, "2026-10-25T00:30:00Z": rules.Deny, // 02:30 for the first time,
		"2026-10-25T01:00:00Z": rules.Permit, "2026-10-25T01:30:00Z": rules.Deny, // 02:00 again, and 02:30
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		for l, set := range night {
			if got := set.Decide(&rules.Request{Now: now, Operation: rules.OperationCreate}); got.Decision != want {
				t.Errorf("%s: at %s: %+v, want %s", l, at, got, want)
			}
		}
	}
}

// TestZonesAreLinkedIn compiles rule sets in a process for which there is no
// database of time zones where the environment says, and checks that the binary
// has its own: the machine's may be there all the same.
func TestZonesAreLinkedIn(t *testing.T) {
	const child = "ZONES_ARE_LINKED_IN"
	if os.Getenv(child) != "" {
		both(t, "provisioning_time_based_policy_template", template.Values{"timezone": {"Asia/Colombo"}})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestZonesAreLinkedIn$")
	cmd.Env = append(os.Environ(), child+"=1", "ZONEINFO="+filepath.Join(t.TempDir(), "nowhere"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(deps), "\ntime/tzdata\n") {
		t.Error("time/tzdata is not linked in")
	}
}
