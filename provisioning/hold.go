package provisioning

import "time"

// Hold is why a target's work waits, "" if it does not.
type Hold string

// The holds.
const (
	HoldNone        Hold = ""
	HoldMaintenance Hold = "maintenance" // an admin says so
	HoldPaused      Hold = "paused"      // the target asked for a pause
	HoldOpen        Hold = "open"        // the breaker is open
)

// TargetState is what holds up a target's work.
type TargetState struct {
	Target      TargetName
	Maintenance bool
	Health      Health
}

// Hold returns why the target's work waits at now, and until when it surely does;
// zero when nobody knows.
func (s TargetState) Hold(now time.Time) (Hold, time.Time) {
	switch {
	case s.Maintenance:
		return HoldMaintenance, time.Time{}
	case s.Health.Open():
		return HoldOpen, s.Health.ReadyAt()
	case s.Health.PausedUntil.After(now):
		return HoldPaused, s.Health.PausedUntil
	default:
		return HoldNone, time.Time{}
	}
}

// reason is the hold for an admin, text the key of what a person is told.
func (s TargetState) reason(h Hold) (reason, text string) {
	switch h {
	case HoldMaintenance:
		return "the target is in maintenance", TextMaintenance
	case HoldPaused:
		return "the target asked for a pause", TextBusy
	default:
		return "the target is down", policyOf(s.Health.Kind).text
	}
}

// holds reports whether the account's work waits for the target. What a worker
// has in hand does not: it may be the probe that finds the target back.
func (s Standing) holds(now time.Time) bool {
	hold, _ := s.State.Hold(now)
	return hold != HoldNone && (s.Account == nil || !s.Account.Working(now))
}

// showHold says on the wait page when the target is tried next.
func (s Standing) showHold(f Finding, now time.Time) Finding {
	if _, until := s.State.Hold(now); until.After(now) {
		f.Progress, f.RetryAt = ProgressRetrying, until
	}
	return f
}

// heldBack rules on work that waits for its target. Where the policy lets the user
// pass without the account, nothing is gained by waiting out the time.
func heldBack(out ruling, s Standing, r Request, now time.Time) ruling {
	hold, _ := s.State.Hold(now)
	reason, text := s.State.reason(hold)
	failure := Failure{FailureUnavailable, text}
	switch {
	case s.allows():
		return out.permit(reason + ", allowed by policy")
	case outOfTime(s.Binding, r, now):
		return out.deny(reason, failure)
	default:
		return out.wait(reason, failure)
	}
}
