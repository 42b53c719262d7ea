package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/anteroom-id/anteroom"

// importRule lists everything a package may import directly, beyond the standard
// library. A pattern ends in /... for a tree; "self/" stands for the package's
// own tree.
type importRule struct {
	pkg   string   // module-relative, or with /... for a tree
	allow []string // module-relative packages, or import paths with a dot in the first element
	why   string
}

// importRules is the direction of imports. The first entry that matches a package
// applies. What is not listed is forbidden.
var importRules = []importRule{
	{"sdk", nil, "authors link the standard library only"},
	{"sdk/sdkhttp", []string{"sdk"}, "HTTP for connectors: the standard library only, as sdk"},
	{"sdk/wire/connectorv1", []string{"google.golang.org/grpc/...", "google.golang.org/protobuf/..."}, "generated"},
	{"sdk/wire", []string{"sdk", "sdk/wire/connectorv1", "github.com/hashicorp/go-plugin", "google.golang.org/grpc/...", "google.golang.org/protobuf/...", "google.golang.org/genproto/googleapis/rpc/..."}, "both ends of the transport"},
	{"sdk/serve", []string{"sdk", "sdk/wire", "github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog", "google.golang.org/grpc/..."}, "what a connector's main calls"},
	{"sdk/sdktest", []string{"sdk", "sdk/serve", "sdk/wire", "sdk/sdktest/conformance"}, "the conformance kit for Go tests"},
	{"sdk/sdktest/conformance", []string{"sdk", "sdk/wire", "sdk/wire/connectorv1", "sdk/sdktest/faultproxy", "github.com/hashicorp/go-plugin/...", "github.com/hashicorp/go-hclog", "google.golang.org/grpc/...", "google.golang.org/protobuf/...", "google.golang.org/genproto/googleapis/rpc/..."}, "the checks, run on a real process: never the host"},
	{"sdk/sdktest/faultproxy", nil, "HTTP that misbehaves"},
	{"sdk/sdktest/tcpproxy", nil, "connections that misbehave"},
	{"sdk/sdktest/target", nil, "a fake target"},
	{"sdk/reference", []string{"sdk"}, "a page from a description"},
	{"sdk/examples/...", []string{"sdk", "sdk/sdkhttp", "sdk/serve", "self/..."}, "what an author may import"},
	{"plugins/catalog", []string{"sdk"}, "what lies in the connectors folder; executes nothing"},
	{"plugins", []string{"sdk", "sdk/wire", "sdk/wire/connectorv1", "plugins/catalog", "plugins/runner", "plugins/sandbox", "github.com/hashicorp/go-plugin/...", "github.com/hashicorp/go-hclog", "google.golang.org/grpc/..."}, "the host; never provisioning"},
	{"plugins/runner", []string{"plugins/sandbox", "github.com/hashicorp/go-plugin/runner", "golang.org/x/sys/unix"}, "child processes, knows no protocol"},
	{"plugins/sandbox", []string{"github.com/landlock-lsm/go-landlock/...", "golang.org/x/net/bpf", "golang.org/x/sys/unix"}, "confines a process; runs before everything in main"},
	{"plugins/connectors/...", []string{"sdk", "sdk/sdkhttp", "sdk/serve", "self/..."}, "the same rule as for a third party"},
	{"provisioning/expression", []string{"cel.dev/cel-go/...", "golang.org/x/text/..."}, "pure; the one CEL environment, for conditions and for values of attributes"},
	{"provisioning/rules/source", []string{"provisioning/rules", "github.com/goccy/go-yaml/..."}, "pure; reads YAML strictly for those who say what is in it"},
	{"provisioning/rules/cel", []string{"provisioning/rules", "provisioning/rules/source", "provisioning/expression", "cel.dev/cel-go/...", "github.com/goccy/go-yaml/ast"}, "pure; the form of a native rule set is its own, and its errors point into the YAML"},
	{"provisioning/rules/cases", []string{"provisioning/rules", "provisioning/rules/source", "provisioning/rules/template", "github.com/goccy/go-yaml/ast"}, "pure; whoever runs a file of cases reads and compiles what it names"},
	{"provisioning/rules/language", []string{"provisioning/rules", "provisioning/rules/cel", "provisioning/rules/xacml"}, "the choice of a language, and nothing of what they are made of"},
	{"provisioning/rules/...", []string{"sdk", "provisioning/rules"}, "pure"},
	{"provisioning/mapping", []string{"sdk", "provisioning/expression", "provisioning/rules", "cel.dev/cel-go/..."}, "pure; expressions are CEL, under the limits of rules"},
	{"provisioning", []string{"sdk", "provisioning/mapping", "provisioning/rules", "github.com/google/uuid"}, "no HTTP, SQL or gRPC"},
	{"provisioning/runner", []string{"provisioning", "sdk"}, "the background"},
	{"provisioning/faultpoint", []string{"provisioning", "provisioning/runner", "sdk"}, "around what the engine uses; test builds alone"},
	{"provisioning/sqldb", []string{"modernc.org/sqlite/...", "github.com/jackc/pgx/v5/...", "github.com/pressly/goose/v3/..."}, "both dialects in one place"},
	{"provisioning/sqldb/sqldbtest", []string{"provisioning/sqldb"}, "a database for a test"},
	{"provisioning/store", []string{"provisioning", "provisioning/rules", "provisioning/sqldb", "sdk"}, "SQL of the ledger"},
	{"provisioning/storetest", []string{"provisioning", "provisioning/rules", "provisioning/sqldb", "provisioning/store", "sdk", "github.com/google/go-cmp/..."}, "one suite for every store"},
	{"authserver/keys", []string{"sdk", "github.com/go-jose/go-jose/v4/...", "github.com/tink-crypto/tink-go/v2/..."}, "signing keys and encryption at rest"},
	{"authserver/web", nil, "templates and rendering"},
	{"authserver/forwarded", nil, "a header and a list of networks"},
	{"authserver/config", []string{"sdk", "github.com/goccy/go-yaml/..."}, "the configuration file"},
	{"authserver/user", []string{"provisioning", "sdk", "golang.org/x/crypto/...", "golang.org/x/text/...", "github.com/google/uuid"}, "people"},
	{"authserver/application", []string{"provisioning", "sdk", "github.com/go-jose/go-jose/v4"}, "OAuth clients; their public keys are checked where everything else of them is"},
	{"authserver/resourceserver", []string{"authserver/application", "provisioning"}, "APIs that take our tokens; names applications and their scopes"},
	{"authserver/clientkeys", []string{"authserver/application", "authserver/outbound", "github.com/go-jose/go-jose/v4"}, "key sets of applications; where it may connect is the HTTP client's"},
	{"authserver/registration", []string{"authserver/application", "provisioning", "sdk"}, "applications that register themselves; knows no protocol library, and of users only that they must be asked again"},
	{"authserver/session", []string{"provisioning"}, "browser sessions"},
	{"authserver/outbound", nil, "HTTP to addresses that applications registered"},
	{"authserver/audit", []string{"github.com/google/uuid"}, "what admins did; knows nothing of what that was"},
	{"authserver/subject", []string{"authserver/application", "authserver/outbound", "provisioning"}, "what applications know users by; knows no protocol endpoint"},
	{"authserver/logout", []string{"authserver/application", "authserver/keys", "authserver/session", "authserver/subject", "provisioning"}, "tells applications that a session ended; knows no page and no protocol endpoint"},
	{"authserver/federation", []string{"authserver/user", "provisioning", "sdk", "github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2"}, "the relying party of upstreams"},
	{"authserver/flow", []string{"authserver/application", "authserver/federation", "authserver/passkey", "authserver/secondfactor", "authserver/session", "authserver/subject", "authserver/user", "authserver/keys", "authserver/web", "provisioning", "sdk"}, "the sign-in"},
	{"authserver/mail", []string{"sdk", "github.com/wneessen/go-mail"}, "hands a message to an SMTP server"},
	{"authserver/recovery", []string{"authserver/mail", "authserver/session", "authserver/user", "authserver/web", "provisioning", "sdk"}, "mailed links and what they are for"},
	{"authserver/passkey", []string{"provisioning", "github.com/go-webauthn/webauthn/protocol", "github.com/go-webauthn/webauthn/webauthn"}, "the relying party of WebAuthn; nobody else imports go-webauthn"},
	{"authserver/passkey/passkeytest", nil, "an authenticator in memory"},
	{"authserver/secondfactor", []string{"provisioning", "github.com/pquerna/otp/..."}, "codes beside the password"},
	{"authserver/selfservice", []string{"authserver/application", "authserver/federation", "authserver/passkey", "authserver/secondfactor", "github.com/pquerna/otp", "authserver/session", "authserver/user", "authserver/web", "provisioning", "sdk"}, "what users do for themselves; the sign-in is behind an interface"},
	{"authserver/device", []string{"authserver/application", "authserver/flow", "authserver/session", "authserver/user", "authserver/web", "provisioning"}, "the page for a device's code; the endpoints are op's"},
	{"authserver/admin", []string{"provisioning"}, "who may use the console, and for what"},
	{"authserver/console/form", nil, "documents as forms; knows no document"},
	{"authserver/console", []string{"authserver/admin", "authserver/application", "authserver/audit", "authserver/console/form", "authserver/resources", "authserver/session", "authserver/user", "authserver/web", "provisioning", "sdk", "github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2"}, "an application like any other: it signs people in by the protocol only"},
	{"authserver/op", []string{"authserver/application", "authserver/device", "authserver/flow", "authserver/keys", "authserver/subject", "authserver/resourceserver", "authserver/user", "authserver/web", "provisioning", "sdk", "github.com/ory/fosite/...", "github.com/go-jose/go-jose/v4/...", "github.com/go-jose/go-jose/v3/...", "github.com/google/uuid"}, "the only importer of fosite"},
	{"authserver/store", []string{"authserver/admin", "authserver/application", "authserver/audit", "authserver/device", "authserver/federation", "authserver/flow", "authserver/keys", "authserver/logout", "authserver/op", "authserver/passkey", "authserver/recovery", "authserver/registration", "authserver/secondfactor", "authserver/session", "authserver/subject", "authserver/resourceserver", "authserver/user", "plugins", "plugins/catalog", "provisioning", "provisioning/sqldb", "sdk"}, "SQL of the server's nouns"},
	{"authserver/metrics", []string{"plugins", "provisioning", "sdk", "github.com/prometheus/client_golang/..."}, "names and registry; the only importer of client_golang: others observe through small interfaces"},
	{"authserver/resources", []string{"authserver/application", "authserver/audit", "authserver/federation", "authserver/resourceserver", "authserver/user", "provisioning", "provisioning/rules", "provisioning/rules/language", "provisioning/rules/template", "provisioning/rules/xacml", "sdk", "github.com/goccy/go-yaml/..."}, "apply and export; rule sets are compiled before they are kept"},
	{"authserver/wso2", []string{"authserver/resources", "provisioning/rules", "provisioning/rules/language", "provisioning/rules/xacml"}, "reads an export and its policies, writes a document; knows no server"},
	{"authserver/demo/page", nil, "the look of the demo's own pages"},
	{"authserver/demo/directory", []string{"authserver/demo/page", "github.com/elimity-com/scim/...", "github.com/scim2/filter-parser/v2"}, "a downstream system"},
	{"authserver/demo/rp", []string{"authserver/demo/page", "github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2"}, "an application: knows the server by its protocol only"},
	{"authserver/demo/browser", []string{"golang.org/x/net/html/..."}, "a browser without JavaScript"},
	{"authserver/demo", []string{"authserver/demo/...", "authserver/daemon", "authserver/audit", "authserver/config", "authserver/keys", "authserver/resources", "sdk"}, "the server, an application and a directory, used as a user would"},
	{"authserver/scaffold", []string{"sdk/examples", "sdk/wire/connectorv1"}, "copies an example; knows no server"},
	{"authserver/daemon", []string{"authserver", "authserver/...", "plugins", "plugins/...", "provisioning", "provisioning/...", "sdk", "sdk/..."}, "the composition root"},
	{"authserver/cli", []string{"authserver/...", "plugins", "plugins/catalog", "provisioning", "provisioning/rules", "provisioning/rules/cases", "provisioning/rules/language", "provisioning/rules/template", "provisioning/rules/xacml", "sdk", "sdk/sdktest/conformance", "github.com/alecthomas/kong", "github.com/goccy/go-yaml"}, "the command"},
	{"authserver", []string{"authserver/flow", "authserver/op", "authserver/web"}, "one mount list"},
	{"e2e/...", []string{"*"}, "above everything"},
	{".", []string{"authserver/cli", "plugins/sandbox"}, "main; its process may have to become a connector's before anything else runs"},
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func TestImportDirections(t *testing.T) {
	used := map[string]bool{}
	for _, p := range listPackages(t) {
		rel := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if rel == "" {
			rel = "."
		}
		r, ok := ruleFor(rel)
		if !ok {
			t.Errorf("package %s has no import rule: add one with its reason", rel)
			continue
		}
		used[r.pkg] = true
		for _, bad := range forbidden(r, rel, p.Imports) {
			t.Errorf("%s imports %s, which its rule (%s) forbids", rel, bad, r.why)
		}
	}
}

// TestImportRuleCatchesPlant proves that the check can fail.
func TestImportRuleCatchesPlant(t *testing.T) {
	plants := map[string]string{
		"sdk":                       "google.golang.org/grpc",
		"plugins":                   module + "/provisioning",
		"provisioning":              "database/sql",
		"plugins/connectors/scim2":  module + "/plugins",
		"authserver/flow":           "github.com/ory/fosite",
		"provisioning/mapping":      module + "/provisioning",
		"authserver/federationless": "",
	}
	for pkg, imp := range plants {
		r, ok := ruleFor(pkg)
		if imp == "" {
			if ok {
				t.Errorf("ruleFor(%q) found a rule for a package that has none", pkg)
			}
			continue
		}
		if got := forbidden(r, pkg, []string{"fmt", imp}); !slices.Equal(got, []string{imp}) {
			t.Errorf("forbidden(%s imports %s) = %v, want it caught", pkg, imp, got)
		}
	}
}

func ruleFor(rel string) (importRule, bool) {
	for _, r := range importRules {
		if r.pkg == rel || matches(r.pkg, rel) {
			return r, true
		}
	}
	return importRule{}, false
}

// bannedStd keeps I/O out of the heart although it is standard library.
var bannedStd = map[string][]string{
	"provisioning": {"database/sql", "net/http", "os/exec"},
}

func forbidden(r importRule, rel string, imports []string) []string {
	var bad []string
	for _, imp := range imports {
		if !allowed(r, rel, imp) {
			bad = append(bad, imp)
		}
	}
	return bad
}

func allowed(r importRule, rel, imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(first, ".") {
		return !slices.Contains(bannedStd[rel], imp)
	}
	local := strings.TrimPrefix(imp, module+"/")
	for _, a := range r.allow {
		if a == "*" || a == local || matches(a, local) {
			return true
		}
		if a == "self/..." && sameTree(r.pkg, rel, local) {
			return true
		}
		if strings.HasPrefix(rel, "plugins/connectors/") && !strings.HasPrefix(imp, module) {
			return true // a connector's own libraries are its author's choice
		}
	}
	return false
}

func matches(pattern, path string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return ok && (path == tree || strings.HasPrefix(path, tree+"/"))
}

// sameTree reports whether both packages lie under the same first folder below
// the rule's tree: connectors/scim2 and connectors/scim2/anteroom-connector-scim2.
func sameTree(pattern, a, b string) bool {
	root := strings.TrimSuffix(pattern, "...")
	first := func(p string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(p, root), "/")
		return name
	}
	return strings.HasPrefix(b, root) && first(a) == first(b)
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var packages []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// TestSizes holds the size rules: files up to 400 lines, main.go under 25.
func TestSizes(t *testing.T) {
	limits := map[string]int{"../main.go": 25}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") {
			return nil
		}
		limit, ok := limits[path]
		if !ok {
			limit = 400
		}
		return checkLines(path, limit)
	})
	if err != nil {
		t.Error(err)
	}
}

func checkLines(path string, limit int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := bytes.Count(b, []byte("\n")); n > limit {
		return fmt.Errorf("%s has %d lines, more than %d", path, n, limit)
	}
	return nil
}
