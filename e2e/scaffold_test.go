package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/scaffold"
	"github.com/anteroom-id/anteroom/e2e/peers"
)

// A new connector builds, and passes its tests and the conformance kit, before its
// author has changed anything.

func TestNewGoConnectorPassesAtOnce(t *testing.T) {
	long(t)
	t.Parallel()
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "payroll")
	if _, err := scaffold.New(scaffold.Options{Lang: scaffold.Go, Name: "payroll", Dir: dir, Module: "corp.example/payroll", SDK: source}); err != nil {
		t.Fatal(err)
	}
	inFolder(t, dir, "make", "test")
	inFolder(t, dir, "make", "build")
	inFolder(t, dir, "bin/anteroom-connector-payroll", "describe")
}

func TestNewNodeConnectorPassesAtOnce(t *testing.T) {
	long(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "payroll")
	if _, err := scaffold.New(scaffold.Options{Lang: scaffold.Node, Name: "payroll", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	peers.LinkPackages(t, dir)
	inFolder(t, dir, "npm", "test")
	inFolder(t, dir, "npm", "run", "build")
	inFolder(t, dir, "dist/anteroom-connector-payroll", "describe")
	if out := inFolder(t, dir, "npm", "run", "conformance"); !strings.Contains(out, " 0 failed, ") || !strings.Contains(out, " 0 not run") {
		t.Errorf("the conformance kit says:\n%s", out)
	}
}

// inFolder runs a command there, in an author's environment: not as part of
// this module, and with the caches of this machine.
func inFolder(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CI=",
		"PATH="+buildDir(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
