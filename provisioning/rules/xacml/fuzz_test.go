package xacml

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// FuzzPolicy holds that whatever is compiled is refused with a *rules.Error, or
// decides the same each time and in an explanation, within its steps, and can be
// linted.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", apply1("or", wrong, yes)))))
	f.Add([]byte(policyOf("1.0/first-applicable", "<Target/>"+ruleWhen("r", "Permit", fn(fn3+"any-of", funcRef(fn1+"string-regexp-match"), lit(typeString, "^a"), attr(typeString, "n", true)))+ruleWhen("d", "Deny", ""))))
	f.Add([]byte(policyOf("permit-unless-deny", `<Target/><VariableDefinition VariableId="v">`+apply1("dateTime-equal", lit(typeDateTime, "2026-01-01T00:00:00"), lit(typeDateTime, "2026-01-01T00:00:00Z"))+`</VariableDefinition>`)))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><Policy>&a;</Policy>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		set, err := Compile(Options{WSO2: true}, Document{XML: doc})
		if err != nil {
			var e *rules.Error
			if !errors.As(err, &e) {
				t.Errorf("error %v is no *rules.Error", err)
			}
			return
		}
		one, two := set.DecideContext(testContext(), nine), set.DecideContext(testContext(), nine)
		if !reflect.DeepEqual(one, two) {
			t.Errorf("first %+v, then %+v", one, two)
		}
		explained(t, set, &contextFacts{context: testContext(), now: nine}, nine, one)
		two = set.Decide(someone())
		if x := set.Explain(someone(), nil); x.Policy == nil || x.Policy.Decision != two.Decision {
			t.Errorf("decided %+v, explained %+v", two, x)
		}
		for _, r := range []rules.Result{one, two} {
			if strings.Contains(r.Status.Message, "internal error") {
				t.Error(r.Status.Message)
			}
			if r.Decision.Indeterminate() != (r.Status.Code != rules.StatusOK) {
				t.Errorf("%v with status %q", r.Decision, r.Status.Code)
			}
		}
		set.Lint(Known{})
	})
}

// FuzzRequest holds that any request is refused with a *rules.Error or can be
// asked about.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`<Request xmlns="` + namespace + `" ReturnPolicyIdList="false" CombinedDecision="false"><Attributes Category="` + testCategory + `"><Content><a xmlns="urn:x"/></Content><Attribute AttributeId="n" IncludeInResult="false">` + lit(typeString, "ann") + `</Attribute></Attributes></Request>`))
	f.Add([]byte(`<Request xmlns="` + namespace + `"><Attributes Category="c"><Attribute AttributeId="t" Issuer="i" IncludeInResult="true">` + lit(typeTime, "24:00:00Z") + lit(typeX500Name, `cn=\61`) + `</Attribute></Attributes></Request>`))
	set, err := Compile(Options{}, Document{XML: []byte(policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", apply1("string-is-in", lit(typeString, "ann"), attr(typeString, "n", true)))))})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := ParseRequest(doc)
		if err != nil {
			var e *rules.Error
			if !errors.As(err, &e) {
				t.Errorf("error %v is no *rules.Error", err)
			}
			return
		}
		if got := set.DecideContext(c, nine); got.Decision == rules.Deny || got.Decision == rules.IndeterminateDP {
			t.Errorf("a rule that permits gives %+v", got)
		}
	})
}

// FuzzValue holds that what a value is written as is the same value.
func FuzzValue(f *testing.F) {
	for typ, s := range map[dataType]string{
		typeTime: "09:00:00+01:00", typeDate: "-0044-03-15", typeDateTime: "2026-03-02T24:00:00Z", typeDayTimeDuration: "-P1DT2H3M4.5S",
		typeYearMonthDuration: "P18M", typeDouble: "-1.5e-3", typeX500Name: `cn="a,b"+uid=x,o=\2c`, typeRFC822Name: "a@B", typeIPAddress: "[::1]:80-", typeDNSName: "*.a:1",
	} {
		f.Add(uint8(typ), s)
	}
	f.Fuzz(func(t *testing.T, typ uint8, s string) {
		v, ok := parseValue(dataType(typ), s)
		if !ok {
			return
		}
		for _, written := range []string{v.text(), withoutLexical(v).text()} {
			again, ok := parseValue(v.typ, written)
			if !ok || !again.equal(v, 0) {
				t.Errorf("%s %q is written %q, which is %+v, not %+v", v.typ.short(), s, written, again, v)
			}
		}
	})
}

// withoutLexical makes a value be written anew where its fields hold all of it.
func withoutLexical(v value) value {
	if v.typ != typeX500Name {
		v.lexical = ""
	}
	return v
}
