package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

func TestMain(m *testing.M) { sdktest.Main(m, connector()) }

// connector is what main serves.
func connector() sdk.Connector {
	return sdk.Define("minimal", "1.0.0", open, sdk.WithAttributes(name, title))
}

func TestConformance(t *testing.T) { sdktest.Run(t, sdktest.Options{Connector: connector()}) }

func TestUnderSixtyLines(t *testing.T) {
	b, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("\n")); n >= 60 {
		t.Errorf("main.go has %d lines, want under 60", n)
	}
}

// TestLinksFewModules bounds what an author's binary takes in, this module
// included.
func TestLinksFewModules(t *testing.T) {
	const most = 15
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := slices.Sorted(slices.Values(strings.Fields(string(out))))
	if modules = slices.Compact(modules); len(modules) > most || !slices.Contains(modules, "google.golang.org/grpc") {
		t.Errorf("a connector links %d modules, at most %d are wanted: %v", len(modules), most, modules)
	}
}

func TestServedByAChildProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := start(t)

	d, err := client.Describe(ctx)
	if err != nil {
		t.Fatalf("Describe: %v", err)
	}
	if d.Name != "minimal" || len(d.Attributes) != 2 || d.Has(sdk.CapabilityGet) {
		t.Errorf("Describe = %+v, want minimal with two attributes and no optional verb", d)
	}

	in := wire.Instance{ID: "one", Generation: 1}
	if err := client.Configure(ctx, in, sdk.RawConfig{}); err != nil {
		t.Fatalf("Configure: %v", err)
	}
	target := client.Remote(in)
	ada := sdk.LookupRequest{Key: "name", Value: "ada"}
	if got, err := target.Lookup(ctx, ada); err != nil || len(got) != 0 {
		t.Fatalf("Lookup before Create = %v, %v; want nothing", got, err)
	}
	create := sdk.CreateRequest{Attributes: sdk.Attributes{"name": "ada", "title": "Countess"}, Active: true}
	if _, err := target.Create(ctx, create); err != nil {
		t.Fatalf("Create: %v", err)
	}
	if _, err := target.Create(ctx, create); sdk.KindOf(err) != sdk.KindConflict {
		t.Errorf("second Create = %v, want a conflict", err)
	}
	if _, err := target.Update(ctx, sdk.UpdateRequest{ID: "id-ada", Clear: []string{"title"}}); err != nil {
		t.Fatalf("Update: %v", err)
	}
	if _, err := target.Update(ctx, sdk.UpdateRequest{ID: "id-bob"}); sdk.KindOf(err) != sdk.KindNotFound {
		t.Errorf("Update of nobody = %v, want not found", err)
	}
	got, err := target.Lookup(ctx, ada)
	want := []sdk.Account{{ID: "id-ada", Attributes: sdk.Attributes{"name": "ada"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Lookup at the end: %v (-want +got):\n%s", err, diff)
	}
}

// start runs this test binary as a connector process.
func start(t *testing.T) *wire.Client {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.ClientPlugins(),
		Cmd:              exec.Command(self),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		GRPCDialOptions:  []grpc.DialOption{grpc.WithStatsHandler(wire.SentTracker{})},
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(p.Kill)
	rpc, err := p.Client()
	if err != nil {
		t.Fatalf("start connector: %v", err)
	}
	client, err := rpc.Dispense(wire.Name)
	if err != nil {
		t.Fatalf("dispense: %v", err)
	}
	return client.(*wire.Client)
}
