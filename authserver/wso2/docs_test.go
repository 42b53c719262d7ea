package wso2_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/wso2"
)

var update = flag.Bool("update", false, "write the table in docs/import-wso2.md anew")

const (
	page  = "../../docs/import-wso2.md"
	begin = "<!-- keys: written by go test ./authserver/wso2 -run TestDocs -update -->\n"
	end   = "<!-- end of keys -->\n"
)

// TestDocsHaveTheTable holds the page to the code.
func TestDocsHaveTheTable(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), begin)
	old, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", page)
	}
	table := markdown()
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, old); diff != "" {
		t.Errorf("%s does not say what the code does; run with -update (-code +page):\n%s", page, diff)
	}
}

func markdown() string {
	var b strings.Builder
	connector := ""
	for _, row := range wso2.Table() {
		if row.Connector != connector {
			connector = row.Connector
			fmt.Fprintf(&b, "\n### %s\n\n| key | | |\n|---|---|---|\n", connector)
		}
		what := string(row.Verdict)
		if row.Field != "" {
			kind := "config"
			if row.Secret {
				kind = "secrets"
			}
			what += fmt.Sprintf(": `%s.%s`", kind, row.Field)
		}
		if row.Attribute != "" {
			what += fmt.Sprintf(": `mapping.%s`", row.Attribute)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", row.Key, what, row.Note)
	}
	return b.String() + "\n"
}
