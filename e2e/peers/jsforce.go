package peers

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// JSForce has jsforce, a foreign client of Salesforce, use an org, and returns
// what it made of each step. The settings are those of jsforce.mjs.
func JSForce(t testing.TB, settings map[string]string) map[string]any {
	t.Helper()
	Package(t, "@jsforce/jsforce-node")
	node, dir := need(t)
	input, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "jsforce.mjs")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	out, err := cmd.Output()
	results := map[string]any{}
	if err == nil {
		err = json.Unmarshal(out, &results)
	}
	if err != nil {
		t.Fatalf("jsforce: %v: %s", err, out)
	}
	return results
}

// Package returns the folder of an installed npm package. Without it a test is
// skipped, or fails when CI=true.
func Package(t testing.TB, name string) string {
	t.Helper()
	_, dir := need(t)
	folder := filepath.Join(dir, "node_modules", filepath.FromSlash(name))
	_, err := os.Stat(folder)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("needs \"npm ci\" in e2e/peers: %v", err)
	default:
		t.Skipf("needs \"npm ci\" in e2e/peers: %v", err)
	}
	return folder
}
