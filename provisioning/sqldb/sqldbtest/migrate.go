package sqldbtest

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// FromEveryVersion brings a database of each earlier version of the line to the
// latest, on both dialects, and lets check look at it. rows holds what a database
// of a version has besides what those before it had: statements separated by ";".
// There must be an entry for every version, so that a new migration is not
// forgotten.
func FromEveryVersion(t *testing.T, line sqldb.Line, rows map[int]string, check func(t *testing.T, db *sqldb.DB, from int)) {
	t.Helper()
	latest := latestOf(t, line)
	for from := range latest + 1 {
		if _, ok := rows[from]; !ok && from > 0 {
			t.Fatalf("no rows are given for version %d", from)
		}
		t.Run(fmt.Sprintf("from %d", from), func(t *testing.T) {
			Each(t, func(t *testing.T, db *sqldb.DB) {
				for v := range from + 1 {
					upTo(t, db, line, v)
					fill(t, db, rows[v])
				}
				for range 2 { // the second time there is nothing to do
					if err := db.Migrate(t.Context(), line); err != nil {
						t.Fatal(err)
					}
				}
				check(t, db, from)
			})
		})
	}
}

func latestOf(t *testing.T, line sqldb.Line) int {
	t.Helper()
	names, err := fs.Glob(line.FS, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("line %s has no migrations: %v", line.Name, err)
	}
	return number(t, names[len(names)-1])
}

// upTo migrates to a version: to what the line was when that was its latest.
func upTo(t *testing.T, db *sqldb.DB, line sqldb.Line, version int) {
	t.Helper()
	earlier := fstest.MapFS{}
	names, err := fs.Glob(line.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if number(t, name) > version {
			continue
		}
		text, err := fs.ReadFile(line.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		earlier[name] = &fstest.MapFile{Data: text}
	}
	if len(earlier) == 0 {
		return
	}
	if err := db.Migrate(t.Context(), sqldb.Line{Name: line.Name, FS: earlier}); err != nil {
		t.Fatalf("to version %d: %v", version, err)
	}
}

func number(t *testing.T, name string) int {
	t.Helper()
	digits, _, _ := strings.Cut(name, "_")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatalf("%s has no number: %v", name, err)
	}
	return n
}

func fill(t *testing.T, db *sqldb.DB, statements string) {
	t.Helper()
	for s := range strings.SplitSeq(statements, ";") {
		if strings.TrimSpace(s) == "" {
			continue
		}
		if _, err := db.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
