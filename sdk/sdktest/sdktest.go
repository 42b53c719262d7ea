package sdktest

import (
	"os"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/conformance"
	"github.com/anteroom-id/anteroom/sdk/serve"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// Options say what is tested and against what; see [conformance.Options]. Where
// both Connector and Command are given, [Run] tests both.
type Options = conformance.Options

// Run tests a connector: Options.Connector in this process, Options.Command, or
// the test binary itself where [Main] made it a connector, as a child process.
// Each check is a subtest called by its id, so that -run picks one:
//
//	go test -run TestConformance/process/create/taken
//
// A check that does not apply, or cannot be run, is skipped with the reason.
func Run(t *testing.T, o Options) {
	t.Helper()
	here, child := o, o
	here.Command, child.Connector = nil, nil
	if len(child.Command) == 0 && os.Getenv(selfEnv) != "" {
		child.Command = []string{os.Getenv(selfEnv)}
	}
	if here.Connector == nil && len(child.Command) == 0 {
		t.Fatal("sdktest.Run: give a Connector, a Command, or both")
	}
	if len(child.Command) > 0 { // where those checks are run
		here.Select = func(id string) bool { return !strings.HasPrefix(id, "process/") && (o.Select == nil || o.Select(id)) }
	}
	if here.Connector != nil {
		t.Run("in_process", func(t *testing.T) { run(t, here) })
	}
	if len(child.Command) > 0 {
		t.Run("process", func(t *testing.T) { run(t, child) })
	}
}

func run(t *testing.T, o Options) {
	s, err := conformance.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	for _, c := range s.Checks() {
		t.Run(c.ID, func(t *testing.T) { report(t, s.Run(t.Context(), c)) })
	}
}

func report(t *testing.T, r conformance.Result) {
	t.Helper()
	switch r.Status {
	case conformance.Failed:
		var b strings.Builder
		for _, f := range r.Findings {
			b.WriteString("\n  expected  " + f.Expected + "\n  seen      " + f.Seen)
		}
		t.Errorf("the connector %s:%s", r.Demand, b.String())
	case conformance.Skipped, conformance.NotRun:
		t.Skip(r.Reason)
	}
}

// selfEnv holds this test binary's path once Main has been called. It is in the
// environment, and not in a variable, so that it belongs to the process.
const selfEnv = "ANTEROOM_SDKTEST_SELF"

// Main makes the test binary a connector of its own: started by [Run] it serves
// c, else it runs the tests. It does not return.
//
//	func TestMain(m *testing.M) { sdktest.Main(m, acme.Connector()) }
func Main(m *testing.M, c sdk.Connector) {
	h := wire.Handshake()
	if os.Getenv(h.MagicCookieKey) == h.MagicCookieValue {
		serve.Connector(c)
	}
	if self, err := os.Executable(); err == nil {
		_ = os.Setenv(selfEnv, self)
	}
	os.Exit(m.Run())
}
