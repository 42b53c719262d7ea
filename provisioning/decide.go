package provisioning

import (
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Standing is a binding of an application with the account one user has there.
type Standing struct {
	Binding Binding
	Account *Account // nil while the ledger has no row
	// Connector is the target's.
	Connector string
	State     TargetState
	// Rule is what the binding's rule sets say of the user. It counts only where
	// EnableRules is set; then "" is RuleError: nothing was evaluated.
	Rule RuleOutcome
	// Rules is what each of the rule sets said.
	Rules []RuleTrace
	// Granted is set when the rules deny and another binding of the target grants
	// the account, or may.
	Granted bool
}

// RuleOutcome is what rule sets say.
type RuleOutcome string

// The outcomes of rules.
const (
	RuleNone   RuleOutcome = "none" // the binding asks no rules
	RulePermit RuleOutcome = "permit"
	RuleDeny   RuleOutcome = "deny"
	RuleError  RuleOutcome = "error" // no decision
)

// rule is the outcome that counts. What is not known to be a decision is none.
func (s Standing) rule() RuleOutcome {
	switch {
	case !s.Binding.EnableRules:
		return RuleNone
	case s.Rule == RulePermit || s.Rule == RuleDeny:
		return s.Rule
	default:
		return RuleError
	}
}

// work is what the gate does to an account besides finding something of it.
type work string

const (
	workNone   work = ""
	workWant   work = "want"   // it must be present; make it due if it is not
	workHasten work = "hasten" // it waits for its next try; somebody waits for it
	workAgain  work = "again"  // rules said no the last time and permit it now
	workLose   work = "lose"   // rules no longer grant it; the ruling's loss says what becomes of it
)

// ruling is a finding and the work that goes with it.
type ruling struct {
	Finding
	client ClientID // whose binding it is about
	work   work
	loss   LossPolicy // goes with workLose
	// leave is set when rules permit an account that is still to come: whoever
	// asked for the work, it need not ask them again at once.
	leave bool
	// settled is set when nothing was written of the account for a moment.
	settled bool
}

// hastenAfter is how old a failure must be before a sign-in tries again ahead of
// time, and what is known of an account before one that waits asks for it anew: a
// loop of sign-ins must not become a loop of calls.
const hastenAfter = 5 * time.Second

// judge is the decision table: what one binding means for one request. It is
// pure. For a blocking binding it permits only a usable account, except where a
// policy of the binding says otherwise, and then the reason names that policy.
func judge(s Standing, r Request, now time.Time) ruling {
	out := ruling{Finding: seen(s, now)}
	open := s.lenient()
	out.leave = open.asks(r) && open.rule() == RulePermit && !lacks(s.Account) && !s.Account.Usable()
	out.settled = s.Account == nil || now.Sub(s.Account.UpdatedAt) >= hastenAfter
	switch {
	case !s.Binding.Blocking:
		return judgeOpen(out, open, r, "not blocking")
	case s.Binding.ReportOnly:
		strict := judgeBlocking(out, s, r, now)
		open := judgeOpen(out, open, r, "report only: "+strict.Reason)
		open.Would = strict.Verdict
		return open
	default:
		return judgeBlocking(out, s, r, now)
	}
}

// seen fills in what the ledger says, whatever follows from it.
func seen(s Standing, now time.Time) Finding {
	f := Finding{Target: s.Binding.Target, Blocking: s.Binding.Blocking, Progress: ProgressQueued}
	if s.Binding.EnableRules {
		f.Rule, f.Rules = s.rule(), s.Rules
	}
	a := s.Account
	if a == nil || !a.Usable() && !a.Working(now) && a.State != StateFailed {
		f = s.showHold(f, now)
	}
	if a == nil {
		return f
	}
	f.State, f.Kind = a.State, a.Kind
	switch {
	case a.Usable():
		f.Progress = ProgressDone
	case a.Working(now):
		f.Progress = ProgressWorking
	case a.State == StateRetrying && a.Kind == sdk.KindPending:
		f.Progress, f.Detail, f.RetryAt = ProgressPending, a.Detail, latest(f.RetryAt, a.NextAttemptAt)
	case a.State == StateRetrying:
		f.Progress, f.RetryAt = ProgressRetrying, latest(f.RetryAt, a.NextAttemptAt)
	case a.State == StateFailed:
		f.Progress = ProgressFailed
	}
	return f
}

// judgeOpen lets the user go on; the work follows in the background.
func judgeOpen(out ruling, s Standing, r Request, reason string) ruling {
	out = out.permit(reason)
	if r.Grant != GrantAuthorize {
		return out
	}
	switch s.rule() {
	case RuleNone, RulePermit:
		if s.Binding.JITOutbound && lacks(s.Account) {
			out.work, out.leave = workWant, s.rule() == RulePermit
		} else if s.Binding.JITOutbound && s.Account.ruledOut() {
			out.work = workAgain
		}
	case RuleDeny:
		return out.forfeit(s)
	}
	return out
}

// lenient is the standing as a binding that only reports takes it: it goes on as if
// rules had permitted.
func (s Standing) lenient() Standing {
	if s.Binding.ReportOnly && s.Binding.EnableRules {
		s.Rule = RulePermit
	}
	return s
}

// forfeit takes away an account that rules deny, as the binding's policy says.
func (r ruling) forfeit(s Standing) ruling {
	a := s.Account
	if _, loses := s.Binding.OnLoss.Desired(); loses && !s.Granted && !lacks(a) && !(a.Skipped() && a.ExternalID == "") {
		r.work, r.loss = workLose, s.Binding.OnLoss
	}
	return r
}

// lacks reports whether nothing asks yet for the account to be there.
func lacks(a *Account) bool { return a == nil || a.Desired != DesiredPresent }

func judgeBlocking(out ruling, s Standing, r Request, now time.Time) ruling {
	switch {
	case r.Grant == GrantRefresh && s.Binding.OnRefresh == RefreshSkip:
		return out.permit("not checked at refresh")
	case s.rule() == RuleDeny:
		return judgeDenied(out, s, r)
	case s.rule() == RuleError && s.Binding.OnRuleError == RuleSkip:
		return out.permit("rules gave no decision, skipped by policy")
	case s.rule() == RuleError:
		return out.deny("rules gave no decision", Failure{FailureRefused, TextRules})
	case s.asks(r):
		return judgeEnsure(out, s, r, now)
	default:
		return judgeHeld(out, s, r)
	}
}

// asks reports whether the request asks for the account to be made, and does not
// only look at what is there.
func (s Standing) asks(r Request) bool {
	return r.Grant == GrantAuthorize || r.Grant == GrantRefresh && s.Binding.Blocking && !s.Binding.ReportOnly && s.Binding.OnRefresh == RefreshEnsure
}

// judgeDenied is for users the target is not for: unless the binding refuses
// them they go on without the account, at every grant.
func judgeDenied(out ruling, s Standing, r Request) ruling {
	if s.Binding.OnRuleDeny == RuleRefuse {
		out = out.deny("rules deny", Failure{FailureRefused, TextRuleDenied})
	} else {
		out = out.permit("rules deny, skipped by policy")
	}
	if r.Grant != GrantAuthorize {
		return out
	}
	return out.forfeit(s)
}

// judgeEnsure asks for a usable account, and for the work that makes it so.
func judgeEnsure(out ruling, s Standing, r Request, now time.Time) ruling {
	a := s.Account
	switch {
	case (lacks(a) || a.Skipped() && a.ExternalID == "") && !s.Binding.JITOutbound:
		return out.deny("no account, and not made at sign-in", Failure{FailureRefused, TextNoAccount})
	case lacks(a):
		out.work, out.leave = workWant, s.rule() == RulePermit
		return pending(out, s, r, now, "work is due")
	case a.ruledOut() && !a.Working(now):
		out.work = workAgain
		return pending(out, s, r, now, "rules permit it now")
	case a.Usable():
		return out.permit("in sync")
	case a.State == StateFailed:
		return failed(out, s)
	case a.State == StateRetrying:
		return retrying(out, s, r, now)
	default:
		if a.Trigger == TriggerBackground && !a.Working(now) {
			out.work = workHasten // somebody waits for it now: ahead of the backlog
		}
		return pending(out, s, r, now, "work is under way")
	}
}

func pending(out ruling, s Standing, r Request, now time.Time, reason string) ruling {
	switch {
	case s.holds(now):
		return heldBack(out, s, r, now)
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
	case s.holds(now):
		return heldBack(out, s, r, now)
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
	case a != nil && a.State == StateFailed && !a.ruledOut():
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

// forgotten reports whether a sign-in waits for work that nobody is about to do.
func (r ruling) forgotten() bool {
	return r.Verdict == VerdictWait && (r.work == workWant || r.work == workAgain) && r.settled
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
