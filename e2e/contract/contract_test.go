package contract_test

import (
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/contract"
)

var update = flag.Bool("update", false, "write docs/connector-contract.md anew")

const document = "../../docs/connector-contract.md"

// servers are the columns of the matrix. Each is in a file of its own.
func servers() []contract.Server {
	return []contract.Server{
		elimity(),
		elimityOAuth(),
		scimmy(),
		betterAuth(),
		openLDAP(),
		sambaAD(),
		postgres(),
		salesforceOrg(),
		salesforceByExternalID(),
		googleWorkspace(),
		webhookEndpoint(),
	}
}

// Every case on every server. The page in docs says what came of it.
func TestContract(t *testing.T) {
	matrix := contract.NewMatrix(servers()...)
	var mu sync.Mutex
	ran := 0
	t.Run("servers", func(t *testing.T) {
		for _, s := range servers() {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				results := contract.Run(t, s)
				mu.Lock()
				defer mu.Unlock()
				matrix.Set(s.Name, results)
				ran++
			})
		}
	})
	if t.Failed() || ran == 0 {
		return
	}
	old, err := os.ReadFile(document)
	if err != nil && !*update {
		t.Fatal(err)
	}
	matrix.Keep(string(old))
	page := matrix.Markdown()
	t.Log(page)
	if *update {
		if err := os.WriteFile(document, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(old), page); diff != "" {
		t.Errorf("%s does not say what the servers do; run with -update (-page +run):\n%s", document, diff)
	}
}
