package daemon

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
	dir, err := os.MkdirTemp("", "anteroom-daemon")
	if err != nil {
		log.Fatal(err)
	}
	buildRoot = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// buildRoot is the run's folder, made by TestMain.
var buildRoot string

// scim2Connector builds the real connector once per run and returns its bytes.
var scim2Connector = sync.OnceValues(func() ([]byte, error) {
	out := filepath.Join(buildRoot, "scim2")
	build := exec.Command("go", "build", "-ldflags=-w", "-o", out, "github.com/anteroom-id/anteroom/plugins/connectors/scim2/anteroom-connector-scim2")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does: what it compiled serves
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build connector: %w: %s", err, text)
	}
	return os.ReadFile(out)
})

// writeConnector puts a copy of the real connector at path, in a folder that it
// makes. The test may change it.
func writeConnector(t *testing.T, path string) {
	t.Helper()
	program, err := scim2Connector()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
}
