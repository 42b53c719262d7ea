package cel

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// FuzzCompile shows that any source is either refused, with places that are in it,
// or a set that decides.
func FuzzCompile(f *testing.F) {
	problems, err := os.ReadFile("testdata/problems.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(problems))
	f.Add("timezone: Asia/Colombo\ncombining: first-applicable\n" + one(typical))
	f.Add("rules: [{id: a, effect: deny, when: \"user.claims['x'] == ['y']\", obligations: [{id: o, values: {a: [b, c]}}]}]")
	f.Add("rules: &a\n- *a\n")
	f.Add("rules:\n  - id: a\n    effect: permit\n    when: >-\n      true\n\n      && false\n")
	f.Fuzz(func(t *testing.T, source string) {
		s, err := Compile(source)
		if err == nil {
			decides(t, s, ada())
			return
		}
		var all rules.Problems
		if !errors.As(err, &all) || len(all) == 0 || s != nil {
			t.Fatalf("Compile = %v, %T %v", s, err, err)
		}
		lines := strings.Split(strings.ReplaceAll(source, "\r\n", "\n"), "\n")
		for _, p := range all {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("no such place: %v", p)
			}
		}
	})
}

// decides fails unless a set decides, the same each time and in an explanation.
func decides(t *testing.T, s *Set, r *rules.Request) {
	t.Helper()
	got := s.Decide(r)
	if got.Decision.Indeterminate() == (got.Status.Code == rules.StatusOK) {
		t.Errorf("%s with status %+v", got.Decision, got.Status)
	}
	x := s.Explain(r, nil)
	if x.Result.Decision != got.Decision || x.Result.Status.Code != got.Status.Code {
		t.Errorf("decided %+v, then %+v", got, x.Result)
	}
	_ = written(t, x)
	for _, a := range s.Uses() {
		if a.ID == "" || a.Category == "" {
			t.Errorf("uses %+v", a)
		}
	}
}

// FuzzDecide evaluates any condition for any user.
func FuzzDecide(f *testing.F) {
	f.Add(typical, "ada@example.com", "Engineering", "10.1.2.3", int64(1764066600))
	f.Add("user.claims[user.email] == [user.name] || user.groups[0].split(user.email).join(user.name) == ''", "", "a,b", "::1", int64(0))
	f.Add("env.between(user.email, user.name) || request.ip.in_network(user.email)", "09:00", "x", "", int64(-1))
	f.Add("env.now + duration(user.email) > env.now && user.email.matches(user.name)", "1h", "(", "", int64(1<<40))
	f.Add("{user.email: 1}[user.name] == 1 ? user.active : !user.active", "x", "y", "", int64(1))
	f.Add("user.groups.sort().distinct().exists_one(g, g == user.email)", "x", "y", "", int64(1))
	f.Fuzz(func(t *testing.T, expr, email, group, ip string, now int64) {
		s, err := Compile("rules: [{id: a, effect: permit, when: " + strconv.Quote(expr) + "}]")
		if err != nil {
			return
		}
		r := ada()
		r.User.Email, r.User.Name, r.User.Groups = email, group, []string{group, email}
		r.User.Claims = map[string][]string{email: {group}}
		r.IP, _ = netip.ParseAddr(ip)
		r.Now = time.Unix(now, 0)
		decides(t, s, r)
		const secret = "zq8Wm"
		if strings.Contains(expr, secret) {
			return
		}
		r.User.Email, r.User.Name, r.User.Groups = secret+email, secret, []string{secret}
		r.User.Claims = map[string][]string{"claim": {secret}}
		if all := written(t, s.Explain(r, func(rules.Attribute) bool { return true })); strings.Contains(all, secret) {
			t.Errorf("a hidden value is shown: %s", all)
		}
	})
}

// FuzzAlign writes a text in each style of YAML and looks its characters up.
func FuzzAlign(f *testing.F) {
	f.Add("user.email == 'ä' && x", uint8(0))
	f.Add("a 'b' c", uint8(1))
	f.Add("a\n  b\nc", uint8(2))
	f.Fuzz(func(t *testing.T, text string, style uint8) {
		if text == "" || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(c rune) bool { return c != '\n' && !strconv.IsPrint(c) }) {
			return
		}
		var head, written string
		switch style % 3 {
		case 0:
			head, written = "when: ", strconv.Quote(text)
		case 1:
			if strings.Contains(text, "\n") {
				return
			}
			head, written = "when: ", "'"+strings.ReplaceAll(text, "'", "''")+"'"
		default:
			head, written = "when: |-\n", "  "+strings.ReplaceAll(text, "\n", "\n  ")
		}
		src := head + written
		places := align(src, len(head), text)
		last := len(head)
		for i, c := range []rune(text) {
			at := places[i]
			if at < last {
				t.Fatalf("character %d of %q is at %d, before %d", i, text, at, last)
			}
			last = at
			if c > ' ' && c != '\\' && c != '"' && c < 0x7f && src[at] != byte(c) {
				t.Fatalf("character %d of %q, %q, is at %d of %q, a %q", i, text, c, at, src, src[at])
			}
		}
	})
}
