package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
)

// rowsOf is what a database of each version has, as that version wrote it.
var rowsOf = map[int]string{
	1: `INSERT INTO target (name, connector, config, mapping, adopt, on_user_delete, revision)
			VALUES ('dir', 'scim2', '{"base_url":"https://x"}', 'null', 'if_unclaimed', 'suspend', 3);
		INSERT INTO binding (client_id, target, position, blocking, enable_rules, jit_outbound, timeout, on_create_failure, on_update_failure, on_refresh, report_only)
			VALUES ('app', 'dir', 0, TRUE, FALSE, TRUE, 7000000, 'deny', 'allow', 'check', FALSE);
		INSERT INTO account (user_id, target, desired, desired_rev, applied_rev, state, external_id, created, sent, outcome, cause, fence, updated_at)
			VALUES ('ann', 'dir', 'present', 4, 4, 'in_sync', 'x1', TRUE, '{"login":"abc"}', 'created', 'background', 9, 1700000000000001);
		INSERT INTO account (user_id, target, desired, desired_rev, state, kind, detail, attempts, first_failed_at, next_attempt_at, cause, updated_at)
			VALUES ('bob', 'dir', 'present', 1, 'retrying', 'transient', 'down', 2, 1700000000000002, 1700000000000003, 'sign_in', 1700000000000004);
		INSERT INTO attempt (id, user_id, target, rev, operation_id, number, cause, started_at, ended_at, outcome)
			VALUES ('t1', 'ann', 'dir', 4, 'op', 1, 'background', 1700000000000005, 1700000000000006, 'created');
		INSERT INTO decision (id, client_id, user_id, grant_type, sign_in, reference, earlier, exempt, verdict, code, text, findings, decided_at)
			VALUES ('d1', 'app', 'ann', 'authorize', 's1', 'AAAA-BBBB', '', FALSE, 'permit', '', '', 'null', 1700000000000007)`,
	2: `UPDATE target SET max_concurrency = 7 WHERE name = 'dir';
		UPDATE target_state SET failures = 2 WHERE target = 'dir'`,
	3: `UPDATE account SET client_id = 'app' WHERE user_id = 'ann';
		INSERT INTO sweep (target, cause, client_id, on_loss, after_user, target_rev) VALUES ('dir', 'changed', '', 'keep', 'ann', 3)`,
	4: `UPDATE target SET reconcile_every = 3600000000 WHERE name = 'dir'`,
	5: `UPDATE account SET held = FALSE WHERE user_id = 'ann'`,
	6: `INSERT INTO rule_set (name, revision, deleted) VALUES ('staff', 1, FALSE);
		INSERT INTO rule_set_revision (name, revision, digest, language, source, policies, default_decision, timezone, wso2, created_at)
			VALUES ('staff', 1, 'abc', 'cel', 'rules: []', '[]', '', '', FALSE, 1700000000000008);
		UPDATE binding SET rule_sets = '["staff"]' WHERE client_id = 'app'`,
	7: `INSERT INTO reservation (user_id, target, attribute, value, folded) VALUES ('ann', 'dir', 'login', 'Ann', 'ann');
		UPDATE target SET maps = '{"roles":{"staff":"CRM"}}' WHERE name = 'dir'`,
}

// What an earlier version stored is there after an update, and means the same.
func TestMigrateFromEveryVersion(t *testing.T) {
	sqldbtest.FromEveryVersion(t, store.Migrations(), rowsOf, func(t *testing.T, db *sqldb.DB, from int) {
		s := store.New(db, storetest.Sealer{})
		if from == 0 {
			if targets, err := s.Targets.List(t.Context()); err != nil || len(targets) != 0 {
				t.Errorf("a new database has the targets %v, %v", targets, err)
			}
			return
		}
		checkTarget(t, s, from)
		checkAccounts(t, s, from)
		sets, err := s.RuleSets.List(t.Context())
		if (len(sets) == 1) != (from >= 6) || err != nil {
			t.Errorf("rule sets = %+v, %v", sets, err)
		}
		bindings, err := s.Bindings.ByClient(t.Context(), "app")
		want := provisioning.NewBinding("app", "dir")
		want.Blocking, want.Timeout, want.OnUpdateFailure = true, 7*time.Second, provisioning.FailureAllow
		if from >= 6 {
			want.RuleSets = []string{"staff"}
		}
		if diff := cmp.Diff([]provisioning.Binding{want}, bindings); err != nil || diff != "" {
			t.Errorf("bindings: %v (-want +got):\n%s", err, diff)
		}
		if d, err := s.Decisions.Get(t.Context(), "d1"); err != nil || d.Verdict != provisioning.VerdictPermit || d.DecidedAt.UnixMicro() != 1700000000000007 {
			t.Errorf("decision = %+v, %v", d, err)
		}
		if a, err := s.Attempts.ByAccount(t.Context(), "ann", "dir", 10); err != nil || len(a) != 1 || a[0].EndedAt.UnixMicro() != 1700000000000006 {
			t.Errorf("attempts = %+v, %v", a, err)
		}
	})
}

func checkTarget(t *testing.T, s store.Stores, from int) {
	t.Helper()
	got, err := s.Targets.Get(t.Context(), "dir")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"concurrency": provisioning.DefaultConcurrency, "every": time.Duration(0), "groups": true, "maps": ""}
	if from >= 2 {
		want["concurrency"] = 7
	}
	if from >= 4 {
		want["every"] = time.Hour
	}
	if from >= 7 {
		want["maps"] = "CRM"
	}
	have := map[string]any{"concurrency": got.MaxConcurrency, "every": got.ReconcileEvery, "groups": got.Groups == nil, "maps": got.Maps["roles"]["staff"]}
	if diff := cmp.Diff(want, have); diff != "" || got.Revision != 3 {
		t.Errorf("target %+v (-want +got):\n%s", got, diff)
	}
	if state, err := s.Health.Get(t.Context(), "dir"); err != nil || state.Health.Open() || (from >= 2) != (state.Health.Failures == 2) {
		t.Errorf("state = %+v, %v", state, err)
	}
}

func checkAccounts(t *testing.T, s store.Stores, from int) {
	t.Helper()
	if names, err := s.Accounts.Reserved(t.Context(), "ann", "dir"); err != nil || (from >= 7) != (names["login"] == "Ann") {
		t.Errorf("reserved = %v, %v", names, err)
	}
	ann := provisioning.Account{
		User: "ann", Target: "dir", Desired: provisioning.DesiredPresent, DesiredRev: 4, AppliedRev: 4, State: provisioning.StateInSync,
		ExternalID: "x1", Created: true, Sent: map[string]string{"login": "abc"}, Outcome: provisioning.OutcomeCreated,
		Trigger: provisioning.TriggerBackground, Fence: 9,
	}
	if from >= 3 {
		ann.Client = "app"
	}
	bob := provisioning.Account{
		User: "bob", Target: "dir", Desired: provisioning.DesiredPresent, DesiredRev: 1, State: provisioning.StateRetrying, Kind: "transient",
		Detail: "down", Attempts: 2, Trigger: provisioning.TriggerSignIn, Sent: map[string]string{},
	}
	got, err := s.Accounts.List(t.Context(), provisioning.AccountFilter{})
	ignore := cmpopts.IgnoreFields(provisioning.Account{}, "FirstFailedAt", "NextAttemptAt", "UpdatedAt")
	if diff := cmp.Diff([]provisioning.Account{ann, bob}, got, ignore); err != nil || diff != "" {
		t.Fatalf("accounts: %v (-want +got):\n%s", err, diff)
	}
	if got[1].NextAttemptAt.UnixMicro() != 1700000000000003 || got[1].FirstFailedAt.UnixMicro() != 1700000000000002 {
		t.Errorf("bob's times are %s and %s", got[1].NextAttemptAt, got[1].FirstFailedAt)
	}
}
