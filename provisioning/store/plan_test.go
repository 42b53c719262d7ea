package store

import (
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// The census reads one index and no row of any account.
func TestCensusReadsAnIndexAlone(t *testing.T) {
	db := sqldbtest.SQLite(t, Migrations())
	var id, parent, unused int
	var detail string
	err := db.QueryRow(t.Context(), "EXPLAIN QUERY PLAN "+census).Scan(&id, &parent, &unused, &detail)
	if err != nil || detail != "SCAN account USING COVERING INDEX account_census" {
		t.Errorf("plan begins with %q, %v", detail, err)
	}
}

// The hot queries stay index probes however many rows there are.
func TestHotQueriesUseIndexes(t *testing.T) {
	db := sqldbtest.SQLite(t, Migrations())
	tests := []struct {
		name  string
		query string
		args  []any
		want  []string
	}{
		{"standings", standings, []any{"app", "ann"}, []string{"SEARCH b USING PRIMARY KEY (client_id=?)", "SEARCH a USING PRIMARY KEY (user_id=? AND target=?)", "SEARCH w USING PRIMARY KEY (target=? AND cause=? AND client_id=?)"}},
		{"claim waited", claimWaitedSQLite, []any{"w", 2, "dir", 1, 4}, []string{"USING PRIMARY KEY (user_id=?", "USING INDEX account_waited (target=? AND next_attempt_at>? AND next_attempt_at<?)"}},
		{"claim any", claimAnySQLite, []any{"w", 2, "dir", 1, 4}, []string{"USING PRIMARY KEY (user_id=?", "USING COVERING INDEX account_due (target=? AND next_attempt_at>? AND next_attempt_at<?)"}},
		{"leased", leased, []any{"dir", 1}, []string{"USING COVERING INDEX account_leased (target=? AND lease_until>?)"}},
		{"due", due, nil, []string{"SEARCH a USING COVERING INDEX account_due (target=? AND next_attempt_at>?)", "SEARCH s USING PRIMARY KEY (target=?)"}},
		{"sign-ins", "SELECT client_id FROM decision WHERE " + firstOfSignIns + " ORDER BY id DESC LIMIT 10", nil, []string{"INDEX decision_sign_in (sign_in=? AND id<?)"}},
		{"linked to", linkedTo, []any{"dir", "x1"}, []string{"INDEX account_external (target=? AND external_id=?)"}},
	}
	for _, tt := range tests {
		rows, err := db.Query(t.Context(), "EXPLAIN QUERY PLAN "+tt.query, tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := collect(rows, func(row scanner) (string, error) {
			var id, parent, unused int
			var detail string
			err := row.Scan(&id, &parent, &unused, &detail)
			return detail, err
		})
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(plan, "\n")
		for _, want := range tt.want {
			if !strings.Contains(all, want) {
				t.Errorf("%s: plan has no %q:\n%s", tt.name, want, all)
			}
		}
		if strings.Contains(all, "SCAN account") || strings.Contains(all, "SCAN a ") || strings.Contains(all, "SCAN b") {
			t.Errorf("%s: plan scans:\n%s", tt.name, all)
		}
	}
}
