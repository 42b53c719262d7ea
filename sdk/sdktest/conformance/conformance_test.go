package conformance

import (
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/sdk/sdktest/target"
)

const restToken = "canary-token-of-the-rest-target"

// restOptions is a good rest connector's surroundings.
func restOptions() Options {
	return Options{
		Config:   map[string]any{"token": restToken},
		URLField: "base_url",
		Target:   target.New(restToken, "staff", "admins"),
		Groups:   []string{"staff", "admins"},
	}
}

func runAll(t *testing.T, o Options) Report {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	return s.RunAll(t.Context(), nil)
}

func TestGoodConnectorPassesInProcess(t *testing.T) {
	o := restOptions()
	o.Connector = restConnector("")
	wantClean(t, runAll(t, o), "process/")
}

// wantClean demands that every check has passed, but those of the groups that
// cannot be run here.
func wantClean(t *testing.T, r Report, notRun ...string) {
	t.Helper()
	for _, c := range r.Checks {
		expected := Passed
		for _, group := range notRun {
			if strings.HasPrefix(c.ID, group) {
				expected = NotRun
			}
		}
		if c.Status != expected {
			t.Errorf("%s: %s, want %s: %s%+v", c.ID, c.Status, expected, c.Reason, c.Findings)
		}
	}
}
