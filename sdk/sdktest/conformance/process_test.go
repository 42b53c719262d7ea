package conformance

import (
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/anteroom-id/anteroom/sdk/serve"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// childArg makes the test binary a connector with the defect that follows it.
// The environment cannot say so: the kit gives a connector one of its own.
const childArg = "rest-connector="

func TestMain(m *testing.M) {
	if d, ok := strings.CutPrefix(os.Args[len(os.Args)-1], childArg); ok {
		runChild(defect(d))
	}
	os.Exit(m.Run())
}

// runChild is a connector process.
func runChild(d defect) {
	switch d {
	case "prints before it serves":
		_, _ = os.Stdout.WriteString("starting\n")
	case "prints while it serves":
		printLater()
	case "ignores SIGTERM":
		go func() { // again and again: serve asks for the signal
			for range time.Tick(5 * time.Millisecond) {
				signal.Ignore(syscall.SIGTERM)
			}
		}()
	case "survives the host":
		_ = os.Unsetenv(wire.LifelineEnv)
	case "ends at once":
		serveBare(d)
	}
	serve.Connector(restConnector(d))
}

// printLater keeps the real standard output and prints on it when the connector
// serves.
func printLater() {
	fd, err := syscall.Dup(syscall.Stdout)
	if err != nil {
		panic(err)
	}
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			_, _ = syscall.Write(fd, []byte("GET /users 200\n"))
		}
	}()
}

// serveBare is what one writes with the plugin library alone: SIGTERM ends it in
// the middle of a call.
func serveBare(d defect) {
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.ServerPlugins(wire.NewServer(restConnector(d), quiet())),
		GRPCServer:       plugin.DefaultGRPCServer,
		Logger:           hclog.NewNullLogger(),
	})
	os.Exit(0)
}

// childOptions are a connector process's surroundings.
func childOptions(t *testing.T, d defect) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := restOptions()
	o.Command = []string{self, childArg + string(d)}
	return o
}

func TestGoodConnectorPassesAsAProcess(t *testing.T) {
	wantClean(t, runAll(t, childOptions(t, "")))
}

// sabotagedProcesses are connector processes with one defect each, and exactly
// the checks that fail with it.
func sabotagedProcesses() map[defect][]string {
	return map[defect][]string{
		"prints before it serves": {"process/stdout-silent"},
		"prints while it serves":  {"process/stdout-silent"},
		"ignores SIGTERM":         {"process/term-drains", "process/term-ends"},
		"ends at once":            {"process/term-drains"},
		"survives the host":       {"process/host-death"},
		"prints secrets":          {"secret/nowhere"},
		"grows":                   {"process/memory"},
		"dies":                    {"update/sets", "update/leaves-others", "update/clears", "update/clear-of-nothing", "update/twice", "update/keeps-id", "update/missing", "process/survives"},
	}
}

// long marks a test that has to wait: it is part of make test, where CI is true.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skip("a long test: make test runs it")
	}
}

func TestSabotagedProcesses(t *testing.T) {
	long(t)
	for d, want := range sabotagedProcesses() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			o := childOptions(t, d)
			o.Select = func(id string) bool {
				return strings.HasPrefix(id, "process/") || strings.HasPrefix(id, "update/") || id == "concurrent/hundred" || id == "secret/nowhere"
			}
			if diff := cmp.Diff(want, failed(runAll(t, o))); diff != "" {
				t.Errorf("failed checks (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryCheckHasFailed demands a connector that fails it, of every check.
func TestEveryCheckHasFailed(t *testing.T) {
	var fail []string
	for _, table := range []map[defect][]string{sabotages(), slowSabotages(), sabotagedProcesses()} {
		for _, ids := range table {
			fail = append(fail, ids...)
		}
	}
	for _, c := range Checks() {
		if !slices.Contains(fail, c.ID) {
			t.Errorf("no sabotaged connector fails %s", c.ID)
		}
	}
}
