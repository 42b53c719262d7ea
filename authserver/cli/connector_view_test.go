package cli

import (
	"testing"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestInspectShowsEveryTraitOfAField(t *testing.T) {
	for want, f := range map[string]sdk.Field{
		"optional": {Name: "a"},
		"required, when auth=basic,bearer, group Sign-in, secret": {
			Required: true, Secret: true, Group: "Sign-in", When: sdk.Condition{Field: "auth", Values: []string{"basic", "bearer"}},
		},
		"optional, one of x|y, default x": {Enum: []string{"x", "y"}, Default: "x", Order: 3},
	} {
		if got := fieldTraits(f); got != want {
			t.Errorf("%+v is shown as %q, want %q", f, got, want)
		}
	}
}
