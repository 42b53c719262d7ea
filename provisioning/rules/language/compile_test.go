package language_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
)

const native = "default_decision: permit\ntimezone: Asia/Colombo\nrules:\n  - {id: a, effect: permit, when: \"env.hour == 1\"}\n"

// office is a policy that permits from nine to five, wherever its set is.
const office = `<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="office" Version="1.0"
	RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-unless-permit"><Target/>
	<Rule RuleId="hours" Effect="Permit"><Condition>
		<Apply FunctionId="urn:oasis:names:tc:xacml:2.0:function:time-in-range">
			<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:time-one-and-only">
				<AttributeDesignator Category="urn:oasis:names:tc:xacml:3.0:attribute-category:environment"
					AttributeId="urn:oasis:names:tc:xacml:1.0:environment:current-time"
					DataType="http://www.w3.org/2001/XMLSchema#time" MustBePresent="true"/>
			</Apply>
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#time">09:00:00</AttributeValue>
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#time">17:00:00</AttributeValue>
		</Apply>
	</Condition></Rule>
</Policy>`

func TestCompile(t *testing.T) {
	colombo, err := language.Compile(rules.RuleSet{Language: rules.LanguageCEL, Source: native})
	if err != nil {
		t.Fatal(err)
	}
	if colombo.Default() != rules.Permit || colombo.Zone().String() != "Asia/Colombo" {
		t.Errorf("the set's default is %s, its zone %s", colombo.Default(), colombo.Zone())
	}
	policy, err := language.Compile(rules.RuleSet{Language: rules.LanguageXACML, Source: office, Timezone: "Asia/Colombo"})
	if err != nil {
		t.Fatal(err)
	}
	if policy.Default() != rules.Deny {
		t.Errorf("a policy's default is %s, want Deny", policy.Default())
	}
	for at, want := range map[string]rules.Decision{"03:30": rules.Permit, "03:29": rules.Deny, "12:00": rules.Deny} { // UTC
		now, err := time.Parse("2006-01-02 15:04", "2026-06-01 "+at)
		if err != nil {
			t.Fatal(err)
		}
		r := &rules.Request{Now: now, Operation: rules.OperationCreate}
		if got := policy.Decide(r); got.Decision != want || r.Now != now {
			t.Errorf("at %s UTC: %s %v, want %s", at, got.Decision, got.Status, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		set  rules.RuleSet
		text string
	}{
		"no language":     {rules.RuleSet{Source: native}, "neither cel nor xacml"},
		"cel with a zone": {rules.RuleSet{Language: rules.LanguageCEL, Source: native, Timezone: "UTC"}, "in its source"},
		"cel, bad":        {rules.RuleSet{Language: rules.LanguageCEL, Source: "rules: 1"}, "1:8: "},
		"xacml, bad":      {rules.RuleSet{Language: rules.LanguageXACML, Source: "<Policy/>"}, "1:1: "},
		"second document": {rules.RuleSet{Language: rules.LanguageXACML, Source: office, Policies: []string{"<x/>"}}, "policies[0]:1:1: "},
		"zone":            {rules.RuleSet{Language: rules.LanguageXACML, Source: office, Timezone: "Local"}, "timezone: "},
		"default":         {rules.RuleSet{Language: rules.LanguageXACML, Source: office, DefaultDecision: "allow"}, "default_decision: "},
	} {
		_, err := language.Compile(c.set)
		var e *rules.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.text)
		}
	}
}

func TestDigestHasEverything(t *testing.T) {
	base := rules.RuleSet{Language: rules.LanguageXACML, Source: "a"}
	seen := map[string]bool{}
	for _, s := range []rules.RuleSet{
		base, {Language: rules.LanguageCEL, Source: "a"}, {Language: rules.LanguageXACML, Source: "b"},
		{Language: rules.LanguageXACML, Source: "a", Policies: []string{""}}, {Language: rules.LanguageXACML, Source: "a", WSO2: true},
		{Language: rules.LanguageXACML, Source: "a", Timezone: "UTC"}, {Language: rules.LanguageXACML, Source: "a", DefaultDecision: rules.DefaultPermit},
	} {
		seen[s.Digest()] = true
	}
	if len(seen) != 7 {
		t.Errorf("7 different rule sets have %d digests", len(seen))
	}
	if renamed := base; renamed.Digest() != base.Digest() {
		t.Error("the digest depends on more than the content")
	}
}
