package conformance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the list of checks into the docs")

const (
	docsPage  = "../../../docs/connector-conformance.md"
	docsBegin = "<!-- checks: written by go test ./sdk/sdktest/conformance -run TestDocs -update -->\n"
	docsEnd   = "<!-- end of checks -->\n"
)

// TestDocsListEveryCheck compares the page with the table in code.
func TestDocsListEveryCheck(t *testing.T) {
	raw, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), docsBegin)
	listed, after, closed := strings.Cut(rest, docsEnd)
	if !found || !closed {
		t.Fatalf("%s has no marks round the list of checks", docsPage)
	}
	if *update {
		page := before + docsBegin + docsTable() + docsEnd + after
		if err := os.WriteFile(docsPage, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(docsTable(), listed); diff != "" {
		t.Errorf("the list of checks (-code +page):\n%s", diff)
	}
}

func docsTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d checks.\n\n| check | the connector … | runs |\n| --- | --- | --- |\n", len(Checks()))
	for _, c := range Checks() {
		var runs []string
		if c.Capability != "" {
			runs = append(runs, fmt.Sprintf("with `%s`", c.Capability))
		}
		if c.Proxy {
			runs = append(runs, "with a proxy")
		}
		if c.Process {
			runs = append(runs, "as a process")
		}
		if runs == nil {
			runs = []string{"always"}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.ID, c.Demand, strings.Join(runs, ", "))
	}
	return b.String()
}
