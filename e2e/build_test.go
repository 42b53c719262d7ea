package e2e

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
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
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
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

// binaries builds the server and the connector once per run, as a user would
// have them, and returns the folder they are in.
var binaries = sync.OnceValues(func() (string, error) {
	dir := buildRoot
	packages := map[string]string{"anteroom": "."}
	for _, name := range []string{"google", "salesforce", "scim2"} {
		binary := "anteroom-connector-" + name
		packages[filepath.Join("connectors", binary)] = "./" + filepath.ToSlash(filepath.Join("plugins/connectors", name, binary))
	}
	for out, pkg := range packages {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, out), pkg)
		cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("build %s: %w: %s", pkg, err, text)
		}
	}
	return dir, nil
})

// faultyBinary is the server with fault points.
var faultyBinary = sync.OnceValues(func() (string, error) {
	out := filepath.Join(buildRoot, "anteroom-faultpoints")
	cmd := exec.Command("go", "build", "-tags", "faultpoints", "-o", out, ".")
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

func buildDir(t testing.TB) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func connectorsDir(t testing.TB) string { return filepath.Join(buildDir(t), "connectors") }
