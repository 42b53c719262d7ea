package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// TestNothingButTheHandshakeReachesTheHost is trap 14 of docs/connector-traps.md.
func TestNothingButTheHandshakeReachesTheHost(t *testing.T) {
	c := startChild(t)
	if _, err := c.configured(t).Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "ada"}); err != nil {
		t.Fatal(err)
	}
	for _, noise := range []string{"on os.Stdout", "on os.Stderr", "on descriptor 1", "of a child"} {
		c.stderr.waitFor(t, "noise "+noise)
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest := c.checkEnds(t); rest != "" {
		t.Errorf("after the handshake the host read %q, want nothing", rest)
	}
}

// TestSIGTERMLetsRunningCallsEnd is trap 17 of docs/connector-traps.md.
func TestSIGTERMLetsRunningCallsEnd(t *testing.T) {
	c := startChild(t)
	remote := c.configured(t)
	type answer struct {
		account sdk.Account
		err     error
	}
	created := make(chan answer, 1)
	go func() {
		a, err := remote.Create(soon(t), sdk.CreateRequest{})
		created <- answer{a, err}
	}()
	c.stderr.waitFor(t, "create entered")
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-created; got.err != nil || got.account.ID != "made" {
		t.Errorf("the running call = %+v, %v; want its answer", got.account, got.err)
	}
	c.checkEnds(t)
	if !strings.Contains(c.stderr.String(), "target closed") {
		t.Errorf("the target was not closed; stderr: %s", c.stderr)
	}
}

// TestSIGTERMCancelsCallsThatGoOn: an author who waits for ever holds the process
// up for the drain's time, and no longer.
func TestSIGTERMCancelsCallsThatGoOn(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("a long test: make test runs it")
	}
	c := startChild(t)
	remote := c.configured(t)
	failed := make(chan error, 1)
	go func() {
		_, err := remote.Update(soon(t), sdk.UpdateRequest{ID: "1"})
		failed <- err
	}()
	c.stderr.waitFor(t, "update entered")
	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; sdk.KindOf(err) != sdk.KindOutcomeUnknown {
		t.Errorf("the call = %v, want an unknown outcome", err)
	}
	c.checkEnds(t)
	if took := time.Since(began); took < drainTime || took > drainTime+3*time.Second {
		t.Errorf("the process ended after %v, want %v and the little it takes to cancel", took, drainTime)
	}
	c.stderr.waitFor(t, "update cancelled")
	c.stderr.waitFor(t, "target closed")
}

// TestLogsAreRecords reads standard error as the host does.
func TestLogsAreRecords(t *testing.T) {
	c := startChild(t)
	ctx := sdk.WithTrace(soon(t), sdk.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	if _, err := c.configured(t).Lookup(ctx, sdk.LookupRequest{}); err != nil {
		t.Fatal(err)
	}
	records := map[any]map[string]any{}
	for line := range strings.Lines(c.stderr.String()) {
		var r map[string]any
		if json.Unmarshal([]byte(line), &r) == nil {
			delete(r, "time")
			records[r["msg"]] = r
		}
	}
	want := map[any]map[string]any{
		"a record": {
			"msg": "a record", "level": "WARN", "verb": "Lookup", "instance": "one",
			"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "token": "***",
		},
		"a record of slog": {"msg": "a record of slog", "level": "INFO", "of": "slog"},
		"a line of log":    {"msg": "a line of log", "level": "INFO"},
	}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSIGINTIsIgnored is trap 17 of docs/connector-traps.md.
func TestSIGINTIsIgnored(t *testing.T) {
	c := startChild(t)
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Describe(soon(t)); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}

// TestLifelineEndsTheProcess is trap 7 of docs/connector-traps.md.
func TestLifelineEndsTheProcess(t *testing.T) {
	c := startChild(t, wire.LifelineEnv+"=1")
	if _, err := c.Describe(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	c.checkEnds(t)
}

// TestWithoutLifelineStandardInputIsNothing is trap 7 of docs/connector-traps.md.
func TestWithoutLifelineStandardInputIsNothing(t *testing.T) {
	c := startChild(t)
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	c.configured(t) // a few calls later it is still there
	if _, err := c.Describe(soon(t)); err != nil {
		t.Errorf("after the end of standard input: %v", err)
	}
}

func TestStartedByHand(t *testing.T) {
	cmd := self(t, nil)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit code 1", err)
	}
	text := stderr.String()
	for _, want := range []string{
		"Noisy Directory 1.2.3 is a connector", "url", "string, required", "Where it is.", "one of basic|bearer", "default basic",
		"string, secret", "login", "string, required, correlates", "describe", "anteroom connector test",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if stdout.Len() > 0 || strings.Contains(text, "plugin") {
		t.Errorf("stdout %q, stderr %q: want go-plugin not to speak", &stdout, text)
	}
}

func TestDescribeArgument(t *testing.T) {
	out, err := self(t, []string{"describe"}).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got sdk.Description
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	c := startChild(t)
	want, err := c.Describe(soon(t))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("describe and Describe disagree: %v (-served +printed):\n%s", err, diff)
	}
}

// TestGoPluginsClient covers what the plain child does not: AutoMTLS and
// go-plugin's own way to stop.
func TestGoPluginsClient(t *testing.T) {
	p := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake(), VersionedPlugins: wire.ClientPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, AutoMTLS: true, SkipHostEnv: true,
		Cmd: self(t, nil, "TMPDIR="+t.TempDir()), Logger: hclog.NewNullLogger(),
	})
	defer p.Kill()
	rpc, err := p.Client()
	if err != nil {
		t.Fatal(err)
	}
	if err := rpc.Ping(); err != nil {
		t.Errorf("health: %v", err)
	}
	raw, err := rpc.Dispense(wire.Name)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := raw.(*wire.Client).Describe(soon(t)); err != nil || d.Name != "noisy" {
		t.Errorf("Describe = %+v, %v", d, err)
	}
	p.Kill()
	if !p.Exited() {
		t.Error("the process runs on")
	}
}

func TestSortLines(t *testing.T) {
	const handshake = "1|1|unix|/run/p/plugin1|grpc|MIIB\n"
	for name, test := range map[string]struct{ in, host, rest string }{
		"alone":          {handshake, handshake, ""},
		"noise before":   {"hello\n\n" + handshake, handshake, "hello\n\n"},
		"half a line":    {"loading… " + handshake, handshake, "loading… "},
		"noise after":    {handshake + "hello\nno newline", handshake, "hello\nno newline"},
		"a second one":   {handshake + handshake, handshake, handshake},
		"no handshake":   {"hello", "", "hello"},
		"without TLS":    {"1|1|tcp|127.0.0.1:1|grpc|\n", "1|1|tcp|127.0.0.1:1|grpc|\n", ""},
		"something like": {"1|2|three\n" + handshake, handshake, "1|2|three\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var host, rest bytes.Buffer
			sortLines(strings.NewReader(test.in), &host, &rest)
			if host.String() != test.host || rest.String() != test.rest {
				t.Errorf("host %q, rest %q; want %q and %q", &host, &rest, test.host, test.rest)
			}
		})
	}
}
