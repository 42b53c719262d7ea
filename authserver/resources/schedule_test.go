package resources

import (
	"strings"
	"testing"
	"time"
)

func TestReconcileEvery(t *testing.T) {
	tests := map[string]bool{
		"10m": true, "24h": true, "720h": true, "1h30m": true,
		"9m": false, "721h": false, "-24h": false, "0s": false, "daily": false, "24": false,
	}
	for every, ok := range tests {
		doc, err := Parse([]byte("targets: [{name: a, connector: scim2, reconcile_every: " + every + "}]"))
		if err != nil {
			t.Fatal(err)
		}
		problems := doc.Check()
		if (len(problems) == 0) != ok || !ok && problems[0].Path != "targets[0].reconcile_every" {
			t.Errorf("reconcile_every: %s: %v, want ok %v", every, problems, ok)
		}
	}
}

// A schedule is applied once, exported, and ends when it is left out.
func TestReconcileEveryIsAppliedAndEnds(t *testing.T) {
	b, _ := newBackend(t)
	const without = "targets: [{name: dir, connector: scim2, config: {base_url: good}}]"
	with := strings.Replace(without, "config", "reconcile_every: 24h, config", 1)
	apply(t, b, without)
	if got := apply(t, b, with); !strings.Contains(got, "reconcile_every: 24h0m0s") {
		t.Errorf("apply:\n%s", got)
	}
	if got := apply(t, b, with); got != "no changes\n" {
		t.Errorf("second apply:\n%s", got)
	}
	doc, err := b.Export(t.Context())
	if err != nil || reconcileEvery(doc.Targets[0].ReconcileEvery) != 24*time.Hour {
		t.Errorf("export = %+v, %v", doc.Targets, err)
	}
	if got := apply(t, b, without); !strings.Contains(got, "reconcile_every") {
		t.Errorf("apply without it:\n%s", got)
	}
}
