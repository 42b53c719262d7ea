package e2e

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
	page "github.com/anteroom-id/anteroom/sdk/reference"
)

var update = flag.Bool("update", false, "write the pages in docs/connectors anew")

// The page of each first-party connector says what the connector says.
// `go test ./e2e -run TestConnectorReference -update` writes them.
func TestConnectorReference(t *testing.T) {
	t.Parallel()
	programs, err := filepath.Glob("../plugins/connectors/*/anteroom-connector-*")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no connectors: %v", err)
	}
	pages := map[string]bool{}
	for _, dir := range programs {
		var d sdk.Description
		out, err := exec.Command("go", "run", dir, "describe").Output()
		if err == nil {
			err = json.Unmarshal(out, &d)
		}
		if err != nil {
			t.Fatalf("describe %s: %v", dir, err)
		}
		path := filepath.Join("../docs/connectors", d.Name+".md")
		pages[path] = true
		want := page.Markdown(d)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("%s does not say what the connector says; run with -update. %v (-connector +page):\n%s", path, err, diff)
		}
	}
	there, err := filepath.Glob("../docs/connectors/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there { // NAME-setup.md is what an admin does in the target first
		if !pages[strings.Replace(path, "-setup.md", ".md", 1)] {
			t.Errorf("%s is the page of no connector", path)
		}
	}
}
