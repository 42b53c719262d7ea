package provisioning

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// ledgerRow is a row as the gate may find it.
type ledgerRow struct {
	name    string
	account *Account
}

func ledgerRows() []ledgerRow {
	row := func(state State, edit func(*Account)) *Account {
		a := &Account{
			User: "ann", Target: "dir", Desired: DesiredPresent, DesiredRev: 2, AppliedRev: 1, State: state,
			ExternalID: "x1", UpdatedAt: noon.Add(-time.Minute), NextAttemptAt: noon,
		}
		edit(a)
		return a
	}
	none := func(*Account) {}
	unlinked := func(a *Account) { a.ExternalID, a.AppliedRev = "", 0 }
	return []ledgerRow{
		{"no row", nil},
		{"in sync", row(StateInSync, func(a *Account) { a.AppliedRev, a.NextAttemptAt = 2, time.Time{} })},
		{"in sync without a link", row(StateInSync, func(a *Account) { a.AppliedRev, a.ExternalID = 2, "" })},
		{"in sync but outdated", row(StateInSync, none)},
		{"pending create", row(StatePending, unlinked)},
		{"pending update", row(StatePending, none)},
		{"working", row(StatePending, func(a *Account) { a.LeaseUntil = noon.Add(time.Second) })},
		{"retrying create", row(StateRetrying, func(a *Account) {
			unlinked(a)
			a.Kind, a.NextAttemptAt = sdk.KindTransient, noon.Add(time.Minute)
		})},
		{"retrying update", row(StateRetrying, func(a *Account) { a.Kind, a.NextAttemptAt = sdk.KindUnauthorized, noon.Add(time.Minute) })},
		{"failed create", row(StateFailed, func(a *Account) { unlinked(a); a.Kind = sdk.KindConflict })},
		{"failed update", row(StateFailed, func(a *Account) { a.Kind = sdk.KindInvalid })},
		{"to be suspended", row(StatePending, func(a *Account) { a.Desired = DesiredSuspended })},
		{"suspended", row(StateSuspended, func(a *Account) { a.Desired, a.AppliedRev = DesiredSuspended, 2 })},
		{"absent", row(StateAbsent, func(a *Account) { unlinked(a); a.Desired, a.AppliedRev = DesiredAbsent, 2 })},
		{"skipped create", row(StateAbsent, func(a *Account) { unlinked(a); a.Outcome, a.AppliedRev = OutcomeSkipped, 2 })},
		{"skipped update", row(StateInSync, func(a *Account) { a.Outcome, a.AppliedRev = OutcomeSkipped, 2 })},
		{"no decision on create", row(StateFailed, func(a *Account) { unlinked(a); a.Kind = kindRules })},
		{"no decision on update", row(StateRetrying, func(a *Account) { a.Kind, a.NextAttemptAt = kindRules, noon.Add(time.Minute) })},
		{"in sync, to be absent", row(StateInSync, func(a *Account) { a.Desired, a.AppliedRev = DesiredAbsent, 2 })},
	}
}

// eachCase runs f over every combination of options, policies, outcomes of rules,
// rows and requests.
func eachCase(f func(c testCase)) {
	rows := ledgerRows()
	eachBinding(func(b Binding, rule RuleOutcome) {
		for _, grant := range []Grant{GrantAuthorize, GrantCode, GrantRefresh, "device_code"} {
			for _, since := range []time.Time{{}, noon.Add(-time.Second), noon.Add(-DefaultTimeout)} {
				for _, row := range rows {
					f(testCase{row.name, Standing{Binding: b, Account: row.account, Rule: rule}, Request{Client: "app", User: "ann", Grant: grant, WaitingSince: since}})
				}
			}
		}
	})
}

type testCase struct {
	row string
	s   Standing
	r   Request
}

// String names the case. It is only made for one that fails: there are hundreds of thousands.
func (c testCase) String() string {
	return fmt.Sprintf("%+v/rule %q/%s/since %s/%s", c.s.Binding, c.s.Rule, c.r.Grant, c.r.WaitingSince, c.row)
}

func eachBinding(f func(b Binding, rule RuleOutcome)) {
	for bits := range 1 << 6 {
		b := NewBinding("app", "dir")
		b.Blocking, b.EnableRules, b.JITOutbound, b.ReportOnly = bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0
		if bits&16 > 0 {
			b.OnCreateFailure = FailureAllow
		}
		if bits&32 > 0 {
			b.OnUpdateFailure = FailureAllow
		}
		for _, b.OnRefresh = range []RefreshPolicy{RefreshCheck, RefreshEnsure, RefreshSkip, ""} {
			for _, c := range ruleCases() {
				b.OnRuleDeny, b.OnRuleError, b.OnLoss = c.deny, c.fail, c.loss
				f(b, c.rule)
			}
		}
	}
}

type ruleCase struct {
	rule       RuleOutcome
	deny, fail RulePolicy
	loss       LossPolicy
}

// ruleCases are the outcomes with every policy that could matter, and the most
// lenient and the unset ones where none should.
func ruleCases() []ruleCase {
	var out []ruleCase
	for _, rule := range []RuleOutcome{RuleNone, RulePermit, RuleError, ""} {
		out = append(out, ruleCase{rule, RuleSkip, RuleSkip, LossDelete}, ruleCase{rule, RuleRefuse, RuleRefuse, LossKeep}, ruleCase{rule: rule})
	}
	for _, deny := range []RulePolicy{RuleSkip, RuleRefuse, ""} {
		for _, loss := range []LossPolicy{LossKeep, LossSuspend, LossDelete, ""} {
			out = append(out, ruleCase{RuleDeny, deny, RuleRefuse, loss})
		}
	}
	return out
}

// said is what rules said, for the tests: no decision unless it is one.
func (c testCase) said() RuleOutcome {
	switch {
	case !c.s.Binding.EnableRules:
		return RulePermit
	case c.s.Rule == RulePermit, c.s.Rule == RuleDeny:
		return c.s.Rule
	default:
		return RuleError
	}
}

// acts is what the binding acts on: one that only reports goes on as if rules had
// permitted.
func (c testCase) acts() RuleOutcome {
	if c.s.Binding.ReportOnly {
		return RulePermit
	}
	return c.said()
}

// The promise of Blocking: no success, no token, but for what a policy names.
func TestBlockingPermitsOnlyUsableOrByPolicy(t *testing.T) {
	eachCase(func(c testCase) {
		s, r := c.s, c.r
		got := judge(s, r, noon)
		if !s.Binding.Blocking || s.Binding.ReportOnly || got.Verdict != VerdictPermit {
			return
		}
		a := s.Account
		linked := a != nil && a.ExternalID != ""
		usable := a != nil && a.State == StateInSync && a.Desired == DesiredPresent && linked && a.AppliedRev >= a.DesiredRev && a.Outcome != OutcomeSkipped
		allowed := strings.HasSuffix(got.Reason, "allowed by policy") &&
			(linked && s.Binding.OnUpdateFailure == FailureAllow || !linked && s.Binding.OnCreateFailure == FailureAllow)
		held := got.Reason == "linked, an update is due" && r.Grant != GrantAuthorize && linked &&
			a.Desired == DesiredPresent && a.State != StateFailed
		unchecked := r.Grant == GrantRefresh && s.Binding.OnRefresh == RefreshSkip
		ruled := c.said() == RuleDeny && s.Binding.OnRuleDeny != RuleRefuse || c.said() == RuleError && s.Binding.OnRuleError == RuleSkip
		if c.said() == RulePermit && !usable && !allowed && !held && !unchecked {
			t.Errorf("%s: permit (%s)", c, got.Reason)
		}
		if c.said() != RulePermit && !ruled && !unchecked {
			t.Errorf("%s: permit (%s) although rules do not", c, got.Reason)
		}
	})
}

func TestEveryRulingIsWhole(t *testing.T) {
	eachCase(func(c testCase) {
		got := judge(c.s, c.r, noon)
		open := !c.s.Binding.Blocking || c.s.Binding.ReportOnly
		switch {
		case got.Reason == "" || got.Progress == "" || got.Target != "dir":
			t.Errorf("%s: incomplete finding %+v", c, got)
		case open && got.Verdict != VerdictPermit:
			t.Errorf("%s: %s although nothing may hold", c, got.Verdict)
		case (got.Failure != "") != (got.Text != ""):
			t.Errorf("%s: failure %q with text %q", c, got.Failure, got.Text)
		case got.Verdict == VerdictPermit && got.Failure != "":
			t.Errorf("%s: permit with failure %s", c, got.Failure)
		case got.Verdict == VerdictDeny && got.Failure == "":
			t.Errorf("%s: denial without a failure", c)
		case c.r.Grant == GrantCode && got.Verdict == VerdictWait:
			t.Errorf("%s: the code exchange waits", c)
		case (got.Rule != "") != c.s.Binding.EnableRules:
			t.Errorf("%s: rule %q recorded", c, got.Rule)
		}
	})
}

func TestWorkIsOnlyMadeDueWhereAsked(t *testing.T) {
	eachCase(func(c testCase) {
		b, got := c.s.Binding, judge(c.s, c.r, noon)
		ensure := c.r.Grant == GrantRefresh && b.OnRefresh == RefreshEnsure && b.Blocking
		missing := c.s.Account == nil || c.s.Account.Desired != DesiredPresent
		may := b.JITOutbound && c.acts() == RulePermit && missing && (c.r.Grant == GrantAuthorize || ensure)
		if got.work == workWant && !may {
			t.Errorf("%s: makes work due", c)
		}
		if may && c.r.Grant == GrantAuthorize && got.work != workWant {
			t.Errorf("%s: makes no work due", c)
		}
		if got.leave && (!b.EnableRules || c.acts() != RulePermit || c.r.Grant != GrantAuthorize && !ensure) {
			t.Errorf("%s: gives a leave that rules did not", c)
		}
		if got.work == workAgain && (!c.s.Account.ruledOut() || c.acts() != RulePermit) {
			t.Errorf("%s: asks again", c)
		}
	})
}

// Rules take an account away only by a denial, at a sign-in, where a policy says
// so; a sign-in that is refused for lack of a decision takes nothing away.
func TestAccountsAreLostOnlyByDenial(t *testing.T) {
	eachCase(func(c testCase) {
		b, got := c.s.Binding, judge(c.s, c.r, noon)
		there := c.s.Account != nil && c.s.Account.Desired == DesiredPresent && (c.s.Account.ExternalID != "" || !c.s.Account.Skipped())
		loses := b.OnLoss == LossSuspend || b.OnLoss == LossDelete
		want := c.said() == RuleDeny && c.r.Grant == GrantAuthorize && there && loses && !b.ReportOnly
		if (got.work == workLose) != want || want && got.loss != b.OnLoss {
			t.Errorf("%s: work %q, loss %q", c, got.work, got.loss)
		}
	})
}

func TestJudge(t *testing.T) {
	rows := map[string]*Account{}
	for _, r := range ledgerRows() {
		rows[r.name] = r.account
	}
	none := func(*Binding) {}
	allow := func(b *Binding) { b.OnCreateFailure, b.OnUpdateFailure = FailureAllow, FailureAllow }
	late := func(r *Request) { r.WaitingSince = noon.Add(-DefaultTimeout) }
	refresh := func(r *Request) { r.Grant = GrantRefresh }
	code := func(r *Request) { r.Grant = GrantCode }
	authorize := func(*Request) {}
	tests := []struct {
		row     string
		binding func(*Binding)
		request func(*Request)
		verdict Verdict
		failure FailureCode
		reason  string
	}{
		{"in sync", none, authorize, VerdictPermit, "", "in sync"},
		{"no row", none, authorize, VerdictWait, "", "work is due"},
		{"no row", func(b *Binding) { b.JITOutbound = false }, authorize, VerdictDeny, FailureRefused, "no account, and not made at sign-in"},
		{"pending create", func(b *Binding) { b.JITOutbound = false }, authorize, VerdictWait, "", "work is under way"},
		{"no row", none, late, VerdictDeny, FailureUnavailable, "out of time"},
		{"no row", allow, late, VerdictPermit, "", "out of time, allowed by policy"},
		{"pending update", allow, authorize, VerdictWait, "", "work is under way"},
		{"retrying create", none, authorize, VerdictWait, FailureUnavailable, "waiting for the next try"},
		{"retrying create", none, late, VerdictDeny, FailureUnavailable, "out of time"},
		{"retrying update", allow, authorize, VerdictPermit, "", "failed so far, allowed by policy"},
		{"failed create", none, authorize, VerdictDeny, FailureRefused, "failed"},
		{"failed create", func(b *Binding) { b.OnUpdateFailure = FailureAllow }, authorize, VerdictDeny, FailureRefused, "failed"},
		{"failed update", func(b *Binding) { b.OnCreateFailure = FailureAllow }, authorize, VerdictDeny, FailureRefused, "failed"},
		{"failed create", func(b *Binding) { b.OnCreateFailure = FailureAllow }, authorize, VerdictPermit, "", "failed, allowed by policy"},
		{"suspended", none, authorize, VerdictWait, "", "work is due"},
		{"in sync", func(b *Binding) { b.EnableRules = true }, authorize, VerdictDeny, FailureRefused, "rules gave no decision"},
		{"failed create", func(b *Binding) { b.ReportOnly = true }, authorize, VerdictPermit, "", "report only: failed"},
		{"no row", none, code, VerdictDeny, FailureRefused, "no account"},
		{"pending create", allow, code, VerdictPermit, "", "no account yet, allowed by policy"},
		{"pending update", none, code, VerdictPermit, "", "linked, an update is due"},
		{"suspended", none, code, VerdictDeny, FailureRefused, "account was withdrawn"},
		{"no row", none, refresh, VerdictDeny, FailureRefused, "no account"},
		{"retrying create", none, refresh, VerdictWait, FailureUnavailable, "no account yet"},
		{"retrying update", none, refresh, VerdictPermit, "", "linked, an update is due"},
		{"failed update", none, refresh, VerdictDeny, FailureRefused, "failed"},
		{"retrying update", func(b *Binding) { b.OnRefresh = RefreshEnsure }, refresh, VerdictWait, FailureUnavailable, "waiting for the next try"},
		{"no row", func(b *Binding) { b.OnRefresh = RefreshSkip }, refresh, VerdictPermit, "", "not checked at refresh"},
	}
	for _, tt := range tests {
		b := NewBinding("app", "dir")
		b.Blocking = true
		tt.binding(&b)
		r := Request{Client: "app", User: "ann", Grant: GrantAuthorize}
		tt.request(&r)
		got := judge(Standing{Binding: b, Account: rows[tt.row]}, r, noon)
		if got.Verdict != tt.verdict || got.Failure != tt.failure || got.Reason != tt.reason {
			t.Errorf("%s, %+v, %s: %s %q (%s), want %s %q (%s)", tt.row, b, r.Grant,
				got.Verdict, got.Failure, got.Reason, tt.verdict, tt.failure, tt.reason)
		}
	}
}

func TestHasten(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Account)
		want work
	}{
		{"failed a while ago", func(*Account) {}, workHasten},
		{"failed just now", func(a *Account) { a.UpdatedAt = noon.Add(-time.Second) }, workNone},
		{"told to wait", func(a *Account) { a.Kind = sdk.KindRateLimited }, workNone},
		{"needs an admin", func(a *Account) { a.Kind = sdk.KindUnauthorized }, workNone},
		{"being worked on", func(a *Account) { a.LeaseUntil = noon.Add(time.Second) }, workNone},
		{"due anyway", func(a *Account) { a.NextAttemptAt = noon }, workNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &Account{
				Desired: DesiredPresent, DesiredRev: 1, State: StateRetrying, Kind: sdk.KindTransient,
				UpdatedAt: noon.Add(-time.Minute), NextAttemptAt: noon.Add(time.Hour),
			}
			tt.edit(a)
			b := NewBinding("app", "dir")
			b.Blocking = true
			if got := judge(Standing{Binding: b, Account: a}, Request{Grant: GrantAuthorize}, noon).work; got != tt.want {
				t.Errorf("work = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSum(t *testing.T) {
	find := func(v Verdict, c FailureCode) ruling {
		return ruling{Finding: Finding{Verdict: v, Failure: c, Text: string(c)}}
	}
	tests := []struct {
		name    string
		in      []ruling
		verdict Verdict
		code    FailureCode
	}{
		{"nothing bound", nil, VerdictPermit, ""},
		{"one waits", []ruling{find(VerdictPermit, ""), find(VerdictWait, "")}, VerdictWait, ""},
		{"a denial counts more", []ruling{find(VerdictDeny, FailureUnavailable), find(VerdictWait, "")}, VerdictDeny, FailureUnavailable},
		{"the worst denial", []ruling{find(VerdictDeny, FailureUnavailable), find(VerdictDeny, FailureRefused), find(VerdictDeny, FailureInternal)}, VerdictDeny, FailureRefused},
		{"a wait's failure does not outlive a denial", []ruling{find(VerdictWait, FailureRefused), find(VerdictDeny, FailureInternal)}, VerdictDeny, FailureInternal},
		{"an unknown verdict denies", []ruling{find("perhaps", FailureRefused)}, "perhaps", FailureRefused},
	}
	for _, tt := range tests {
		v, f := sum(tt.in)
		if v != tt.verdict || f.Code != tt.code || f.Text != string(tt.code) {
			t.Errorf("%s: %s %+v, want %s %s", tt.name, v, f, tt.verdict, tt.code)
		}
	}
}
