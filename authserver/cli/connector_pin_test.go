package cli

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestPinAsksWhereSomebodyCanAnswer(t *testing.T) {
	fine := daemon.Review{Description: sdk.Description{Name: "acme", Version: "2.0.0"}, Targets: []daemon.Impact{{Target: "good"}}}
	breaks := fine
	breaks.Targets = []daemon.Impact{{Target: "good"}, {Target: "crm", Problems: []daemon.Problem{{Path: "config.key", Text: "required"}}}}
	cases := []struct {
		name    string
		command connectorPinCommand
		review  daemon.Review
		person  bool
		answer  string
		want    error
	}{
		{"a script, nothing breaks", connectorPinCommand{}, fine, false, "", nil},
		{"a script, a target breaks", connectorPinCommand{}, breaks, false, "y\n", errBreaks},
		{"a script that says yes", connectorPinCommand{Yes: true}, breaks, false, "", nil},
		{"a digest is no yes to what breaks", connectorPinCommand{Digest: "aa"}, breaks, true, "y\n", errBreaks},
		{"a digest needs no question", connectorPinCommand{Digest: "aa"}, fine, true, "", nil},
		{"a person says yes", connectorPinCommand{}, breaks, true, " Yes\n", nil},
		{"a person says no", connectorPinCommand{}, fine, true, "n\n", errNotApproved},
		{"a person says nothing", connectorPinCommand{}, fine, true, "", errNotApproved},
		{"a person need not be asked", connectorPinCommand{Yes: true}, breaks, true, "n\n", nil},
	}
	for _, c := range cases {
		err := c.command.approved(c.review, c.person, strings.NewReader(c.answer), io.Discard)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if errors.Is(err, errBreaks) && !strings.Contains(err.Error(), "acme 2.0.0 does not take what these targets have: crm: ") {
			t.Errorf("%s: %v, want the target named", c.name, err)
		}
	}
}

func TestTheNullDeviceIsNoTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) {
		t.Error("a question to the null device would never be answered")
	}
}
