package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk/wire"
)

// slow tells of the checks that wait. A sabotage that does not concern them is
// tested without.
func slow(id string) bool {
	switch id {
	case "unknown/reply-late", "instance/running-call-ends", "fault/endless", "list/stops", "describe/fast":
		return true
	}
	return strings.HasPrefix(id, "time/") || strings.HasPrefix(id, "process/")
}

// failed are the ids of the checks that failed, in their order.
func failed(r Report) []string {
	var ids []string
	for _, c := range r.Checks {
		if c.Status == Failed {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// sabotages are connectors with one defect each, and exactly the checks that
// fail with it. A list that ends in "…" leaves open what else does: where an id is
// wrong, say, nothing works that needs one.
func sabotages() map[defect][]string {
	return map[defect][]string{
		// What an author does wrong.
		"absent is an error":                  {"lookup/absent", "delete/removes", "…"},
		"builds queries from text":            {"lookup/odd-value"},
		"nobody for unreadable":               {"fault/malformed", "fault/html"},
		"shares state":                        {"concurrent/hundred"},
		"drops an attribute":                  {"create/keeps-attributes", "update/leaves-others", "update/clears", "get/reads", "active/leaves-attributes"},
		"cuts long values":                    {"value/huge"},
		"always active":                       {"create/inactive"},
		"double create":                       {"create/taken", "create/same-operation"},
		"conflict as success":                 {"create/taken"},
		"retries blindly":                     {"unknown/reply-lost"},
		"invents an id":                       {"fault/empty-answer"},
		"another id on create":                {"lookup/every-key", "create/makes", "…"},
		"panics":                              {"update/sets", "update/leaves-others", "update/clears", "update/clear-of-nothing", "update/twice", "update/keeps-id", "update/missing"},
		"updates what was not named":          {"update/leaves-others", "update/clears"},
		"ignores clear":                       {"update/clears"},
		"clears too much":                     {"update/clears"},
		"update does nothing":                 {"update/sets", "update/clears"},
		"not found as internal":               {"update/missing", "fault/404"},
		"update creates":                      {"update/missing", "fault/404"},
		"id changes":                          {"update/keeps-id"},
		"suspend wipes":                       {"active/leaves-attributes"},
		"suspend does nothing":                {"active/suspends"},
		"delete does nothing":                 {"update/missing", "get/missing", "active/missing", "delete/removes", "groups/missing"},
		"second delete fails":                 {"delete/twice"},
		"first page only":                     {"list/complete"},
		"unknown groups are fine":             {"groups/unknown"},
		"check writes":                        {"check/changes-nothing", "check/says-why"},
		"check always passes":                 {"check/says-why"},
		"unknown as transient without effect": {"fault/reset", "unknown/reply-lost"},
		"every status is transient":           {"create/taken", "update/missing", "fault/400", "fault/401", "fault/402", "fault/403", "fault/404", "fault/409", "fault/501", "…"},
		"429 without retry after":             {"fault/429-seconds", "fault/429-date"},
		"retry after in seconds only":         {"fault/429-date"},
		"500 without effect":                  {"fault/500", "fault/502", "fault/504"},
		"leaks the secret in an error":        {"secret/nowhere"},
		"repeats the answer":                  {"secret/echo", "secret/nowhere", "secret/no-user-values"},
		"shows addresses":                     {"secret/no-user-values"},
		"follows anywhere":                    {"secret/redirect"},
		"creates whom it looks for":           {"lookup/changes-nothing", "…"},
		"drops other scripts":                 {"value/odd"},
		"creates share state":                 {"concurrent/writes"},
		"groups once":                         {"groups/sets"},
		"closed port as invalid":              {"fault/refused"},
		"412 as conflict":                     {"fault/412"},
		"503 as unsupported":                  {"fault/503"},
		// What a connector that does not use the SDK does wrong.
		"describes differently":              {"describe/pure", "describe/deterministic"},
		"describes what is configured":       {"describe/pure"},
		"asks the target to describe":        {"describe/pure"},
		"bad name":                           {"describe/identity"},
		"secret not marked":                  {"schema/secrets-marked"},
		"contradictory field":                {"schema/fields"},
		"attribute twice":                    {"schema/attributes"},
		"capability twice":                   {"schema/capabilities"},
		"hides a capability":                 {"wire/undeclared-verbs"},
		"claims a capability":                {"check/passes", "check/changes-nothing", "check/says-why", "wire/undeclared-verbs", "wire/failures-typed"},
		"validation names nothing":           {"validate/names-required", "validate/names-type", "validate/names-enum", "validate/names-unknown", "validate/names-misplaced-secret", "validate/all-at-once"},
		"validation stops at the first":      {"validate/all-at-once"},
		"validation accepts anything":        {"validate/names-required", "validate/names-type", "validate/names-enum", "validate/names-unknown", "validate/names-misplaced-secret", "validate/all-at-once", "validate/not-an-object"},
		"validation repeats values":          {"secret/nowhere"},
		"validation asks the target":         {"validate/pure"},
		"any instance":                       {"configure/refuses-bad", "instance/unknown", "instance/newer-generation", "instance/release", "instance/many"},
		"any generation":                     {"instance/newer-generation"},
		"older generation":                   {"instance/older-generation"},
		"keeps released instances":           {"instance/release", "instance/many"},
		"release fails":                      {"instance/release", "instance/many", "wire/unknown-fields", "wire/failures-typed"},
		"one instance for all":               {"instance/many", "…"},
		"plain failures":                     {"wire/failures-typed", "…"},
		"no key":                             {"schema/key", "…"},
		"takes no configuration":             {"configure/accepts", "configure/refuses-bad", "wire/failures-typed"},
		"validation complains of everything": {"validate/accepts"},
		"each generation once":               {"instance/same-generation", "wire/failures-typed"},
		"refuses unknown fields":             {"wire/unknown-fields", "wire/failures-typed"},
	}
}

func TestSabotaged(t *testing.T) {
	for d, want := range sabotages() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			sabotage(t, d, want, func(id string) bool { return !slow(id) })
		})
	}
}

// slowSabotages are those of defects that take time to show.
func slowSabotages() map[defect][]string {
	return map[defect][]string{
		"ignores the deadline":   {"list/stops", "time/deadline", "time/deadline-of-a-write", "time/cancel"},
		"ignores cancel":         {"list/stops", "time/cancel"},
		"a timeout is no effect": {"instance/running-call-ends", "unknown/reply-late", "time/deadline", "time/deadline-of-a-write"},
		"reads everything":       {"fault/endless"},
		"gives up early":         {"instance/running-call-ends", "time/deadline", "time/deadline-of-a-write"},
		"locks while it waits":   {"time/alive-while-hanging"},
		"no deadline is fine":    {"time/no-deadline"},
		"cuts running calls":     {"instance/running-call-ends"},
		"slow to describe":       {"describe/fast"},
	}
}

func TestSabotagedInTime(t *testing.T) {
	long(t)
	for d, want := range slowSabotages() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel() // they wait, for the most part
			sabotage(t, d, want, func(id string) bool {
				switch d {
				case "slow to describe": // it slows everything else down, too
					return id == "describe/fast"
				case "reads everything":
					return id == "fault/endless"
				}
				return slow(id) && id != "fault/endless" && !strings.HasPrefix(id, "process/")
			})
		})
	}
}

// sabotage runs the checks that pick picks on a connector with the defect.
func sabotage(t *testing.T, d defect, want []string, pick func(string) bool) {
	o := restOptions()
	o.Select = pick
	o.server = &broken{Server: wire.NewServer(restConnector(d), quiet()), defect: d}
	report := runAll(t, o)
	got := failed(report)
	if open := len(want) - 1; want[open] == "…" {
		want = want[:open]
		got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failed checks (-want +got):\n%s", diff)
		_ = report.WriteText(t.Output())
	}
}
