package user

import (
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestWeakPasswords(t *testing.T) {
	u := User{Login: "ada.lovelace", Email: "ada.l@example.com", GivenName: "Ada", FamilyName: "Lovelace", Name: "Ada Lovelace"}
	for password, want := range map[string]Code{
		"Password2024!":             CodePasswordCommon,
		"P@ssw0rd123":               CodePasswordCommon,
		"4dm1n1strat0r":             CodePasswordCommon,
		"!!Welcome1!!":              CodePasswordCommon,
		"1q2w3e4r5t":                CodePasswordCommon,
		"qwertyuiop":                CodePasswordCommon,
		"poiuytrewq":                CodePasswordCommon,
		"ABCDEFGHIJKL":              CodePasswordCommon,
		"9876543210":                CodePasswordCommon,
		"1234567890123":             CodePasswordCommon,
		"aaaaaaaaaaaa":              CodePasswordCommon,
		"ababababab":                CodePasswordCommon,
		"xk4mxk4mxk4m":              CodePasswordCommon,
		"trustno1trustno1":          CodePasswordCommon,
		"iloveyou12":                CodePasswordCommon,
		"Summer2026!":               CodePasswordCommon,
		"Ada Lovelace 1":            CodePasswordPersonal,
		"lovelace.ada":              CodePasswordPersonal,
		"AdaLovelace99!":            CodePasswordPersonal,
		"ada.l@example.com":         CodePasswordPersonal,
		"correct horse staple":      "",
		"canada is a big land":      "",
		"dragon 84 river 17 cloud":  "",
		"Lovelace wrote programs":   "",
		"tr0ub4dor&3xyz":            "",
		"Blümchen auf der Wiese":    "",
		"правильная лошадь":         "",
		"vKq83hd-2mxP":              "",
		"unwahrscheinlich1815gross": "",
	} {
		var got Code
		if problems := passwordProblems(u, sdk.Secret(password)); len(problems) > 0 {
			got = problems[0].Code
		}
		if got != want {
			t.Errorf("%s: %q, want %q", password, got, want)
		}
	}
}

// The search needs the order, and every entry must be one that can be typed.
func TestListsAreSorted(t *testing.T) {
	for name, lines := range map[string]string{"passwords": commonPasswords, "words": commonWords} {
		all := strings.Split(strings.TrimSuffix(lines, "\n"), "\n")
		if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || len(all) < 10000 {
			t.Errorf("%s: %d lines, not sorted or not unique", name, len(all))
		}
		for _, i := range []int{0, 1, len(all) / 2, len(all) - 1} {
			if !listed(lines, all[i]) {
				t.Errorf("%s: %s is not found", name, all[i])
			}
		}
		if listed(lines, all[0]+"\n"+all[1]) || listed(lines, "") || listed(lines, "\xff\xff") || listed(lines, all[5][:len(all[5])-1]+"\x00") {
			t.Errorf("%s: found what is not there", name)
		}
	}
}

func FuzzPasswordProblems(f *testing.F) {
	f.Add("ada", "Password1!")
	f.Add("\xff", "a\u0308\u0308\u0308\u0308\u0308aaaa")
	f.Fuzz(func(t *testing.T, login, password string) {
		problems := passwordProblems(User{Login: login}, sdk.Secret(password))
		if len(problems) == 0 && len(password) < MinPasswordChars {
			t.Errorf("%q is accepted", password)
		}
	})
}

func BenchmarkPasswordProblems(b *testing.B) {
	for b.Loop() {
		passwordProblems(User{Login: "ada", Name: "Ada Lovelace"}, "dragon 84 river 17 cloud")
	}
}
