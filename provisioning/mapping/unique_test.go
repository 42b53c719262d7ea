package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

func unique(attribute string, candidates ...string) mapping.Rule {
	return mapping.Rule{Attribute: attribute, Unique: &mapping.Unique{Candidates: candidates}}
}

func suffix(start, end int) mapping.Rule {
	r := unique("title", "user.login")
	r.Unique.Suffix = &mapping.Suffix{Start: start, Max: end}
	return r
}

func TestCandidates(t *testing.T) {
	short := &mapping.Suffix{Start: 2, Max: 4}
	for _, tt := range []struct {
		name       string
		candidates []string
		suffix     *mapping.Suffix
		omit       bool
		want       []string
		err        string
	}{
		{"one", []string{"user.login"}, nil, false, []string{"ann"}, ""},
		{"suffixes are the last one's", []string{"user.login", "user.family_name.slug()"}, short, false, []string{"ann", "lee", "lee2", "lee3", "lee4"}, ""},
		{"before the @", []string{"user.login + '@x.org'"}, short, false, []string{"ann@x.org", "ann2@x.org", "ann3@x.org", "ann4@x.org"}, ""},
		{"without a value", []string{"user.login", "''"}, short, false, []string{"ann", "ann2", "ann3", "ann4"}, ""},
		{"folded alike", []string{"user.login", "user.given_name", "user.login + '3'"}, &mapping.Suffix{Start: 3, Max: 4}, false, []string{"ann", "ann3", "ann33", "ann34"}, ""},
		{"one fails", []string{"user.claims['nope'][0]", "user.login"}, nil, false, nil, "candidates[0]: the expression fails for this user at 1:1: there is no such key"},
		{"one fails and is passed over", []string{"user.claims['nope'][0]", "user.login"}, nil, true, []string{"ann"}, ""},
		{"none", []string{"user.claims[?'nope'][?0]"}, short, false, nil, "no candidate gives a value"},
		{"too long", []string{"user.name + '" + strings.Repeat("x", 256) + "'"}, nil, false, nil, "more than 256 bytes"},
	} {
		rule := unique("userName", tt.candidates...)
		rule.Unique.Suffix = tt.suffix
		if tt.omit {
			rule.OnError = mapping.ErrorOmit
		}
		m, err := mapping.Compile([]mapping.Rule{rule}, nil, declared())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		all, err := m.Candidates("userName", ann())
		for _, c := range all {
			got = append(got, c.Value)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if e := sdk.AsError(err); (tt.err == "") != (e == nil) || e != nil && (e.Kind != sdk.KindInvalid || e.Field != "userName" || !strings.Contains(e.Message, tt.err)) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
	}
}

func TestCandidatesOfUnknownAttribute(t *testing.T) {
	m, err := mapping.Compile([]mapping.Rule{login()}, nil, declared())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Candidates("userName", ann()); err == nil {
		t.Error("a rule that is not unique has candidates")
	}
}
