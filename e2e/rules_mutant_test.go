package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// fails runs a test of a package on the mutant, and expects it to fail.
func (m mutant) fails(t *testing.T, pkg, run string) {
	t.Helper()
	cmd := exec.Command("go", "test", "-overlay", m.overlay(t), "-run", run, pkg)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--- FAIL") {
		t.Errorf("%s passes on an engine %s, or does not run: %v: %s", run, m.name, err, out)
	}
}

// Whoever takes out what keeps rules in force after the gate is found out; make
// chaos runs this.
func TestChaosCatchesMutantsOfRules(t *testing.T) {
	onlyChaos(t)
	for _, c := range []struct {
		by string
		mutant
	}{
		{"TestRulesAreAskedAgainWhenWorkIsLate/sqlite", mutant{"that does not ask", []edit{{
			"provisioning/run_rules.go", `if r.desired != DesiredPresent && !lost || a.Client == "" {`, "if true {",
		}}}},
		{"TestChangeEndsTheLeave/sqlite", mutant{"whose changes do not end a leave", []edit{{
			"provisioning/store/accounts.go", "cause = 'background', ruled_at = 0,", "cause = 'background',",
		}}}},
		{"TestRulesNoLongerGrant/delete/sqlite", mutant{"that loses nothing", []edit{{
			"provisioning/run_rules.go", "if _, loses := b.OnLoss.Desired(); loses &&", "if _, loses := b.OnLoss.Desired(); false && loses &&",
		}}}},
		{"TestDenialThatIsOvertakenTakesNothingAway/by_the_group/sqlite", mutant{"that loses by a denial that was overtaken", []edit{{
			"provisioning/store/leases.go", `" AND applied_rev >= desired_rev")`, `"")`,
		}}}},
	} {
		t.Run(c.name, func(t *testing.T) { c.fails(t, "./provisioning", "^"+c.by+"$") })
	}
}
