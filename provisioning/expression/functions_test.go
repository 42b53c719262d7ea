package expression_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"github.com/anteroom-id/anteroom/provisioning/expression"
)

func environment(t testing.TB) *cel.Env {
	t.Helper()
	env, err := expression.New(cel.Variable("s", cel.StringType), cel.Variable("t", cel.MapType(cel.StringType, cel.StringType)))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// eval returns the value, or why there is none: when compiled, or when evaluated.
func eval(t testing.TB, text, s string) (value any, refused string, failure expression.Failure) {
	t.Helper()
	env := environment(t)
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, issues.Err().Error(), ""
	}
	p, err := expression.Plan(env, checked)
	if err != nil {
		return nil, err.Error(), ""
	}
	out, _, err := p.Eval(map[string]any{"s": s, "t": map[string]string{"a": "1"}})
	if err != nil {
		failure, _ := expression.Reason(err)
		return nil, "", failure
	}
	return out.Value(), "", ""
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		text, s string
		want    any
	}{
		{"s.lower()", "ÄB", "äb"},
		{"s.upper()", "äb", "ÄB"},
		{"s.left(2)", "äöü", "äö"},
		{"s.left(0)", "abc", ""},
		{"s.left(9)", "abc", "abc"},
		{"s.left(1)", "e\u0301a", "é"},
		{"s.right(2)", "äöü", "öü"},
		{"s.right(9)", "abc", "abc"},
		{"s.normalise()", "Müller", "Muller"},
		{"s.normalise('de')", "Mu\u0308ller-Übeß", "Mueller-Uebess"},
		{"s.slug()", "Ada Lovelace", "adalovelace"},
		{"s.trim().replace(' ', '.').slug()", " Ada Lovelace ", "ada.lovelace"},
		{"s.split('@')[0]", "ada@example.com", "ada"},
		{"[s, 'x'].join('-')", "a", "a-x"},
		{"t.get(s, 'none')", "a", "1"},
		{"t.get(s, 'none')", "b", "none"},
		{"t[?s].orValue('none')", "b", "none"},
	} {
		if got, refused, failure := eval(t, c.text, c.s); got != c.want {
			t.Errorf("%s of %q = %v %s %s, want %v", c.text, c.s, got, refused, failure, c.want)
		}
	}
}

func TestFunctionsRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"s.left(-1)":                      "number of characters",
		"s.right(-1)":                     "number of characters",
		"s.normalise('fr')":               `knows no language but "de"`,
		"s.left('1')":                     "no matching overload",
		"s.nope()":                        "undeclared reference",
		"dyn(s)":                          "undeclared reference",
		"now()":                           "undeclared reference",
		"t.map(a, t.map(b, t.map(c, a)))": "nesting",
		"[1,2,3,4,5,6,7,8].map(x, [1,2,3,4,5,6,7,8].map(y, s.replace('', s.replace('', s))))": "steps for one user",
		"s.normalise().normalise().normalise().normalise().normalise()":                       "steps for one user",
	} {
		if _, refused, _ := eval(t, text, "x"); !strings.Contains(refused, want) || (refused == "") != (want == "") {
			t.Errorf("%s is refused with %q, want %q", text, refused, want)
		}
	}
}

func TestReason(t *testing.T) {
	for text, want := range map[string]expression.Failure{
		"s.left(int(s))": expression.FailureCaller, "s.normalise(s)": expression.FailureCaller, "t[s]": expression.FailureNoKey,
		"s.split('x')[3]": expression.FailureShort, "int(s + 'x') > 0": expression.FailureOther,
	} {
		if _, refused, got := eval(t, text, "-1"); got != want {
			t.Errorf("%s fails with %q %s, want %q", text, got, refused, want)
		}
	}
}

// TestCost shows that what the estimate lets through is stopped when it runs.
func TestCost(t *testing.T) {
	env := environment(t)
	checked, issues := env.Compile("s.replace('', s).replace('', s).slug()")
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	p, err := expression.PlanUnchecked(env, checked)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Eval(map[string]any{"s": strings.Repeat("x", expression.MaxText)})
	if got, text := expression.Reason(err); got != expression.FailureCost {
		t.Errorf("failure = %s, %s", got, text)
	}
}

// TestGrowth holds what the costs of functions assume of their results.
func TestGrowth(t *testing.T) {
	times := map[string]int{"lower": 1, "upper": 1, "normalise": 18, "slug": 8}
	functions := map[string]func(string) string{"slug": expression.Slug, "normalise": expression.Normalise, "upper": strings.ToUpper, "lower": strings.ToLower}
	for c := range rune(0x30000) { // there are no letters beyond
		for name, f := range functions {
			if got := f(string(c)); utf8.RuneCountInString(got) > times[name] {
				t.Errorf("%s makes %q of %U", name, got, c)
			}
		}
	}
}
