package flow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// The page shows what the connector says to the person: as text, on one line,
// and not for ever.
func TestWaitPageShowsWhatIsPending(t *testing.T) {
	s, b := waiting(t)
	pending := func(detail string) {
		s.ledger.set(provisioning.Account{
			Target: "directory", Desired: provisioning.DesiredPresent, State: provisioning.StateRetrying, Kind: sdk.KindPending,
			Detail: detail, NextAttemptAt: s.clock.Now().Add(time.Minute),
		})
	}
	id := b.signInID()
	pending("Your manager\r\n\x00must <b>approve</b> \u202ethe account.")
	b.get("/wait?sign_in=" + id).at("/wait").says("accepted, and not done yet: Your manager must <b>approve</b> the account.")
	if strings.Contains(b.page.body, "<b>") || !strings.Contains(b.page.body, `class="line pending"`) {
		t.Errorf("the page takes the text for markup: %s", b.page.body)
	}
	if line := b.waitStatus(id).Lines[0]; line.Progress != "pending" || strings.ContainsAny(line.Text, "\r\n\x00\u202e") {
		t.Errorf("the status has %+v", line)
	}
	pending(strings.Repeat("é", 10_000))
	if text := b.waitStatus(id).Lines[0].Text; len([]rune(text)) > 250 || !strings.HasSuffix(text, "é…") {
		t.Errorf("the page shows %d characters", len([]rune(text)))
	}
	pending("")
	b.get("/wait?sign_in=" + id).says("accepted, and not done yet")
	s.ledger.inSync("directory")
	b.get("/wait?sign_in="+id).backWith("code", "")
}
