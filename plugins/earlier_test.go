package plugins

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

// TestEarlierConnectorWorks runs a connector that was built when version 1 of the
// protocol was released, with that time's generated code.
func TestEarlierConnectorWorks(t *testing.T) {
	long(t)
	b := newBench(t, nil)
	build := exec.Command("go", "build", "-o", b.file("v1"), "./testdata/connector-v1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the earlier connector: %v\n%s", err, out)
	}
	b.pins.set(Pin{Name: "v1", Digest: digestOf(t, b.file("v1"))})
	c := b.open(t, target("v1"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ctx = sdk.WithTrace(ctx, sdk.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})

	d := c.Description()
	if diff := cmp.Diff(sdk.Field{Name: "token", Type: sdk.FieldString, Required: true, Secret: true}, d.Config[1]); diff != "" || c.Getter() != nil || c.Deleter() == nil {
		t.Errorf("description %+v (-want +got):\n%s", d, diff)
	}
	create := sdk.CreateRequest{Operation: sdk.Operation{ID: "op", Attempt: 1}, Attributes: sdk.Attributes{"name": "ada", "owner": "u1"}, Active: true}
	active := true
	want := sdk.Account{ID: "id-ada", Attributes: sdk.Attributes{"name": "ada", "owner": "u1"}, Active: &active, Version: "1"}
	made, err := c.Target().Create(ctx, create)
	if diff := cmp.Diff(want, made); err != nil || diff != "" {
		t.Fatalf("Create: %v (-want +got):\n%s", err, diff)
	}
	_, err = c.Target().Create(ctx, create)
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindConflict || e.Effect != sdk.EffectNone || e.Field != "name" || strings.Contains(e.Message, token) {
		t.Errorf("second Create = %+v, want a conflict about the name, without the secret", e)
	}
	want.Attributes["owner"] = "u2"
	if _, err = c.Target().Update(ctx, sdk.UpdateRequest{ID: "id-ada", Set: sdk.Attributes{"owner": "u2"}}); err != nil {
		t.Errorf("Update: %v", err)
	}
	found, err := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "owner", Value: "u2"})
	if diff := cmp.Diff([]sdk.Account{want}, found); err != nil || diff != "" {
		t.Errorf("Lookup: %v (-want +got):\n%s", err, diff)
	}
	if err := c.Deleter().Delete(ctx, sdk.DeleteRequest{ID: "id-ada"}); err != nil {
		t.Errorf("Delete: %v", err)
	}
	b.log.await(t, "configured with ***")
	began := time.Now()
	b.shut(t)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to stop it", took)
	}
}
