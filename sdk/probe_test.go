package sdk_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestProbesStopAtTheFirstFailure(t *testing.T) {
	good := func(context.Context) (string, error) { return "fine", nil }
	bad := func(context.Context) (string, error) { return "", sdk.Invalid("base_url", "has no such path") }
	never := func(context.Context) (string, error) {
		t.Error("a probe after a failure was tried")
		return "", nil
	}
	before := []sdk.CheckStep{{Name: "dns", Status: sdk.CheckSkipped, Detail: "a proxy is used"}}
	got := sdk.Probes(t.Context(), before,
		sdk.Probe{Name: "tcp", Try: good, Fix: "look"}, sdk.Probe{Name: "schema", Try: bad, Fix: "mend it"}, sdk.Probe{Name: "last", Try: never})
	want := []sdk.CheckStep{
		before[0],
		{Name: "tcp", Status: sdk.CheckPassed, Detail: "fine"},
		{Name: "schema", Status: sdk.CheckFailed, Detail: "base_url: has no such path", Fix: "mend it"},
		{Name: "last", Status: sdk.CheckSkipped, Detail: "an earlier step failed"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	failed := []sdk.CheckStep{{Name: "dns", Status: sdk.CheckFailed}}
	if got := sdk.Probes(t.Context(), failed, sdk.Probe{Name: "tcp", Try: never}); got[1].Status != sdk.CheckSkipped || len(failed) != 1 {
		t.Errorf("after a failure before: %+v", got)
	}
}

// What nobody wrote for an admin may hold anything.
func TestProbesHideUntypedErrors(t *testing.T) {
	p := sdk.Probe{Name: "credentials", Try: func(context.Context) (string, error) { return "", errors.New("hunter2") }}
	if got := sdk.Probes(t.Context(), nil, p); got[0].Status != sdk.CheckFailed || got[0].Detail != "the connector failed" {
		t.Errorf("steps = %+v", got)
	}
}

func ExampleProbes() {
	reach := func(context.Context) (string, error) { return "connected to 192.0.2.1:443", nil }
	signIn := func(context.Context) (string, error) { return "", sdk.Unauthorized("the token is not valid") }
	steps := sdk.Probes(context.Background(), nil,
		sdk.Probe{Name: "tcp", Try: reach, Fix: "Check the firewalls in between."},
		sdk.Probe{Name: "credentials", Try: signIn, Fix: "Check the token."},
	)
	for _, s := range steps {
		fmt.Printf("%s %s: %s; %s\n", s.Name, s.Status, s.Detail, cmp.Or(s.Fix, "well done"))
	}
	// Output:
	// tcp passed: connected to 192.0.2.1:443; well done
	// credentials failed: the token is not valid; Check the token.
}
