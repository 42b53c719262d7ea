package daemon

import (
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/sdk"
)

// A connector in another language can say of itself what a Go one cannot.
func TestWrongDescriptionsAreNotApproved(t *testing.T) {
	d := sdk.Description{Name: "acme", Version: "1.0.0", Config: []sdk.Field{
		{Name: "auth", Type: sdk.FieldString},
		{Name: "token", Type: sdk.FieldString, Secret: true, When: sdk.Condition{Field: "auth", Values: []string{"bearer"}}},
	}}
	if err := approvable(d); err != nil {
		t.Errorf("a good description: %v", err)
	}
	d.Config[1].When.Field = "nothing"
	if err := approvable(d); err == nil || !strings.Contains(err.Error(), `field "token": the condition "nothing=bearer" names no field`) {
		t.Errorf("a wrong one: %v, want the field named", err)
	}
}
