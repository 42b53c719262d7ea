package ldap_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestResultCodes answers a create with every code of RFC 4511 and what real
// servers say with it.
func TestResultCodes(t *testing.T) {
	tests := []struct {
		code   uint16
		text   string
		kind   sdk.Kind
		effect sdk.Effect
		field  string
	}{
		{1, "", sdk.KindTransient, sdk.EffectNone, ""},
		{2, "", sdk.KindUnsupported, sdk.EffectNone, ""},
		{3, "", sdk.KindTransient, sdk.EffectNone, ""},
		{7, "", sdk.KindUnauthorized, sdk.EffectNone, ""},
		{8, "BindSimple: Transport encryption required.", sdk.KindUnauthorized, sdk.EffectNone, ""},
		{10, "", sdk.KindUnsupported, sdk.EffectNone, ""},
		{11, "", sdk.KindTransient, sdk.EffectNone, ""},
		{12, "", sdk.KindUnsupported, sdk.EffectNone, ""},
		{13, "confidentiality required", sdk.KindUnauthorized, sdk.EffectNone, ""},
		{16, "00000057: LdapErr", sdk.KindInvalid, sdk.EffectNone, ""},
		{17, "employeeNumber: attribute type undefined", sdk.KindInvalid, sdk.EffectNone, "owner"},
		{19, "non-unique attributes found with (|(mail=ada@example.com))", sdk.KindConflict, sdk.EffectNone, "mail"},
		{19, "000021C8: AtrErr: DSID-03200BBA, #1: userPrincipalName", sdk.KindConflict, sdk.EffectNone, ""},
		{19, "0000052D: Constraint violation - check_password_restrictions", sdk.KindInvalid, sdk.EffectNone, ""},
		{20, "", sdk.KindInvalid, sdk.EffectNone, ""},
		{21, "mail: value #0 invalid per syntax", sdk.KindInvalid, sdk.EffectNone, "mail"},
		{32, "", sdk.KindInvalid, sdk.EffectNone, "new_accounts_dn"},
		{34, "invalid DN", sdk.KindInvalid, sdk.EffectNone, ""},
		{48, "", sdk.KindUnauthorized, sdk.EffectNone, ""},
		{49, "", sdk.KindUnauthorized, sdk.EffectNone, ""},
		{50, "no write access to parent", sdk.KindForbidden, sdk.EffectNone, ""},
		{51, "", sdk.KindTransient, sdk.EffectNone, ""},
		{52, "", sdk.KindTransient, sdk.EffectNone, ""},
		{53, "0000001F: SvcErr: problem 5003 (WILL_NOT_PERFORM)", sdk.KindInvalid, sdk.EffectNone, ""},
		{54, "", sdk.KindUnsupported, sdk.EffectNone, ""},
		{64, "naming attribute 'uid' is not present in entry", sdk.KindInvalid, sdk.EffectNone, "login"},
		{65, "object class 'inetOrgPerson' requires attribute 'sn'", sdk.KindInvalid, sdk.EffectNone, "sn"},
		{67, "", sdk.KindInvalid, sdk.EffectNone, ""},
		{68, "00002071: samldb: samAccountName 'ada' already in use!", sdk.KindConflict, sdk.EffectNone, ""},
		{69, "", sdk.KindInvalid, sdk.EffectNone, ""},
		{71, "", sdk.KindUnsupported, sdk.EffectNone, ""},
		{80, "", sdk.KindTransient, sdk.EffectUnknown, ""},
		{123, "", sdk.KindTransient, sdk.EffectNone, ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d %.20s", test.code, test.text), func(t *testing.T) {
			f := startFake(t, &fake{answer: func(r request) { r.result(test.code, test.text) }})
			_, err := open(t, f.to()).Create(t.Context(), sdk.CreateRequest{Attributes: person("ada"), Active: true})
			wantKind(t, err, test.kind, test.effect, test.field)
			if n := f.seen(goldap.ApplicationAddRequest); n != 1 {
				t.Errorf("%d adds were sent, want 1", n)
			}
			for _, value := range []string{"ada@example.com", "'ada'", ldapservers.Password} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("the error repeats %q: %v", value, err)
				}
			}
		})
	}
}

// A bind that is refused stops at once: trying again locks accounts.
func TestBindRefused(t *testing.T) {
	for code, kind := range map[uint16]sdk.Kind{
		49: sdk.KindUnauthorized, 8: sdk.KindUnauthorized, 32: sdk.KindUnauthorized, 53: sdk.KindUnauthorized, 51: sdk.KindTransient,
	} {
		f := startFake(t, &fake{bind: code})
		target := open(t, f.to())
		_, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: "login", Value: "ada"})
		wantKind(t, err, kind, sdk.EffectNone, "")
		_, err = target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada"), Active: true})
		wantKind(t, err, kind, sdk.EffectNone, "")
		if n := f.seen(goldap.ApplicationBindRequest); n != 2 {
			t.Errorf("%d binds for two calls, want 2", n)
		}
	}
}

// TestReferrals has a directory point elsewhere: nothing may go there.
func TestReferrals(t *testing.T) {
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = elsewhere.Close() })
	visited := make(chan struct{})
	go func() {
		if _, err := elsewhere.Accept(); err == nil {
			close(visited)
		}
	}()
	other := "ldap://" + elsewhere.Addr().String() + "/dc=sub,dc=example,dc=com??sub"
	f := startFake(t, &fake{answer: func(r request) {
		if r.tag() == goldap.ApplicationSearchRequest {
			r.entry("uid=ada,"+ldapservers.People, someone(someID))
			r.reference(other)
			r.result(0, "")
			return
		}
		r.result(10, other)
	}})
	cfg := f.to()
	target := open(t, cfg)
	_, err = target.Lookup(t.Context(), sdk.LookupRequest{Key: "login", Value: "ada"})
	wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone, "base_dn")
	_, err = target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada"), Active: true})
	wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone, "")
	for _, err := range target.List(t.Context(), sdk.ListRequest{}) {
		wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone, "base_dn")
	}
	cfg.Referrals = "ignore"
	if found := lookup(t, open(t, cfg), "login", "ada"); len(found) != 1 {
		t.Errorf("found %v, want the account that is here", found)
	}
	select {
	case <-visited:
		t.Error("the other server was asked")
	default:
	}
}

// TestListEnds has directories that do not end, or end too early.
func TestListEnds(t *testing.T) {
	page := func(r request, n int, cookie string) {
		r.entry(fmt.Sprintf("uid=u%d,%s", n, ldapservers.People), someone(fmt.Sprintf("00000000-0000-0000-0000-%012d", n)))
		r.result(0, "", &goldap.ControlPaging{Cookie: []byte(cookie)})
	}
	tests := map[string]struct {
		answer func(request)
		want   int
		kind   sdk.Kind
	}{
		"two pages":                {func(r request) { page(r, r.n, []string{"more", ""}[r.n]) }, 2, ""},
		"one cookie for all":       {func(r request) { page(r, r.n, map[bool]string{true: "same"}[r.n < 3]) }, 4, ""},
		"no paging":                {func(r request) { r.entry("uid=u", someone(someID)); r.result(0, "") }, 1, ""},
		"an empty page between":    {func(r request) { emptyThen(r, page) }, 1, ""},
		"the same page for ever":   {func(r request) { page(r, 7, "more") }, 1, sdk.KindUnsupported},
		"empty pages for ever":     {func(r request) { r.result(0, "", &goldap.ControlPaging{Cookie: []byte("x")}) }, 0, sdk.KindUnsupported},
		"a limit of the server":    {func(r request) { r.entry("uid=u", someone(someID)); r.result(4, "") }, 0, sdk.KindUnsupported},
		"an entry without an id":   {func(r request) { r.entry("uid=u", map[string]string{"uid": "u"}); r.result(0, "") }, 0, sdk.KindUnsupported},
		"the base is not there":    {func(r request) { r.result(32, "") }, 0, sdk.KindInvalid},
		"the connection is cut":    {func(r request) { _ = r.conn.Close() }, 0, sdk.KindTransient},
		"something else than LDAP": {func(r request) { _, _ = r.conn.Write([]byte("<!doctype html>")); _ = r.conn.Close() }, 0, sdk.KindTransient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, &fake{answer: test.answer})
			got, kind := 0, sdk.Kind("")
			for _, err := range open(t, f.to()).List(t.Context(), sdk.ListRequest{PageSize: 1}) {
				if kind = sdk.KindOf(err); err == nil {
					got++
				}
			}
			if got != test.want || kind != test.kind {
				t.Errorf("%d accounts and kind %q, want %d and %q", got, kind, test.want, test.kind)
			}
		})
	}
}

func emptyThen(r request, page func(request, int, string)) {
	if r.n == 0 {
		r.result(0, "", &goldap.ControlPaging{Cookie: []byte("more")})
		return
	}
	page(r, 1, "")
}

// An entry that is renamed between being read and being changed is looked for
// again by its id: "no such entry" is not "no such account".
func TestEntryMovesWhileItIsChanged(t *testing.T) {
	for name, test := range map[string]struct {
		refused int // how many modifies find no entry
		kind    sdk.Kind
		reads   bool
	}{"once": {1, "", true}, "again and again": {9, sdk.KindTransient, true}, "it is gone": {1, sdk.KindNotFound, false}} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, &fake{answer: func(r request) {
				switch {
				case r.tag() == goldap.ApplicationSearchRequest && (r.n == 0 || test.reads):
					r.entry("uid=ada,"+ldapservers.People, someone(someID))
					r.result(0, "")
				case r.tag() == goldap.ApplicationModifyRequest && r.n < test.refused:
					r.result(32, "")
				default:
					r.result(0, "")
				}
			}})
			_, err := open(t, f.to()).Update(t.Context(), sdk.UpdateRequest{ID: someID, Set: sdk.Attributes{"title": "x"}})
			if kind := sdk.KindOf(err); kind != test.kind {
				t.Errorf("kind %q (%v), want %q", kind, err, test.kind)
			}
		})
	}
}
