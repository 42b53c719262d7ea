package mapping_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

func declared() []sdk.Attribute {
	return []sdk.Attribute{
		{Name: "externalId", Type: sdk.AttributeString, Owner: true, Source: "user.id"},
		{Name: "userName", Type: sdk.AttributeString, Required: true, Source: "user.login"},
		{Name: "emails", Type: sdk.AttributeString, MultiValued: true, Source: "user.email"},
		{Name: "verified", Type: sdk.AttributeBool, Source: "user.email_verified"},
		{Name: "level", Type: sdk.AttributeNumber},
		{Name: "groups", Type: sdk.AttributeString, MultiValued: true},
		{Name: "extra", Type: sdk.AttributeObject},
		{Name: "title", Type: sdk.AttributeString},
	}
}

func ann() mapping.Profile {
	return mapping.Profile{
		ID: "u1", Login: "ann", Email: "ann@example.com", EmailVerified: true, GivenName: "Ann", FamilyName: "Lee", Name: "Ann Lee",
		Locale: "de", PhoneNumber: "+49 1", Active: true, Groups: []string{"staff", "it"},
		Claims: map[string][]string{"level": {"7"}, "title": {"Dr.", "Prof."}, "boss": {"true"}, "none": {""}},
	}
}

func apply(t *testing.T, rules []mapping.Rule, p mapping.Profile) (sdk.Attributes, error) {
	t.Helper()
	m, err := mapping.Compile(rules, nil, declared())
	if err != nil {
		t.Fatal(err)
	}
	return m.Apply(p, mapping.ForCreate)
}

func TestDefaults(t *testing.T) {
	got, err := apply(t, nil, ann())
	want := sdk.Attributes{"externalId": "u1", "userName": "ann", "emails": []any{"ann@example.com"}, "verified": true}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("attributes (-want +got):\n%s (%v)", diff, err)
	}
}

func TestRules(t *testing.T) {
	login := mapping.Rule{Attribute: "userName", Source: "user.login"}
	tests := []struct {
		name string
		rule mapping.Rule
		want any
	}{
		{"given name", mapping.Rule{Attribute: "title", Source: "user.given_name"}, "Ann"},
		{"family name", mapping.Rule{Attribute: "title", Source: "user.family_name"}, "Lee"},
		{"name", mapping.Rule{Attribute: "title", Source: "user.name"}, "Ann Lee"},
		{"locale", mapping.Rule{Attribute: "title", Source: "user.locale"}, "de"},
		{"phone", mapping.Rule{Attribute: "title", Source: "user.phone_number"}, "+49 1"},
		{"active", mapping.Rule{Attribute: "verified", Source: "user.active"}, true},
		{"groups", mapping.Rule{Attribute: "groups", Source: "user.groups"}, []any{"staff", "it"}},
		{"claim, first value", mapping.Rule{Attribute: "title", Source: "claims.title"}, "Dr."},
		{"claim, long form", mapping.Rule{Attribute: "title", Source: "user.claims.title"}, "Dr."},
		{"claim, all values", mapping.Rule{Attribute: "groups", Source: "claims.title"}, []any{"Dr.", "Prof."}},
		{"claim, number", mapping.Rule{Attribute: "level", Source: "claims.level"}, 7.0},
		{"claim, boolean", mapping.Rule{Attribute: "verified", Source: "claims.boss"}, true},
		{"claim, empty", mapping.Rule{Attribute: "title", Source: "claims.none"}, nil},
		{"claim, unknown", mapping.Rule{Attribute: "groups", Source: "claims.unknown"}, nil},
		{"constant", mapping.Rule{Attribute: "title", Constant: "staff"}, "staff"},
		{"constant integer", mapping.Rule{Attribute: "level", Constant: 3}, 3.0},
		{"constant false", mapping.Rule{Attribute: "verified", Constant: false}, false},
		{"constant for a list", mapping.Rule{Attribute: "groups", Constant: "all"}, []any{"all"}},
		{"constant list", mapping.Rule{Attribute: "groups", Constant: []any{"a", "b"}}, []any{"a", "b"}},
		{"constant object", mapping.Rule{Attribute: "extra", Constant: map[string]any{"a": "b"}}, map[string]any{"a": "b"}},
	}
	for _, tt := range tests {
		got, err := apply(t, []mapping.Rule{login, tt.rule}, ann())
		if diff := cmp.Diff(tt.want, got[tt.rule.Attribute]); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s (%v)", tt.name, diff, err)
		}
		if got["externalId"] != "u1" {
			t.Errorf("%s: the owner attribute is %v, want the user's id", tt.name, got["externalId"])
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	login := mapping.Rule{Attribute: "userName", Source: "user.login"}
	tests := []struct {
		name      string
		rules     []mapping.Rule
		attribute string
		message   string
	}{
		{"unknown attribute", []mapping.Rule{login, {Attribute: "nope", Source: "user.login"}}, "nope", "no such attribute"},
		{"unknown source", []mapping.Rule{login, {Attribute: "title", Source: "user.password"}}, "title", "unknown source"},
		{"claim without a name", []mapping.Rule{login, {Attribute: "title", Source: "claims."}}, "title", "unknown source"},
		{"required unmapped", []mapping.Rule{{Attribute: "title", Source: "user.name"}}, "userName", "requires"},
		{"empty is not nil", []mapping.Rule{}, "userName", "requires"},
		{"mapped twice", []mapping.Rule{login, login}, "userName", "twice"},
		{"both", []mapping.Rule{login, {Attribute: "title", Source: "user.name", Constant: "x"}}, "title", "both"},
		{"neither", []mapping.Rule{login, {Attribute: "title"}}, "title", "give one of"},
		{"wrong type", []mapping.Rule{login, {Attribute: "level", Source: "user.name"}}, "level", "is a string, the attribute a number"},
		{"list for one", []mapping.Rule{login, {Attribute: "title", Source: "user.groups"}}, "title", "several values"},
		{"claim for an object", []mapping.Rule{login, {Attribute: "extra", Source: "claims.a"}}, "extra", "cannot fill an object"},
		{"constant of wrong type", []mapping.Rule{login, {Attribute: "level", Constant: "x"}}, "level", "not a number"},
		{"constant list for one", []mapping.Rule{login, {Attribute: "title", Constant: []any{"x"}}}, "title", "one value"},
		{"constant that is no number", []mapping.Rule{login, {Attribute: "level", Constant: math.NaN()}}, "level", "not a number"},
		{"owner from elsewhere", []mapping.Rule{login, {Attribute: "externalId", Source: "user.login"}}, "externalId", "must take user.id"},
		{"owner constant", []mapping.Rule{login, {Attribute: "externalId", Constant: "x"}}, "externalId", "must take user.id"},
	}
	for _, tt := range tests {
		_, err := mapping.Compile(tt.rules, nil, declared())
		var p *mapping.Problem
		if !errors.As(err, &p) || p.Attribute != tt.attribute || !strings.Contains(p.Message, tt.message) {
			t.Errorf("%s: %v, want a problem of %s that says %q", tt.name, err, tt.attribute, tt.message)
		}
	}
}

func TestCompileReportsEveryProblem(t *testing.T) {
	_, err := mapping.Compile([]mapping.Rule{{Attribute: "nope", Source: "x"}, {Attribute: "title", Source: "x"}}, nil, declared())
	for _, want := range []string{"nope", "title", "userName"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	level := mapping.Rule{Attribute: "level", Source: "claims.level"}
	tests := []struct {
		name  string
		rules []mapping.Rule
		edit  func(*mapping.Profile)
		field string
	}{
		{"required is empty", nil, func(p *mapping.Profile) { p.Login = "" }, "userName"},
		{"claim is no number", []mapping.Rule{{Attribute: "userName", Source: "user.login"}, level}, func(p *mapping.Profile) { p.Claims["level"] = []string{"high"} }, "level"},
		{"claim is infinite", []mapping.Rule{{Attribute: "userName", Source: "user.login"}, level}, func(p *mapping.Profile) { p.Claims["level"] = []string{"inf"} }, "level"},
	}
	for _, tt := range tests {
		p := ann()
		tt.edit(&p)
		_, err := apply(t, tt.rules, p)
		if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindInvalid || e.Field != tt.field || e.Effect != sdk.EffectNone {
			t.Errorf("%s: %v, want invalid %s", tt.name, err, tt.field)
		}
	}
}

// Whatever the rules and claims, what comes out has the declared types.
func FuzzApply(f *testing.F) {
	f.Add("title", "claims.x", "v", "")
	f.Add("level", "user.claims.x", "1e3", "")
	f.Add("verified", "", "", "c")
	f.Add("groups", "user.groups", "", "")
	f.Fuzz(func(t *testing.T, attribute, source, claim, constant string) {
		rule := mapping.Rule{Attribute: attribute, Source: source}
		if constant != "" {
			rule.Constant = constant
		}
		m, err := mapping.Compile([]mapping.Rule{{Attribute: "userName", Source: "user.login"}, rule}, nil, declared())
		if err != nil {
			return
		}
		got, err := m.Apply(mapping.Profile{ID: "u", Login: "l", Groups: []string{claim}, Claims: map[string][]string{"x": {claim}}}, mapping.ForCreate)
		if err != nil {
			if sdk.KindOf(err) != sdk.KindInvalid || sdk.AsError(err).Field == "" {
				t.Fatalf("error %v names no field", err)
			}
			return
		}
		for _, a := range declared() {
			if v := got[a.Name]; v != nil && !fits(v, a) {
				t.Errorf("%s = %#v, not a %s (multi-valued %v)", a.Name, v, a.Type, a.MultiValued)
			}
		}
	})
}

func fits(v any, a sdk.Attribute) bool {
	if a.MultiValued {
		list, ok := v.([]any)
		one := a
		one.MultiValued = false
		for _, e := range list {
			ok = ok && fits(e, one)
		}
		return ok
	}
	switch v := v.(type) {
	case string:
		return a.Type == sdk.AttributeString && v != ""
	case bool:
		return a.Type == sdk.AttributeBool
	case float64:
		return a.Type == sdk.AttributeNumber && !math.IsNaN(v) && !math.IsInf(v, 0)
	default:
		return a.Type == sdk.AttributeObject
	}
}
