package sqldbtest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Dump returns every row of every table as text, sorted: of two that are equal, nothing
// was written in between.
func Dump(t testing.TB, db *sqldb.DB) string {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
	if db.Dialect() == sqldb.Postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name"
	}
	var out strings.Builder
	for _, table := range dumped(t, db, query) {
		fmt.Fprintf(&out, "%s\n", table[0])
		var lines []string
		for _, row := range dumped(t, db, `SELECT * FROM "`+table[0]+`"`) {
			lines = append(lines, "  "+strings.Join(row, " | ")+"\n")
		}
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, ""))
	}
	return out.String()
}

func dumped(t testing.TB, db *sqldb.DB, query string) [][]string {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		out = append(out, scanned(t, rows, len(columns)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func scanned(t testing.TB, rows *sql.Rows, n int) []string {
	t.Helper()
	values, dest := make([]sql.RawBytes, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	if err := rows.Scan(dest...); err != nil {
		t.Fatal(err)
	}
	out := make([]string, n)
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
