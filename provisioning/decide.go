package provisioning

import "time"

// Standing is a binding of an application with the account one user has there.
type Standing struct {
	Binding Binding
	Account *Account // nil while the ledger has no row
}

// work is what the gate does to an account besides finding something of it.
type work string

const (
	workNone   work = ""
	workWant   work = "want"   // it must be present; make it due if it is not
	workHasten work = "hasten" // it waits for its next try; somebody waits for it
)

// ruling is a finding and the work that goes with it.
type ruling struct {
	Finding
	work work
}

// hastenAfter is how old a failure must be before a sign-in tries again ahead of
// time: a loop of sign-ins must not become a loop of calls.
const hastenAfter = 5 * time.Second

// judge is the decision table: what one binding means for one request. It is
// pure. For a blocking binding it permits only a usable account, except where a
// policy of the binding says otherwise, and then the reason names that policy.
func judge(s Standing, r Request, now time.Time) ruling {
	out := ruling{Finding: seen(s, now)}
	switch {
	case !s.Binding.Blocking:
		return judgeOpen(out, s, r, "not blocking")
	case s.Binding.ReportOnly:
		strict := judgeBlocking(out, s, r, now)
		open := judgeOpen(out, s, r, "report only: "+strict.Reason)
		open.Would = strict.Verdict
		return open
	default:
		return judgeBlocking(out, s, r, now)
	}
}

// seen fills in what the ledger says, whatever follows from it.
func seen(s Standing, now time.Time) Finding {
	f := Finding{Target: s.Binding.Target, Blocking: s.Binding.Blocking, Progress: ProgressQueued}
	a := s.Account
	if a == nil {
		return f
	}
	f.State, f.Kind = a.State, a.Kind
	switch {
	case a.Usable():
		f.Progress = ProgressDone
	case a.Working(now):
		f.Progress = ProgressWorking
	case a.State == StateRetrying:
		f.Progress, f.RetryAt = ProgressRetrying, a.NextAttemptAt
	case a.State == StateFailed:
		f.Progress = ProgressFailed
	}
	return f
}

// judgeOpen lets the user go on; the work follows in the background.
func judgeOpen(out ruling, s Standing, r Request, reason string) ruling {
	out = out.permit(reason)
	if r.Grant == GrantAuthorize && s.Binding.JITOutbound && !s.Binding.EnableRules && lacks(s.Account) {
		out.work = workWant
	}
	return out
}

// lacks reports whether nothing asks yet for the account to be there.
func lacks(a *Account) bool { return a == nil || a.Desired != DesiredPresent }

func judgeBlocking(out ruling, s Standing, r Request, now time.Time) ruling {
	switch {
	case r.Grant == GrantRefresh && s.Binding.OnRefresh == RefreshSkip:
		return out.permit("not checked at refresh")
	case s.Binding.EnableRules:
		return out.deny("rules are not available", Failure{FailureRefused, TextRules})
	case r.Grant == GrantAuthorize, r.Grant == GrantRefresh && s.Binding.OnRefresh == RefreshEnsure:
		return judgeEnsure(out, s, r, now)
	default:
		return judgeHeld(out, s, r)
	}
}

// judgeEnsure asks for a usable account, and for the work that makes it so.
func judgeEnsure(out ruling, s Standing, r Request, now time.Time) ruling {
	a := s.Account
	switch {
	case lacks(a) && !s.Binding.JITOutbound:
		return out.deny("no account, and not made at sign-in", Failure{FailureRefused, TextNoAccount})
	case lacks(a):
		out.work = workWant
		return pending(out, s, r, now, "work is due")
	case a.Usable():
		return out.permit("in sync")
	case a.State == StateFailed:
		return failed(out, s)
	case a.State == StateRetrying:
		return retrying(out, s, r, now)
	default:
		return pending(out, s, r, now, "work is under way")
	}
}

func pending(out ruling, s Standing, r Request, now time.Time, reason string) ruling {
	switch {
	case !outOfTime(s.Binding, r, now):
		return out.wait(reason, Failure{})
	case s.allows():
		return out.permit("out of time, allowed by policy")
	default:
		return out.deny("out of time", Failure{FailureUnavailable, TextOutOfTime})
	}
}

func retrying(out ruling, s Standing, r Request, now time.Time) ruling {
	failure := Failure{FailureUnavailable, policyOf(s.Account.Kind).text}
	if s.hasten(now) {
		out.work = workHasten
	}
	switch {
	case s.allows():
		return out.permit("failed so far, allowed by policy")
	case outOfTime(s.Binding, r, now):
		return out.deny("out of time", failure)
	default:
		return out.wait("waiting for the next try", failure)
	}
}

func failed(out ruling, s Standing) ruling {
	if s.allows() {
		return out.permit("failed, allowed by policy")
	}
	return out.deny("failed", FailureOf(s.Account.Kind))
}

// judgeHeld asks whether what was there at the sign-in still stands, from the
// ledger alone: an account that is linked and only waits for an update does.
func judgeHeld(out ruling, s Standing, r Request) ruling {
	a := s.Account
	switch {
	case a != nil && a.Usable():
		return out.permit("in sync")
	case a != nil && a.Desired != DesiredPresent:
		return out.deny("account was withdrawn", Failure{FailureRefused, TextNoAccount})
	case a != nil && a.State == StateFailed:
		return failed(out, s)
	case a != nil && a.ExternalID != "":
		return out.permit("linked, an update is due")
	case s.allows():
		return out.permit("no account yet, allowed by policy")
	case a != nil && r.Grant == GrantRefresh:
		return out.wait("no account yet", Failure{FailureUnavailable, TextUnavailable})
	default:
		return out.deny("no account", Failure{FailureRefused, TextNoAccount})
	}
}

// allows reports whether the binding's policy lets a sign-in pass without the
// account (create) or with an outdated one (update).
func (s Standing) allows() bool {
	if s.Account == nil || s.Account.ExternalID == "" {
		return s.Binding.OnCreateFailure == FailureAllow
	}
	return s.Binding.OnUpdateFailure == FailureAllow
}

// hasten reports whether a sign-in may try ahead of time. What the target asked
// to wait for, and what needs an admin, is not hastened.
func (s Standing) hasten(now time.Time) bool {
	a := s.Account
	return policyOf(a.Kind).retry == retryBackoff && !a.Working(now) &&
		a.NextAttemptAt.After(now) && now.Sub(a.UpdatedAt) >= hastenAfter
}

func outOfTime(b Binding, r Request, now time.Time) bool {
	return !r.WaitingSince.IsZero() && now.Sub(r.WaitingSince) >= b.Timeout
}

func (r ruling) permit(reason string) ruling {
	r.Verdict, r.Reason = VerdictPermit, reason
	return r
}

func (r ruling) wait(reason string, f Failure) ruling {
	r.Verdict, r.Reason, r.Failure, r.Text = VerdictWait, reason, f.Code, f.Text
	return r
}

func (r ruling) deny(reason string, f Failure) ruling {
	r.Verdict, r.Reason, r.Failure, r.Text = VerdictDeny, reason, f.Code, f.Text
	if f.Code != FailureUnavailable { // that is still tried for
		r.Progress = ProgressFailed
	}
	return r
}

// sum joins the findings: one denial denies, else one that waits waits. The
// failure is the worst among the findings of that verdict.
func sum(rulings []ruling) (Verdict, Failure) {
	verdict, failure := VerdictPermit, Failure{}
	for _, r := range rulings {
		if rankVerdict(r.Verdict) > rankVerdict(verdict) {
			verdict, failure = r.Verdict, Failure{}
		}
		if r.Verdict == verdict && rankFailure(r.Failure) > rankFailure(failure.Code) {
			failure = Failure{r.Failure, r.Text}
		}
	}
	return verdict, failure
}

// rankVerdict orders verdicts; an unknown one denies.
func rankVerdict(v Verdict) int {
	switch v {
	case VerdictPermit:
		return 0
	case VerdictWait:
		return 1
	default:
		return 2
	}
}

func rankFailure(c FailureCode) int {
	switch c {
	case "":
		return 0
	case FailureUnavailable:
		return 1
	case FailureInternal:
		return 2
	default:
		return 3
	}
}
