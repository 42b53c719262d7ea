package e2e

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// TestMain removes what the tests built.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "anteroom-e2e")
	if err != nil {
		log.Fatal(err)
	}
	buildRoot = dir
	waitTogether()
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// waitTogether lets more tests run at a time than there are processors, unless the
// command line says how many: most of their time they wait for a server, a limit
// or a lease.
func waitTogether() {
	const atLeast = 4
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said && runtime.GOMAXPROCS(0) < atLeast {
		_ = flag.Set("test.parallel", strconv.Itoa(atLeast)) // the flag is there, and takes numbers
	}
}

// long marks a test with real processes, foreign servers or a browser, or one that
// has to wait: it is part of `make test`, where CI is true, and not of a plain
// `go test ./...`.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skip("a long test: make test runs it")
	}
}

// buildRoot is the run's folder, made by TestMain.
var buildRoot string

// The server and the connectors are built once per run, as a user would have them,
// and only those that a test asks for.
var (
	serverBinary      = built("", ".")
	usualConnector    = built("connectors", connectorPackage("scim2"))
	companyConnectors = built("company", connectorPackage("google"), connectorPackage("salesforce"))
)

func connectorPackage(name string) string {
	return "./plugins/connectors/" + name + "/anteroom-connector-" + name
}

// built returns a function that builds the packages once, into a folder of
// [buildRoot].
func built(dir string, packages ...string) func() error {
	return sync.OnceValue(func() error {
		// With the separator at its end the path is that of a folder.
		out := filepath.Join(buildRoot, dir) + string(filepath.Separator)
		cmd := exec.Command("go", append([]string{"build", "-ldflags=-w", "-o", out}, packages...)...)
		cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", packages, err, text)
		}
		return nil
	})
}

// faultyBinary is the server with fault points.
var faultyBinary = sync.OnceValues(func() (string, error) {
	out := filepath.Join(buildRoot, "anteroom-faultpoints")
	cmd := exec.Command("go", "build", "-ldflags=-w", "-tags", "faultpoints", "-o", out, ".")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with fault points: %w: %s", err, text)
	}
	return out, nil
})

func faultyBuild(t testing.TB) string {
	t.Helper()
	out, err := faultyBinary()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func releaseBuild(t testing.TB) string { return filepath.Join(buildDir(t), "anteroom") }

// buildDir is the folder of the server.
func buildDir(t testing.TB) string {
	t.Helper()
	if err := serverBinary(); err != nil {
		t.Fatal(err)
	}
	return buildRoot
}

// connectorsDir is the folder of the connector that most tests use.
func connectorsDir(t testing.TB) string {
	t.Helper()
	if err := usualConnector(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(buildRoot, "connectors")
}

// companyDir is the folder of the connectors of [company].
func companyDir(t testing.TB) string {
	t.Helper()
	if err := companyConnectors(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(buildRoot, "company")
}
