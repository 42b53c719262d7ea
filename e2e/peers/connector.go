package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/scaffold"
)

// BuildConnector makes a connector in Node with the scaffold, builds it as its
// author would, and returns the one file that a host runs.
func BuildConnector(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if _, err := scaffold.New(scaffold.Options{Lang: scaffold.Node, Name: name, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	LinkPackages(t, dir)
	cmd := exec.Command("npm", "run", "--silent", "build")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build connector: %v\n%s", err, out)
	}
	return filepath.Join(dir, "dist", "anteroom-connector-"+name)
}

// LinkPackages gives a connector that the scaffold made the packages of the
// example, which are the same, instead of its own npm ci.
func LinkPackages(t testing.TB, dir string) {
	t.Helper()
	_, peers := need(t)
	packages := filepath.Join(peers, "..", "..", "sdk", "examples", "node", "node_modules")
	_, err := os.Stat(packages)
	switch {
	case err == nil:
		err = os.Symlink(packages, filepath.Join(dir, "node_modules"))
	case os.Getenv("CI") != "true":
		t.Skipf("needs \"npm ci\" in sdk/examples/node: %v", err)
	}
	if err != nil {
		t.Fatalf("needs \"npm ci\" in sdk/examples/node: %v", err)
	}
}
