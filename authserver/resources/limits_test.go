package resources

import (
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	tests := map[string]string{
		"max_concurrency: 1": "", "max_concurrency: 64": "", "rate_per_minute: 0": "", "rate_per_minute: 60000": "", "maintenance: true": "",
		"max_concurrency: 0": "max_concurrency", "max_concurrency: 65": "max_concurrency", "max_concurrency: -1": "max_concurrency",
		"rate_per_minute: -1": "rate_per_minute", "rate_per_minute: 60001": "rate_per_minute",
	}
	for text, field := range tests {
		doc, err := Parse([]byte("targets: [{name: a, connector: scim2, " + text + "}]"))
		if err != nil {
			t.Fatal(err)
		}
		problems := doc.Check()
		if field == "" && len(problems) != 0 || field != "" && (len(problems) != 1 || problems[0].Path != "targets[0]."+field) {
			t.Errorf("%s: %v, want a problem with %q", text, problems, field)
		}
	}
}

// Limits are applied once, exported, and end when they are left out. Maintenance,
// which is switched by hand, stays.
func TestLimitsAreAppliedAndEnd(t *testing.T) {
	b, m := newBackend(t)
	const without = "targets: [{name: dir, connector: scim2, config: {base_url: good}}]"
	with := strings.Replace(without, "config", "max_concurrency: 2, rate_per_minute: 90, maintenance: true, config", 1)
	apply(t, b, without)
	if got := m.goals["dir"]; got.MaxConcurrency != 4 || got.RatePerMinute != 0 || got.Maintenance {
		t.Errorf("defaults = %+v", got)
	}
	apply(t, b, with)
	if got := m.goals["dir"]; got.MaxConcurrency != 2 || got.RatePerMinute != 90 || !got.Maintenance {
		t.Errorf("applied = %+v", got)
	}
	if got := apply(t, b, with); got != "no changes\n" {
		t.Errorf("second apply:\n%s", got)
	}
	text := exported(t, b)
	for _, want := range []string{"max_concurrency: 2", "rate_per_minute: 90", "maintenance: true"} {
		if !strings.Contains(text, want) {
			t.Errorf("export lacks %q:\n%s", want, text)
		}
	}
	apply(t, b, without)
	if got := m.goals["dir"]; got.MaxConcurrency != 4 || got.RatePerMinute != 0 || !got.Maintenance {
		t.Errorf("left out: %+v, want the defaults, still in maintenance", got)
	}
	apply(t, b, strings.Replace(without, "config", "maintenance: false, config", 1))
	if m.goals["dir"].Maintenance {
		t.Error("maintenance: false did not end it")
	}
}
