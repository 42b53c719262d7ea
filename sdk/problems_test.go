package sdk_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestDescriptionProblems(t *testing.T) {
	d := defineConditional().Describe()
	d.Config = append(d.Config, sdk.Field{Name: "later", Type: "colour", Default: "red"})
	d.Attributes = []sdk.Attribute{{Name: "a", Type: "colour"}}
	if problems := d.Problems(); len(problems) > 0 {
		t.Errorf("a good description has %v", problems)
	}
	bad := sdk.Description{
		Name: "Acme", Version: "one",
		Config: []sdk.Field{
			{Type: sdk.FieldString},
			{Name: "a", Type: sdk.FieldString, Secret: true, Default: "s3cret"},
			{Name: "a", Type: sdk.FieldString},
			{Name: "b", Type: sdk.FieldBool, Default: "maybe", When: sdk.Condition{Field: "c", Values: []string{"x"}}},
			{Name: "c", Type: sdk.FieldString, When: sdk.Condition{Field: "b", Values: []string{"yes"}}},
		},
		Attributes: []sdk.Attribute{{}, {Name: "x", Owner: true, Correlate: 1}, {Name: "y", Owner: true, Correlate: 2}, {Name: "z", Correlate: 2}},
	}
	want := []sdk.Problem{
		{Field: "name", Message: `"Acme" is no name: use lower-case letters, digits, - and _, starting with a letter`},
		{Field: "version", Message: `"one" is no semantic version such as 1.2.3`},
		{Field: "config", Message: "a field has no name"},
		{Field: "config", Message: `field "a": a secret has neither default nor enum`},
		{Field: "config", Message: `field "a" is declared twice`},
		{Field: "config", Message: `field "b": the default "maybe" must be true or false`},
		{Field: "config", Message: `field "b": the condition "c=x" names no field that comes before`},
		{Field: "config", Message: `field "c": the condition "b=yes" can never hold: b is one of true, false`},
		{Field: "attributes", Message: "an attribute has no name"},
		{Field: "attributes", Message: `attributes "x" and "y" are both Owner`},
		{Field: "attributes", Message: `attributes "y" and "z" have the same Correlate`},
	}
	if diff := cmp.Diff(want, bad.Problems()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
