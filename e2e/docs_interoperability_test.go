package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// foreign is something on libraries that nobody here wrote.
type foreign struct {
	name     string
	shows    string   // what it does that the others do not all do
	packages []string // of npm, or Go modules
}

// row is its line in docs/interoperability.md.
func (f foreign) row(versions map[string]string) string {
	var packages []string
	for _, name := range f.packages {
		packages = append(packages, fmt.Sprintf("`%s` %s", name, versions[name]))
	}
	return fmt.Sprintf("| %s | %s | %s |\n", f.name, cmp.Or(strings.Join(packages, ", "), "this version"), f.shows)
}

// The page names everything that is run, in the version that is run, and nothing
// else.
func TestDocsInteroperability(t *testing.T) {
	doc, versions := readDoc(t, "docs/interoperability.md"), pinned(t)
	applications, upstreams := "| application on | packages | also |\n|---|---|---|\n", "| provider | packages | also |\n|---|---|---|\n"
	for _, c := range realClients() {
		applications += c.row(versions)
	}
	for _, u := range realUpstreams() {
		upstreams += u.row(versions)
	}
	for _, table := range []string{applications, upstreams} {
		if !strings.Contains(doc, "\n\n"+table+"\n") {
			t.Errorf("docs/interoperability.md lacks the table\n%s", table)
		}
	}
}

// pinned returns the versions of go.mod and of the peers' package.json.
func pinned(t *testing.T) map[string]string {
	t.Helper()
	var npm struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal([]byte(readDoc(t, "e2e/peers/package.json")), &npm); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v(\S+)$`).FindAllStringSubmatch(readDoc(t, "go.mod"), -1) {
		npm.Dependencies[m[1]] = m[2]
	}
	return npm.Dependencies
}
