package xacml

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func someone() *rules.Request {
	return &rules.Request{
		User: rules.User{
			ID: "u1", Username: "ann", Email: "ann@example.com", EmailVerified: true, GivenName: "Ann", FamilyName: "Doe, Jr",
			Name: "Ann Doe", Locale: "de", PhoneNumber: "+49", Active: true, Source: "corp",
			Groups: []string{"R&D, Berlin", "Sales"}, Roles: []string{"admin"},
			Claims: map[string][]string{"department": {"a,b"}, wso2Claims + "country": {"LK"}, wso2Claims + "emailaddress": {"forged@example.com"}},
		},
		App:       rules.App{Name: "crm", ClientID: "c1", Labels: []string{"internal"}},
		Connector: rules.Connector{Name: "sf", Type: "salesforce", Binding: "crm/sf"},
		Operation: rules.OperationUpdate, Scopes: []string{"openid"}, ACR: "1", AMR: []string{"pwd"},
		IP: netip.MustParseAddr("2001:db8::1"), Trigger: rules.TriggerRetry, AuthTime: nine,
		Account: rules.Account{Linked: true, RemoteID: "r1", LastProvisioned: nine}, Now: nine.In(time.FixedZone("", 2*3600)),
	}
}

func TestVocabulary(t *testing.T) {
	tests := []struct {
		category, id string
		typ          dataType
		want         []string
	}{
		{categoryUser, "urn:anteroom:user:id", typeString, []string{"u1"}},
		{categoryUser, "urn:anteroom:user:email-verified", typeBoolean, []string{"true"}},
		{categoryUser, "urn:anteroom:user:active", typeBoolean, []string{"true"}},
		{categoryUser, "urn:anteroom:user:source", typeString, []string{"corp"}},
		{categoryUser, "http://wso2.org/identity/user/username", typeString, []string{"ann"}},
		{categoryUser, "http://wso2.org/identity/user/user-tenant-domain", typeString, []string{"carbon.super"}},
		{categoryUser, "http://wso2.org/claims/emailaddress", typeString, []string{"ann@example.com"}},
		{categoryUser, "http://wso2.org/claims/lastname", typeString, []string{"Doe, Jr"}},
		{categoryUser, "http://wso2.org/claims/mobile", typeString, []string{"+49"}},
		{categoryUser, "http://wso2.org/claims/groups", typeString, []string{"R&D, Berlin", "Sales"}},
		{categoryUser, "http://wso2.org/claims/roles", typeString, []string{"admin", "Internal/admin"}},
		{categoryUser, "http://wso2.org/claims/country", typeString, []string{"LK"}},
		{categoryUser, "http://wso2.org/claims/department", typeString, []string{"a,b"}},
		{categoryUser, "department", typeString, []string{"a,b"}},
		{categoryUser, "nothing", typeString, nil},
		{categoryUser, "urn:anteroom:user:id", typeAnyURI, nil},
		{categoryApp, "http://wso2.org/identity/sp/sp-name", typeString, []string{"crm"}},
		{categoryApp, "http://wso2.org/identity/auth/sp-tenant-domain", typeString, []string{"carbon.super"}},
		{categoryApp, "urn:anteroom:app:client-id", typeString, []string{"c1"}},
		{categoryApp, "urn:anteroom:app:label", typeString, []string{"internal"}},
		{categoryIDP, "http://wso2.org/identity/idp/idp-name", typeString, []string{"sf"}},
		{categoryIDP, "http://wso2.org/identity/idp/connector-type", typeString, []string{"salesforce"}},
		{categoryIDP, "urn:anteroom:connector:binding", typeString, []string{"crm/sf"}},
		{"http://wso2.org/identity/identity-action", "http://wso2.org/identity/identity-action/action-name", typeString, []string{"provisioning"}},
		{categoryCall, "http://wso2.org/identity/provisioning/provision-operation", typeString, []string{"PUT"}},
		{categoryCall, "http://wso2.org/identity/provisioning/claim-group", typeString, []string{"R&D, Berlin", "Sales"}},
		{"urn:anteroom:request", "urn:anteroom:request:ip", typeIPAddress, []string{"[2001:db8::1]"}},
		{"urn:anteroom:request", "urn:anteroom:request:trigger", typeString, []string{"retry"}},
		{"urn:anteroom:request", "urn:anteroom:request:amr", typeString, []string{"pwd"}},
		{"urn:anteroom:request", "urn:anteroom:request:scope", typeString, []string{"openid"}},
		{"urn:anteroom:request", "urn:anteroom:request:auth-time", typeDateTime, []string{"2026-03-02T09:02:00Z"}},
		{"urn:anteroom:account", "urn:anteroom:account:linked", typeBoolean, []string{"true"}},
		{"urn:anteroom:account", "urn:anteroom:account:remote-id", typeString, []string{"r1"}},
		{categoryEnvironment, environment + "current-time", typeTime, []string{"11:02:00+02:00"}},
		{categoryEnvironment, environment + "current-date", typeDate, []string{"2026-03-02+02:00"}},
		{categoryEnvironment, environment + "current-dateTime", typeDateTime, []string{"2026-03-02T11:02:00+02:00"}},
		{categoryEnvironment, environment + "current-time", typeString, []string{"11:02:00"}},
		{categoryEnvironment, environment + "current-date", typeString, []string{"2026/03/02"}},
		{categoryEnvironment, environment + "environment-id", typeString, []string{"carbon.super"}},
		{"urn:other", "urn:anteroom:user:id", typeString, nil},
	}
	v := &vocabulary{request: someone(), options: Options{WSO2: true}}
	for _, tt := range tests {
		d := &designator{attribute: rules.Attribute{Category: tt.category, ID: tt.id, Type: tt.typ.id()}, typ: tt.typ}
		bag, status := v.values(d)
		var got []string
		for _, x := range bag {
			got = append(got, x.text())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || status != nil {
			t.Errorf("%s %s (-want +got):\n%s", tt.id, tt.typ.short(), diff)
		}
		d.attribute.Issuer = "someone else"
		if bag, _ := v.values(d); bag != nil {
			t.Errorf("%s of an issuer = %v", tt.id, bag)
		}
	}
}

// TestVocabularyOfNobody holds that what is not known is no value at all.
func TestVocabularyOfNobody(t *testing.T) {
	v := &vocabulary{request: &rules.Request{}}
	for _, id := range []string{"urn:anteroom:user:id", categoryUser + "/username", wso2Claims + "emailaddress", wso2Claims + "roles", wso2Claims + "groups"} {
		if bag, _ := v.user(id); len(bag) != 0 {
			t.Errorf("%s = %v", id, bag)
		}
	}
	if bag, _ := circumstance(v.request, "urn:anteroom:request:ip"); bag != nil {
		t.Errorf("ip = %v", bag)
	}
	if bag, known := now(&designator{attribute: rules.Attribute{ID: environment + "current-time"}, typ: typeTime}, time.Time{}); bag != nil || !known {
		t.Errorf("the time = %v, known %t", bag, known)
	}
}

func TestRolesTwiceOnlyForWSO2(t *testing.T) {
	r := someone()
	bag, _ := (&vocabulary{request: r}).user(wso2Claims + "roles")
	if len(bag) != 1 || bag[0].str != "admin" {
		t.Errorf("roles = %v", bag)
	}
}

// exploding is a condition that panics.
type exploding struct{}

func (exploding) kind() kind                               { return one(typeBoolean) }
func (exploding) eval(*evaluation) (result, *rules.Status) { panic("boom") }

// TestPanicIsNoDecision holds that a mistake in the engine refuses, in a condition
// and elsewhere.
func TestPanicIsNoDecision(t *testing.T) {
	for name, spoil := range map[string]func(*policy){
		"a rule that is none": func(p *policy) { p.children = append(p.children, nil) },
		"a condition":         func(p *policy) { p.children[0].(*rule).condition = exploding{} },
	} {
		set := mustCompile(t, policyOf("permit-unless-deny", "<Target/>"+ruleWhen("r", "Permit", yes)))
		spoil(set.root)
		got := set.Decide(someone())
		if got.Decision != rules.IndeterminateDP || !strings.Contains(got.Status.Message, "internal error") {
			t.Errorf("%s: %v, %+v", name, got.Decision, got.Status)
		}
		if x := set.Explain(someone(), nil); x.Result.Decision != rules.IndeterminateDP || x.Policy != nil {
			t.Errorf("%s, explained: %+v", name, x)
		}
	}
}
