package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/cli"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// command runs a command on the stack's database, with a system of its own, and
// returns what it prints.
func (s *stack) command(t *testing.T, args ...string) string {
	t.Helper()
	return runCommand(t, map[string]string{
		"ANTEROOM_ISSUER": s.issuer, "ANTEROOM_DATABASE": s.database, "ANTEROOM_CONNECTORS_DIR": connectorsDir(t), "ANTEROOM_SECRETS_KEY_FILE": s.keys,
	}, args...)
}

// runCommand runs a command in this process.
func runCommand(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	var out, failure bytes.Buffer
	code := cli.Main(t.Context(), cli.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &failure, Getenv: func(name string) string { return env[name] },
	}, args)
	if code != 0 {
		t.Fatalf("anteroom %s: %d: %s", strings.Join(args, " "), code, failure.String())
	}
	return out.String()
}

// simulated is what of a simulation the test looks at.
type simulated struct {
	Bindings []struct {
		Sync struct {
			Action  provisioning.SyncAction `json:"action"`
			Changes []struct {
				Attribute string `json:"attribute"`
				Gets      any    `json:"gets"`
			} `json:"changes"`
		} `json:"sync"`
	} `json:"bindings"`
}

// Whatever is simulated, with a connector that has to be started for it: not a row
// of the database is written, and the target gets nothing but reads.
func TestSimulateWritesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{
			database: url, binding: "blocking: true, enable_rules: true, rule_sets: [active]",
			more: "rule_sets: [{name: active, source: \"rules: [{id: active, effect: permit, when: user.active}]\"}]",
		})
		accounts := s.employ(t, "ann", "bob", "fay")
		up.patch(t, accounts["bob"].ExternalID, map[string]any{"op": "replace", "path": "name.familyName", "value": "Tampered"})
		up.remove(t, accounts["fay"].ExternalID)
		up.add(t, map[string]any{"userName": "cid", "active": true})
		up.add(t, map[string]any{"userName": "eve", "externalId": "hr-7", "active": true})
		for _, login := range []string{"cid", "dan", "eve"} {
			s.importUser(t, login)
		}
		s.stop()
		person := filepath.Join(t.TempDir(), "person.yaml")
		if err := os.WriteFile(person, []byte("{login: gus, given_name: Gus}"), 0o600); err != nil {
			t.Fatal(err)
		}

		db := s.db(t)
		before, writes, requests := sqldbtest.Dump(t, db), s.proxy.Writes(), len(s.proxy.Requests())
		got := map[string]provisioning.SyncAction{}
		for _, who := range []string{"--user=ann", "--user=bob", "--user=cid", "--user=dan", "--user=eve", "--user=fay", "--attributes=" + person} {
			var v simulated
			out := s.command(t, "binding", "simulate", who, "--application", appID, "--diff-target", "--show-values", "-o", "json")
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Fatal(err)
			}
			sync := v.Bindings[0].Sync
			got[strings.TrimSuffix(filepath.Base(who), ".yaml")] = sync.Action
			if who == "--user=bob" && (len(sync.Changes) != 1 || sync.Changes[0].Attribute != "name.familyName" || sync.Changes[0].Gets != "Example") {
				t.Errorf("bob: %+v, want the family name put right", sync)
			}
		}
		want := map[string]provisioning.SyncAction{
			"--user=ann": provisioning.SyncNothing, "--user=bob": provisioning.SyncUpdate, "--user=cid": provisioning.SyncAdopt,
			"--user=dan": provisioning.SyncCreate, "--user=eve": provisioning.SyncConflict, "--user=fay": provisioning.SyncCreate, "person": provisioning.SyncCreate,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("actions (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, sqldbtest.Dump(t, db)); diff != "" {
			t.Errorf("the database was written (-before +after):\n%s", diff)
		}
		if n := s.proxy.Writes() - writes; n != 0 || len(s.proxy.Requests()) == requests {
			t.Errorf("%d writes in %d requests, want none in some", n, len(s.proxy.Requests())-requests)
		}
	})
}
