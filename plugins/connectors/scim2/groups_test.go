package scim2_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
)

func group(id, name string, members ...string) string {
	var list []string
	for _, m := range members {
		list = append(list, fmt.Sprintf(`{"value":%q}`, m))
	}
	return fmt.Sprintf(`{"id":%q,"displayName":%q,"members":[%s]}`, id, name, strings.Join(list, ","))
}

// patched returns the group PATCHes as "path op path-or-value".
func (f *fake) patched() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.got {
		if path, ok := strings.CutPrefix(r.line, "PATCH /Groups/"); ok {
			op := r.body["Operations"].([]any)[0].(map[string]any)
			out = append(out, fmt.Sprint(path, " ", op["op"], " ", op["path"], " ", op["value"]))
		}
	}
	slices.Sort(out)
	return out
}

func setGroups(target *scim2.Target, t *testing.T, groups ...string) error {
	return target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: "1", Groups: groups})
}

// What differs is sent, however the server tells who is where.
func TestSetGroupsSendsWhatDiffers(t *testing.T) {
	all := list(3, group("10", "staff", "1", "2"), group("11", "admins", "2"), group("12", "old", "1"))
	cases := map[string]struct {
		dialect string
		user    string
		groups  map[string]string // answers by filter, "" without one
	}{
		"the groups are read": {"standard", user("1", "ada"), map[string]string{"": all}},
		"the user tells": {"standard", user("1", "ada", `"groups":[{"value":"10"},{"value":"12","type":"direct"},{"value":"9","type":"indirect"}]`), map[string]string{
			`displayName eq "staff"`: list(1, group("10", "Staff")), `displayName eq "admins"`: list(1, group("11", "admins")),
		}},
		"a filter tells": {"aws", user("1", "ada"), map[string]string{
			`members eq "1"`: list(2, group("10", "staff"), group("12", "old")), `displayName eq "staff"`: list(1, group("10", "staff")),
			`displayName eq "admins"`: list(1, group("11", "admins")),
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newFake(t)
			s.answer("GET /Users/1", answer{200, nil, c.user})
			for filter, body := range c.groups {
				s.answerFilter("GET /Groups", filter, answer{200, nil, body})
			}
			for _, id := range []string{"11", "12"} {
				s.answer("PATCH /Groups/"+id, answer{204, nil, ""})
			}
			if err := setGroups(open(t, scim2.Config{BaseURL: s.URL, Dialect: c.dialect}), t, "staff", "admins"); err != nil {
				t.Fatal(err)
			}
			want := []string{`11 add members [map[value:1]]`, `12 remove members[value eq "1"] <nil>`}
			if diff := cmp.Diff(want, s.patched()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// answerFilter queues an answer for one filter.
func (f *fake) answerFilter(line, filter string, a answer) {
	if filter != "" {
		line += "?" + url.Values{"filter": {filter}}.Encode()
	}
	f.answer(line, a)
}

func TestSetGroupsFails(t *testing.T) {
	known := list(2, group("10", "staff"), group("11", "admins"))
	cases := map[string]struct {
		user, groups answer
		patches      map[string]answer
		kind         sdk.Kind
		effect       sdk.Effect
	}{
		"no such user":  {answer{404, nil, ""}, answer{}, nil, sdk.KindNotFound, sdk.EffectNone},
		"no such group": {answer{200, nil, user("1", "a")}, answer{200, nil, list(0)}, nil, sdk.KindInvalid, sdk.EffectNone},
		"two of a name": {answer{200, nil, user("1", "a")}, answer{200, nil, list(2, group("1", "staff"), group("2", "Staff"))}, nil, sdk.KindAmbiguous, sdk.EffectNone},
		"no groups":     {answer{200, nil, user("1", "a")}, answer{404, nil, ""}, nil, sdk.KindUnsupported, sdk.EffectNone},
		"repeats":       {answer{200, nil, user("1", "a")}, answer{200, nil, list(5, group("10", "staff"))}, nil, sdk.KindUnsupported, sdk.EffectNone},
		"forbidden":     {answer{200, nil, user("1", "a")}, answer{200, nil, known}, map[string]answer{"10": {403, nil, ""}, "11": {403, nil, ""}}, sdk.KindForbidden, sdk.EffectNone},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t).answer("GET /Users/1", c.user)
			if c.groups.status != 0 {
				f.answer("GET /Groups", c.groups)
			}
			for id, a := range c.patches {
				f.answer("PATCH /Groups/"+id, a)
			}
			err := setGroups(f.open("auto"), t, "staff", "admins")
			wantKind(t, err, c.kind, c.effect)
		})
	}
}

// A change that stops half-way has not "changed nothing".
func TestSetGroupsHalfWay(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, user("1", "a")})
	f.answer("GET /Groups", answer{200, nil, list(2, group("10", "staff"), group("11", "old", "1"))})
	f.answer("PATCH /Groups/10", answer{204, nil, ""}).answer("PATCH /Groups/11", answer{403, nil, ""})
	wantKind(t, setGroups(f.open("auto"), t, "staff"), sdk.KindForbidden, sdk.EffectUnknown)
}

// Somebody else was faster: who is to leave is gone already.
func TestLeavingWhatWasLeft(t *testing.T) {
	for _, a := range []answer{{400, nil, scimError("noTarget", "")}, {404, nil, ""}} {
		f := newFake(t).answer("GET /Users/1", answer{200, nil, user("1", "a")})
		f.answer("GET /Groups", answer{200, nil, list(1, group("11", "old", "1"))}).answer("PATCH /Groups/11", a)
		if err := setGroups(f.open("auto"), t); err != nil {
			t.Error(err)
		}
	}
}
