package scim2_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestLookupChecksTheAnswer(t *testing.T) {
	cases := []struct {
		name, key, value, body string
		want                   []string
	}{
		{"none", "externalId", "u1", list(0), nil},
		{"Resources absent", "externalId", "u1", `{"totalResults":0}`, nil},
		{"Resources null", "externalId", "u1", `{"totalResults":0,"Resources":null}`, nil},
		{"one", "externalId", "u1", list(1, user("1", "ada", `"externalId":"u1"`)), []string{"1"}},
		{"member names in another case", "externalId", "u1", `{"TOTALRESULTS":1,"resources":[{"ID":"1","EXTERNALID":"u1"}]}`, []string{"1"}},
		{"externalId in another case", "externalId", "u1", list(1, user("1", "ada", `"externalId":"U1"`)), nil},
		{"userName in another case", "userName", "ada", list(1, user("1", "ADA")), []string{"1"}},
		{"two", "userName", "ada", list(2, user("1", "ada"), user("2", "ADA")), []string{"1", "2"}},
		{"somebody else", "userName", "ada", list(1, user("9", "eve")), nil},
		{"value of another type", "externalId", "7", list(1, user("1", "ada", `"externalId":7`)), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t).answer("GET /Users", answer{200, nil, c.body})
			wantFound(t, f.open("auto"), c.key, c.value, c.want...)
			if n := len(f.lines()); n != 1 {
				t.Errorf("%d requests, want 1: %v", n, f.lines())
			}
		})
	}
}

func TestLookupAsks(t *testing.T) {
	f := newFake(t).answer("GET /Users", answer{200, nil, list(0)})
	target := f.open("auto")
	wantFound(t, target, "externalId", `a"b\c&d=é`)
	wantFound(t, target, "userName", "Ada")
	want := []string{
		`GET /Users?filter=externalId+eq+%22a%5C%22b%5C%5Cc%26d%3D%C3%A9%22`,
		`GET /Users?filter=userName+eq+%22Ada%22`,
		`GET /Users?filter=userName+eq+%22ada%22`,
	}
	if diff := cmp.Diff(want, f.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestLookupReadsOnWhenTheFilterIsIgnored has the account on the last page.
func TestLookupReadsOnWhenTheFilterIsIgnored(t *testing.T) {
	f := newFake(t)
	f.answer("GET /Users", answer{200, nil, list(3, user("1", "eve"), user("2", "bob"))})
	f.answer("GET /Users", answer{200, nil, list(3, user("3", "ada"))})
	wantFound(t, f.open("auto"), "userName", "ada", "3")
	if got := f.last().line; !strings.Contains(got, "startIndex=3") {
		t.Errorf("last request %s, want startIndex=3", got)
	}
}

// TestLookupNeverTakesDoubtForAbsence: each of these hides whether the account
// exists.
func TestLookupNeverTakesDoubtForAbsence(t *testing.T) {
	cases := []struct {
		name   string
		answer answer
		kind   sdk.Kind
		field  string
	}{
		{"filter refused", answer{400, nil, scimError("invalidFilter", "externalId cannot be filtered")}, sdk.KindUnsupported, "externalId"},
		{"filters not implemented", answer{501, nil, ""}, sdk.KindUnsupported, "externalId"},
		{"bad request", answer{400, nil, scimError("invalidValue", "Cannot convert undefined")}, sdk.KindInvalid, ""},
		{"no endpoint", answer{404, nil, scimError("", "not found")}, sdk.KindInvalid, "base_url"},
		{"gone endpoint", answer{410, nil, ""}, sdk.KindInvalid, "base_url"},
		{"page", answer{200, nil, "<html>sign in</html>"}, sdk.KindTransient, ""},
		{"empty object", answer{200, nil, "{}"}, sdk.KindTransient, ""},
		{"empty body", answer{200, nil, ""}, sdk.KindTransient, ""},
		{"array", answer{200, nil, "[]"}, sdk.KindTransient, ""},
		{"elements of another type", answer{200, nil, `{"totalResults":1,"Resources":[7]}`}, sdk.KindTransient, ""},
		{"huge", answer{200, nil, list(0) + strings.Repeat(" ", 2<<20)}, sdk.KindTransient, ""},
		{"counted but not shown", answer{200, nil, list(4)}, sdk.KindUnsupported, ""},
		{"filter and paging ignored", answer{200, nil, list(4, user("1", "eve"), user("2", "bob"))}, sdk.KindUnsupported, ""},
		{"match without id", answer{200, nil, `{"totalResults":1,"Resources":[{"externalId":"u1"}]}`}, sdk.KindUnsupported, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t).answer("GET /Users", c.answer)
			found, err := f.open("auto").Lookup(t.Context(), sdk.LookupRequest{Key: "externalId", Value: "u1"})
			wantKind(t, err, c.kind, sdk.EffectNone)
			if got := sdk.AsError(err).Field; got != c.field || found != nil {
				t.Errorf("field %q, found %v; want field %q", got, found, c.field)
			}
		})
	}
}

func TestLookupRefusesBadRequests(t *testing.T) {
	f := newFake(t)
	for _, req := range []sdk.LookupRequest{{Key: "email", Value: "x"}, {Key: "userName"}, {Key: "userName", Value: "a\xff"}} {
		_, err := f.open("auto").Lookup(t.Context(), req)
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
		if got := sdk.AsError(err).Field; got != req.Key {
			t.Errorf("field %q, want %q", got, req.Key)
		}
	}
}

// TestListEnds reads lists of servers that count or page in their own way.
func TestListEnds(t *testing.T) {
	page := func(total int, ids ...string) answer {
		var users []string
		for _, id := range ids {
			users = append(users, user(id, "u"+id))
		}
		return answer{200, nil, list(total, users...)}
	}
	untold := func(ids string) answer {
		return answer{200, nil, strings.Replace(page(7, strings.Split(ids, " ")...).body, `"totalResults":7,`, "", 1)}
	}
	cases := []struct {
		name     string
		pages    []answer
		want     string
		kind     sdk.Kind // "" for a complete list
		requests int
	}{
		{"empty", []answer{page(0)}, "", "", 1},
		{"one page", []answer{page(2, "1", "2")}, "1 2", "", 1},
		{"pages", []answer{page(3, "1", "2"), page(3, "3")}, "1 2 3", "", 2},
		{"total untold, empty page", []answer{untold("1 2"), untold("3"), {200, nil, `{"Resources":[]}`}}, "1 2 3", "", 3},
		{"total untold, no paging", []answer{untold("1 2"), untold("1 2")}, "1 2", "", 2},
		{"total shrinks", []answer{page(4, "1", "2"), page(2)}, "1 2", "", 2},
		{"no paging", []answer{page(5, "1", "2")}, "1 2", sdk.KindUnsupported, 2},
		{"ends early", []answer{page(5, "1", "2"), page(5)}, "1 2", sdk.KindUnsupported, 2},
		{"user without id", []answer{{200, nil, list(2, user("1", "u"), `{"userName":"x"}`)}}, "1", sdk.KindUnsupported, 1},
		{"fails midway", []answer{page(3, "1"), {500, nil, ""}}, "1", sdk.KindTransient, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			for _, p := range c.pages {
				f.answer("GET /Users", p)
			}
			var ids []string
			var failures []error
			for account, err := range f.open("auto").List(t.Context(), sdk.ListRequest{}) {
				if err != nil {
					failures = append(failures, err)
					continue
				}
				ids = append(ids, account.ID)
			}
			if got := strings.Join(ids, " "); got != c.want || len(f.lines()) != c.requests {
				t.Errorf("accounts %q by %v, want %q by %d requests", got, f.lines(), c.want, c.requests)
			}
			if (c.kind == "") != (len(failures) == 0) || len(failures) > 1 {
				t.Fatalf("errors %v, want kind %q", failures, c.kind)
			}
			if len(failures) == 1 {
				wantKind(t, failures[0], c.kind, sdk.EffectNone)
			}
		})
	}
}

func TestListAsksForPages(t *testing.T) {
	for size, want := range map[int]int{0: 100, 7: 7, 5000: 200} {
		f := newFake(t).answer("GET /Users", answer{200, nil, list(9, user("1", "a"))})
		for range f.open("auto").List(t.Context(), sdk.ListRequest{PageSize: size}) {
			break // a caller may stop at any time
		}
		if got := f.lines(); len(got) != 1 || got[0] != fmt.Sprintf("GET /Users?count=%d&startIndex=1", want) {
			t.Errorf("size %d: %v", size, got)
		}
	}
}
