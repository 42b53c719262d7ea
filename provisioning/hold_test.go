package provisioning

import (
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

func holds() map[string]TargetState {
	return map[string]TargetState{
		"maintenance":  {Maintenance: true},
		"paused":       {Health: Health{PausedUntil: noon.Add(time.Minute), Kind: sdk.KindRateLimited}},
		"down":         {Health: Health{OpenedAt: noon, ProbeAt: noon.Add(time.Minute), Kind: sdk.KindTransient}},
		"locked":       {Health: Health{OpenedAt: noon, ProbeAt: noon, Kind: sdk.KindUnauthorized}},
		"being probed": {Health: Health{OpenedAt: noon, ProbeAt: noon, ProbeUntil: noon.Add(time.Second), Kind: sdk.KindOutcomeUnknown}},
	}
}

// A hold never refuses who has what they need, never lets pass who would not,
// and makes nobody wait whom the policy lets pass.
func TestHoldOnlyDelaysWhatNeedsWork(t *testing.T) {
	eachCase(func(c testCase) {
		if !c.s.Binding.Blocking || c.s.Binding.ReportOnly || c.s.Binding.EnableRules {
			return // nobody waits, or the rules come first
		}
		free := judge(c.s, c.r, noon)
		for name, state := range holds() {
			s := c.s
			s.State = state
			got := judge(s, c.r, noon)
			switch {
			case free.Verdict == VerdictPermit && got.Verdict != VerdictPermit:
				t.Errorf("%+v/%s: %s although it is permitted without the hold (%s)", c, name, got.Verdict, got.Reason)
			case free.Verdict == VerdictDeny && got.Verdict == VerdictWait:
				t.Errorf("%+v/%s: waits although it is denied without the hold", c, name)
			case got.Verdict == VerdictPermit && free.Verdict != VerdictPermit && !strings.HasSuffix(got.Reason, "allowed by policy"):
				t.Errorf("%+v/%s: permit (%s) although the account is not usable", c, name, got.Reason)
			case got.work != free.work && got.work != workNone && free.work != workHasten:
				t.Errorf("%+v/%s: work %q, want %q: it is due when the target is back", c, name, got.work, free.work)
			}
		}
	})
}

func TestJudgeHeld(t *testing.T) {
	rows := map[string]*Account{}
	for _, r := range ledgerRows() {
		rows[r.name] = r.account
	}
	none := func(*Binding) {}
	allow := func(b *Binding) { b.OnCreateFailure, b.OnUpdateFailure = FailureAllow, FailureAllow }
	early, late := time.Time{}, noon.Add(-DefaultTimeout)
	tests := []struct {
		hold, row string
		binding   func(*Binding)
		since     time.Time
		verdict   Verdict
		text      string
		reason    string
	}{
		{"maintenance", "in sync", none, early, VerdictPermit, "", "in sync"},
		{"maintenance", "no row", none, early, VerdictWait, TextMaintenance, "the target is in maintenance"},
		{"maintenance", "no row", none, late, VerdictDeny, TextMaintenance, "the target is in maintenance"},
		{"maintenance", "no row", allow, early, VerdictPermit, "", "the target is in maintenance, allowed by policy"},
		{"maintenance", "no row", func(b *Binding) { b.JITOutbound = false }, early, VerdictDeny, TextNoAccount, "no account, and not made at sign-in"},
		{"paused", "pending update", none, early, VerdictWait, TextBusy, "the target asked for a pause"},
		{"paused", "pending update", allow, early, VerdictPermit, "", "the target asked for a pause, allowed by policy"},
		{"paused", "pending update", func(b *Binding) { b.OnCreateFailure = FailureAllow }, early, VerdictWait, TextBusy, "the target asked for a pause"},
		{"down", "retrying create", none, early, VerdictWait, TextUnavailable, "the target is down"},
		{"down", "retrying create", none, late, VerdictDeny, TextUnavailable, "the target is down"},
		{"locked", "pending create", none, early, VerdictWait, TextMisconfigured, "the target is down"},
		{"down", "failed create", none, early, VerdictDeny, TextTaken, "failed"},
		{"being probed", "working", none, early, VerdictWait, "", "work is under way"},
	}
	for _, tt := range tests {
		b := NewBinding("app", "dir")
		b.Blocking = true
		tt.binding(&b)
		s := Standing{Binding: b, Account: rows[tt.row], State: holds()[tt.hold]}
		got := judge(s, Request{Client: "app", User: "ann", Grant: GrantAuthorize, WaitingSince: tt.since}, noon)
		if got.Verdict != tt.verdict || got.Text != tt.text || got.Reason != tt.reason {
			t.Errorf("%s, %s, %+v: %s %q (%s), want %s %q (%s)", tt.hold, tt.row, b, got.Verdict, got.Text, got.Reason, tt.verdict, tt.text, tt.reason)
		}
	}
}

// The wait page says when the target is tried next, where that is known.
func TestHoldShowsOnTheWaitPage(t *testing.T) {
	b := NewBinding("app", "dir")
	b.Blocking = true
	r := Request{Client: "app", User: "ann", Grant: GrantAuthorize}
	for hold, want := range map[string]time.Time{"maintenance": {}, "paused": noon.Add(time.Minute), "down": noon.Add(time.Minute)} {
		got := judge(Standing{Binding: b, State: holds()[hold]}, r, noon)
		progress := ProgressRetrying
		if want.IsZero() {
			progress = ProgressQueued
		}
		if !got.RetryAt.Equal(want) || got.Progress != progress {
			t.Errorf("%s: %s, retry at %s; want %s and %s", hold, got.Progress, got.RetryAt, progress, want)
		}
	}
}

// Work in the background that somebody now waits for is put ahead, once.
func TestWaitingRaisesBackgroundWork(t *testing.T) {
	b := NewBinding("app", "dir")
	b.Blocking = true
	a := Account{Desired: DesiredPresent, DesiredRev: 1, State: StatePending, Trigger: TriggerBackground}
	r := Request{Client: "app", User: "ann", Grant: GrantAuthorize}
	if got := judge(Standing{Binding: b, Account: &a}, r, noon); got.work != workHasten {
		t.Errorf("work = %q, want it hastened", got.work)
	}
	a.Trigger = TriggerSignIn
	if got := judge(Standing{Binding: b, Account: &a}, r, noon); got.work != workNone {
		t.Errorf("work = %q, want none: it is ahead already", got.work)
	}
	a.Trigger, a.LeaseUntil = TriggerBackground, noon.Add(time.Second)
	if got := judge(Standing{Binding: b, Account: &a}, r, noon); got.work != workNone {
		t.Errorf("work = %q, want none: it is being worked on", got.work)
	}
}
