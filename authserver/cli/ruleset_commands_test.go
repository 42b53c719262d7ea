package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules/template"
)

// files writes files, and returns how a path in their folder is called.
func files(t *testing.T, texts map[string]string) func(name string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

// TestDocsOfRuleTesting runs the example of the page, which shows what comes out.
func TestDocsOfRuleTesting(t *testing.T) {
	raw, err := os.ReadFile("../../docs/rules-testing.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(yaml|console)\n(.*?)```").FindAllStringSubmatch(string(raw), -1)
	if len(blocks) != 3 {
		t.Fatalf("the page has %d examples, want 3", len(blocks))
	}
	at := files(t, map[string]string{"engineers.yaml": blocks[0][2], "cases.yaml": blocks[1][2]})
	code, stdout, stderr := invoke(t, "", "ruleset", "test", at("cases.yaml"))
	shown := "$ anteroom ruleset test cases.yaml\n" + strings.ReplaceAll(stdout+stderr, at("cases.yaml"), "cases.yaml")
	if diff := cmp.Diff(blocks[2][2], shown); diff != "" || code != exitFailed {
		t.Errorf("exit code %d (-page +command):\n%s", code, diff)
	}
	for _, field := range []string{"user", "application", "target", "request", "account", "rule_set"} { // the reader lists its fields when one is unknown
		text := "rule_set: x\ncases: [{name: a, expect: deny, " + field + ": {nope: 1}}]"
		if field == "rule_set" {
			text = "rule_set: {nope: 1}\ncases: [{name: a, expect: deny, nope: 1}]"
		}
		_, _, stderr := invoke(t, text, "ruleset", "test", "-")
		for _, known := range regexp.MustCompile(` has ([a-z_, ]+)`).FindAllStringSubmatch(stderr, -1) {
			for name := range strings.SplitSeq(known[1], ", ") {
				if !strings.Contains(string(raw), name) {
					t.Errorf("the page does not name %s", name)
				}
			}
		}
	}
}

func TestRulesetTest(t *testing.T) {
	at := files(t, map[string]string{
		"good.yaml":     "rule_set: {template: group_based, parameters: {groups: [eng]}}\ncases: [{name: in, user: {groups: [eng]}, expect: permit}, {name: out, expect: deny, rule: deny_others}]",
		"bad.yaml":      "rule_set: {source: \"rules: [{id: a, effect: permit, when: 'user.emial'}]\"}\ncases: [{name: a, expect: deny}]",
		"broken.yaml":   "rule_set: broken.xml\ncases: [{name: a, expect: deny}]",
		"broken.xml":    "<Policy/>",
		"typo.yaml":     "rule_set: x.yaml\ncases:\n  - {nmae: a, expect: deny}\n",
		"clock.yaml":    "rule_set: {template: provisioning_time_based_policy_template}\ncases: [{name: a, expect: deny}]",
		"nothing.yaml":  "rule_set: nowhere.yaml\ncases: [{name: a, expect: deny}]",
		"homeless.yaml": "cases: [{name: a, expect: deny}]",
	})
	if code, stdout, stderr := invoke(t, "", "ruleset", "test", at("good.yaml"), at("good.yaml")); code != exitOK || stdout != "4 passed, 0 failed\n" || stderr != "" {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if code, stdout, _ := invoke(t, "", "ruleset", "test", "--explain", at("good.yaml")); code != exitOK || !strings.Contains(stdout, ": in: passed\n    Permit by rule \"permit_by_group\"\n") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
	code, stdout, stderr := invoke(t, "", "ruleset", "test", at("good.yaml"), at("bad.yaml"), at("broken.yaml"), at("typo.yaml"), at("clock.yaml"), at("homeless.yaml"))
	want := "anteroom: bad.yaml: rule_set:1:44: undefined field 'emial'\n" +
		"anteroom: broken.xml:1:1: element Policy is in namespace \"\", not in \"urn:oasis:names:tc:xacml:3.0:core:schema:wd-17\"\n" +
		"anteroom: typo.yaml:3:5: name: required\n" +
		"anteroom: typo.yaml:3:6: unknown field \"nmae\"; a case has account, application, at, expect, name, operation, request, rule, target, user\n" +
		"anteroom: clock.yaml:2:9: case \"a\": at: required, for the rule set asks for the time\n" +
		"anteroom: homeless.yaml:1:1: rule_set: required\n"
	if diff := cmp.Diff(want, strings.ReplaceAll(stderr, at("")+"/", "")); diff != "" || code != exitFailed || stdout != "" {
		t.Errorf("exit code %d, %q (-want +got):\n%s", code, stdout, diff)
	}
	if code, _, stderr := invoke(t, "", "ruleset", "test", at("nothing.yaml")); code != exitFailed || !strings.Contains(stderr, "nowhere.yaml: no such file") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, _, _ := invoke(t, "", "ruleset", "test"); code != exitUsage {
		t.Errorf("without a file: exit code %d", code)
	}
}

// TestRulesetTestJSON shows that a program sees each case, and why one failed.
func TestRulesetTestJSON(t *testing.T) {
	text := "rule_set: {template: group_based, parameters: {groups: [eng]}}\ncases: [{name: in, user: {groups: [eng]}, expect: permit}, {name: out, expect: permit}]"
	code, stdout, _ := invoke(t, text, "-o", "json", "ruleset", "test", "-")
	var got struct {
		Passed, Failed int
		Cases          []struct {
			Name, Decision, Problem string
			Explanation             *struct {
				Policy struct {
					Rules []struct{ ID string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if code != exitFailed || got.Passed != 1 || got.Failed != 1 || len(got.Cases) != 2 {
		t.Fatalf("exit code %d, %s", code, stdout)
	}
	if c := got.Cases[1]; c.Decision != "deny" || c.Problem != "want permit, got deny" || c.Explanation == nil || len(c.Explanation.Policy.Rules) != 2 || got.Cases[0].Explanation != nil {
		t.Errorf("cases %s", stdout)
	}
}

func TestRulesetTemplate(t *testing.T) {
	code, stdout, stderr := invoke(t, "", "ruleset", "template", "group_based", "--set", `groups=eng,"Doe, Jane"`, "--set", "groups=R&D")
	if code != exitOK || !strings.Contains(stdout, `("eng" in user.groups || "Doe, Jane" in user.groups || "R&D" in user.groups)`) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if code, again, _ := invoke(t, stdout, "ruleset", "check", "-"); code != exitOK {
		t.Errorf("what is printed does not compile: %s", again)
	}
	code, stdout, stderr = invoke(t, "", "ruleset", "template", "provisioning_time_based_policy_template", "--language", "xacml", "--set", "timezone=Asia/Colombo")
	if code != exitOK || !strings.HasPrefix(stdout, "<?xml") || !strings.Contains(stderr, "timezone: Asia/Colombo") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	for line, want := range map[string]string{
		"group_based":                                       "anteroom: usage: template group_based: groups: required\n",
		"group_based --set group=x":                         "anteroom: usage: template group_based: group: is no parameter of group_based; groups: required\n",
		"group_based --set groups":                          "anteroom: usage: --set groups: must be NAME=VALUE\n",
		`group_based --set groups="x`:                       "anteroom: usage: --set groups: values are separated by commas, and quotes stand around a whole value\n",
		"network_cidr --set networks=10.0.0.1/8":            "anteroom: usage: template network_cidr: networks: \"10.0.0.1/8\" must be a network such as 10.0.0.0/8\n",
		"network_cidr --set networks=::/0 --language xacml": "anteroom: template network_cidr: ::/0: XACML can express networks of IPv4 only\n",
		"nothing": "anteroom: there is no template \"nothing\"; see anteroom ruleset templates\n",
	} {
		code, stdout, stderr := invoke(t, "", append([]string{"ruleset", "template"}, strings.Fields(line)...)...)
		if usage := strings.Contains(want, ": usage: "); stderr != want || stdout != "" || (code == exitUsage) != usage || (code == exitFailed) == usage {
			t.Errorf("%s: exit code %d, %s, want %s", line, code, stderr, want)
		}
	}
}

func TestRulesetTemplates(t *testing.T) {
	code, stdout, _ := invoke(t, "", "ruleset", "templates", "-o", "json")
	var got []templateView
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || len(got) != len(template.All()) {
		t.Errorf("exit code %d, %v, %s", code, err, stdout)
	}
	_, stdout, _ = invoke(t, "", "ruleset", "templates")
	for _, v := range got {
		if !strings.Contains(stdout, v.Name+": "+v.Help) {
			t.Errorf("no %s in\n%s", v.Name, stdout)
		}
	}
}

// policy is for an application that may not be there, with a word of a template.
const policy = `<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="p" Version="1"
  RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-unless-permit">
  <Target><AnyOf><AllOf>
    <Match MatchId="urn:oasis:names:tc:xacml:1.0:function:string-equal">
      <AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">crm</AttributeValue>
      <AttributeDesignator Category="http://wso2.org/identity/sp" AttributeId="http://wso2.org/identity/sp/sp-name" DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="false"/>
    </Match>
  </AllOf></AnyOf></Target>
  <Rule RuleId="r" Effect="Permit"/>
</Policy>`

func TestRulesetCheck(t *testing.T) {
	set := `<PolicySet xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicySetId="all" Version="1"
  PolicyCombiningAlgId="urn:oasis:names:tc:xacml:3.0:policy-combining-algorithm:deny-unless-permit"><Target/><PolicyIdReference>p</PolicyIdReference></PolicySet>`
	at := files(t, map[string]string{
		"set.xml": set, "p.xml": policy, "bad.xml": strings.Replace(policy, "string-equal", "string-same", 1),
		"bad.yaml": "rules:\n  - {id: a, effect: permit, when: user.emial == 'x'}\n  - {id: a, effect: allow, when: \"true\"}\n",
		"ok.yaml":  "default_decision: permit\nrules:\n  - {id: a, effect: deny, when: \"'x' in user.groups\"}\n",
	})
	for _, c := range []struct {
		args string
		code int
		want string // on either
	}{
		{"ok.yaml", exitOK, "ok: cel, permit by default, time zone UTC, 0 warnings\nasks for http://wso2.org/claims/groups\n"},
		{"set.xml --policy p.xml --timezone Asia/Colombo --default-decision permit", exitOK, "ok: xacml, permit by default, time zone Asia/Colombo, 0 warnings\n"},
		{"set.xml --policy p.xml --application crm", exitOK, ", 0 warnings\n"},
		{"set.xml --policy p.xml --application payroll", exitOK, "p.xml:4:5: warning: there is no application \"crm\"\nok: "},
		{"set.xml", exitFailed, "set.xml:2:"},
		{"set.xml --policy bad.xml", exitFailed, "anteroom: bad.xml:4:5: unknown function"},
		{"bad.yaml", exitFailed, "anteroom: bad.yaml:2:39: undefined field 'emial'\nanteroom: bad.yaml:3:10: \"a\" names two rules\nanteroom: bad.yaml:3:21: must be permit or deny\n"},
		{"ok.yaml --language xacml", exitFailed, "anteroom: ok.yaml:1:"},
		{"ok.yaml --timezone UTC", exitFailed, "anteroom: a rule set in CEL has its default decision and time zone in its source"},
		{"p.xml --timezone Nowhere", exitFailed, "anteroom: timezone: \"Nowhere\""},
		{"nowhere.yaml", exitFailed, "anteroom: read rule set: open nowhere.yaml"},
		{"ok.yaml --language rego", exitUsage, "anteroom: usage: "},
	} {
		args := []string{"ruleset", "check"}
		for _, a := range strings.Fields(c.args) {
			if strings.HasSuffix(a, "ml") && a != "xacml" {
				a = at(a)
			}
			args = append(args, a)
		}
		code, stdout, stderr := invoke(t, "", args...)
		if all := strings.ReplaceAll(stdout+stderr, at("")+"/", ""); code != c.code || !strings.Contains(all, c.want) {
			t.Errorf("%s: exit code %d, %s, want %d, %s", c.args, code, all, c.code, c.want)
		}
	}
	_, stdout, _ := invoke(t, "", "-o", "json", "ruleset", "check", "--target", "x", "--application", "x", at("p.xml"))
	var got rulesetJSON
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Language != "xacml" || len(got.Uses) != 1 || len(got.Warnings) != 2 || got.Warnings[1].Kind != "unknown_app" || got.DefaultDecision != "deny" {
		t.Errorf("%v, %s", err, stdout)
	}
}

// rulesetJSON is rulesetView as a program reads it.
type rulesetJSON struct {
	Language        string
	DefaultDecision string `json:"default_decision"`
	Uses            []struct{ ID string }
	Warnings        []warningView
}
