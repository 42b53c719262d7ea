package provisioning

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const decisionsDoc = "../docs/decisions.md"

// TestDecisionDocs holds docs/decisions.md against the decision table. Written by
// go test ./provisioning -run TestDecisionDocs -update.
func TestDecisionDocs(t *testing.T) {
	got := []byte(decisions())
	if *update {
		if err := os.WriteFile(decisionsDoc, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(decisionsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/decisions.md differs from the decision table; write it with -update (-doc +table):\n%s", diff)
	}
}

var update = flag.Bool("update", false, "write docs/decisions.md")

// column is a way a binding may be set up and asked; its heading names what
// differs from a blocking binding with defaults at a sign-in that just began.
type column struct {
	heading string
	edit    func(*Standing, *Request)
}

func (c column) cell(account *Account) string {
	s := Standing{Binding: NewBinding("app", "dir"), Account: account}
	s.Binding.Blocking = true
	r := Request{Client: "app", User: "ann", Grant: GrantAuthorize}
	c.edit(&s, &r)
	return cell(judge(s, r, noon))
}

// cell is a ruling in one line of text.
func cell(out ruling) string {
	text := fmt.Sprintf("**%s** – %s", out.Verdict, out.Reason)
	if out.Failure != "" && out.Verdict == VerdictDeny {
		text += fmt.Sprintf(" (`%s`)", out.Failure)
	}
	switch out.work {
	case workWant, workAgain:
		text += "; makes it due"
	case workHasten:
		text += "; tries again at once"
	case workLose:
		text += fmt.Sprintf("; on_loss: %s", out.loss)
	}
	return text
}

// byRow is a table with a line per state of the account.
func byRow(columns ...column) string {
	var b strings.Builder
	b.WriteString("| account |")
	for _, c := range columns {
		b.WriteString(" " + c.heading + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, row := range ledgerRows() {
		b.WriteString("| " + row.name + " |")
		for _, c := range columns {
			b.WriteString(" " + c.cell(row.account) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func signIns() string {
	late := func(r *Request) { r.WaitingSince = noon.Add(-DefaultTimeout) }
	return byRow(
		column{"sign-in begins", func(*Standing, *Request) {}},
		column{"`jit_outbound: false`", func(s *Standing, _ *Request) { s.Binding.JITOutbound = false }},
		column{"after `timeout`", func(_ *Standing, r *Request) { late(r) }},
		column{"after `timeout`, `on_create_failure: allow`", func(s *Standing, r *Request) {
			late(r)
			s.Binding.OnCreateFailure = FailureAllow
		}},
		column{"after `timeout`, `on_update_failure: allow`", func(s *Standing, r *Request) {
			late(r)
			s.Binding.OnUpdateFailure = FailureAllow
		}},
	)
}

func open() string {
	return byRow(
		column{"`blocking: false`", func(s *Standing, _ *Request) { s.Binding.Blocking = false }},
		column{"`blocking: false`, `jit_outbound: false`", func(s *Standing, _ *Request) {
			s.Binding.Blocking, s.Binding.JITOutbound = false, false
		}},
		column{"`blocking: true`, `report_only: true`", func(s *Standing, _ *Request) { s.Binding.ReportOnly = true }},
	)
}

func whileHeld() string {
	held := func(edit func(*Binding)) func(*Standing, *Request) {
		return func(s *Standing, _ *Request) {
			s.State.Maintenance = true
			edit(&s.Binding)
		}
	}
	return byRow(
		column{"sign-in", held(func(*Binding) {})},
		column{"`on_create_failure: allow`", held(func(b *Binding) { b.OnCreateFailure = FailureAllow })},
		column{"`on_update_failure: allow`", held(func(b *Binding) { b.OnUpdateFailure = FailureAllow })},
	)
}

func laterGrants() string {
	refresh := func(p RefreshPolicy) func(*Standing, *Request) {
		return func(s *Standing, r *Request) { s.Binding.OnRefresh, r.Grant = p, GrantRefresh }
	}
	return byRow(
		column{"code is redeemed", func(_ *Standing, r *Request) { r.Grant = GrantCode }},
		column{"`on_refresh: check`", refresh(RefreshCheck)},
		column{"`on_refresh: ensure`", refresh(RefreshEnsure)},
		column{"`on_refresh: skip`", refresh(RefreshSkip)},
	)
}

// ruleLine is a line of the table of rules; account is a row of ledgerRows.
type ruleLine struct {
	rule   RuleOutcome
	policy string
	row    string
	edit   func(*Binding)
}

func rulesTable() string {
	none := func(*Binding) {}
	lines := []ruleLine{
		{RulePermit, "", "no row", none},
		{RulePermit, "", "in sync", none},
		{RuleDeny, "`on_rule_deny: skip`", "no row", none},
		{RuleDeny, "`on_rule_deny: refuse`", "no row", func(b *Binding) { b.OnRuleDeny = RuleRefuse }},
		{RuleDeny, "`on_loss: keep`", "in sync", none},
		{RuleDeny, "`on_loss: suspend`", "in sync", func(b *Binding) { b.OnLoss = LossSuspend }},
		{RuleDeny, "`on_loss: delete`", "in sync", func(b *Binding) { b.OnLoss = LossDelete }},
		{RuleError, "`on_rule_error: refuse`", "in sync", none},
		{RuleError, "`on_rule_error: skip`", "in sync", func(b *Binding) { b.OnRuleError = RuleSkip }},
	}
	accounts := map[string]*Account{}
	for _, row := range ledgerRows() {
		accounts[row.name] = row.account
	}
	var b strings.Builder
	b.WriteString("| rules say | policy | account | blocking, sign-in | not blocking, sign-in | blocking, code or refresh |\n|---|---|---|---|---|---|\n")
	for _, l := range lines {
		at := func(blocking bool, grant Grant) string {
			return column{edit: func(s *Standing, r *Request) {
				s.Binding.EnableRules, s.Binding.Blocking, s.Rule, r.Grant = true, blocking, l.rule, grant
				l.edit(&s.Binding)
			}}.cell(accounts[l.row])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", l.rule, l.policy, l.row, at(true, GrantAuthorize), at(false, GrantAuthorize), at(true, GrantCode))
	}
	return b.String()
}

func decisions() string {
	return fmt.Sprintf(`# Decisions of the gate

What one binding means for one request. This page is written from the decision table itself and tested against it. A decision with its reasons is kept
for every sign-in: `+"`anteroom signin explain REFERENCE`"+`.

A sign-in with several bindings: one **deny** denies, else one **wait** waits, else it is permitted. A disabled user is denied before any binding is
looked at; Anteroom's own admin application is not held by any. Words in brackets say what the application is told: `+"`refused`"+` is access_denied,
`+"`unavailable`"+` temporarily_unavailable, `+"`internal`"+` server_error. "makes it due" means that work on the account begins.

"create" is an account without a link to the target, "update" one that is linked and waits for a change. "in sync but outdated" changed a moment ago.
"skipped" is one that rules said no to the last time they were asked about it, "no decision" one that they could not decide on.

## A blocking binding at sign-in

No success, no token: only an account that is in sync, or a policy that says so, lets the user through. A failure that a policy allows lets
through at once, work under way only after `+"`timeout`"+`.

%s
## While the target's work is held up

The target is in maintenance, asked for a pause, or is down. The account is as above; the binding is blocking.

%s
## Bindings that never hold a sign-in

The user goes on; the work is done in the background. `+"`report_only`"+` records what a blocking binding would have said.

%s
## After the sign-in

The rules' answer is asked for at every grant. `+"`on_refresh`"+` decides what a refresh looks at; **wait** becomes a 503 that leaves the refresh token as it was.

%s
## Rules

A denial means that the target is not for this user: they go on without it, unless `+"`on_rule_deny: refuse`"+`. Without a decision nobody is let through,
unless `+"`on_rule_error: skip`"+`. Where rules permit, the tables above apply. No rule of any kind keeps an account from being suspended or deleted. A binding
with `+"`report_only: true`"+` records what rules say and goes on as if they had permitted.

A denial takes an account away (`+"`on_loss`"+`) only if no other binding of the target grants it: one that makes accounts at sign-in, or is the one the account
is there for, and asks no rules, or whose rules permit or cannot decide. From then on the account is there for that one. What was taken away comes back with
the next sign-in, or change of the user, that rules permit.

Rules are asked again when the work is done more than a minute after a sign-in was permitted, and for work that no sign-in asked for (registration, a
changed user, target or rule set). A denial then leaves the account as it is (`+"`skipped`"+`), without a call of the target, or takes it away by `+"`on_loss`"+`; without a
decision the work is tried again, unless `+"`on_rule_error: skip`"+`.

%s
### What the application receives

Of a person who has no account yet, in the order in which it happens. The policy is `+"`on_rule_deny`"+` where the rule sets come to deny and `+"`on_rule_error`"+` where
they come to error; the other one changes nothing, and neither does where the binding does not block or only reports. An account before the code is in the
target when the application receives the code; one behind it follows in the background. A page is what a person reads, by its key, before they go back to
the application; with `+"`prompt=none`"+` there is no page.

%s`, signIns(), whileHeld(), open(), laterGrants(), rulesTable(), received())
}
