package sql_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestLifeOfARow(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, nil)
	made := create(t, target, ada())
	if made.ID != "1" || made.Version != "1" || made.Active == nil || !*made.Active || made.Attributes.String("name") != ada()["name"] {
		t.Fatalf("made %+v", made)
	}
	for key, value := range map[string]string{"user_id": "u-1", "login": "ADA"} {
		found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: key, Value: value})
		if diff := cmp.Diff([]sdk.Account{made}, found); err != nil || diff != "" {
			t.Errorf("lookup by %s: %v (-made +found):\n%s", key, err, diff)
		}
	}
	changed, err := target.Update(soon(t), sdk.UpdateRequest{
		Operation: op(), ID: "1", Version: "1", Set: sdk.Attributes{"title": "Countess", "extra_1": "42"}, Clear: []string{"email"},
	})
	want := sdk.Attributes{
		"user_id": "u-1", "login": "ada", "email": nil, "given_name": nil, "family_name": nil, "name": ada()["name"], "title": "Countess", "extra_1": "42",
	}
	if diff := cmp.Diff(want, changed.Attributes); err != nil || diff != "" || changed.Version != "2" {
		t.Errorf("changed to version %s, %v (-want +got):\n%s", changed.Version, err, diff)
	}
	_, err = target.Update(soon(t), sdk.UpdateRequest{Operation: op(), ID: "1", Version: "1", Set: sdk.Attributes{"title": "Lady"}})
	if sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("an update of a version that is gone: %v", err)
	}
	if a, err := target.SetActive(soon(t), sdk.SetActiveRequest{Operation: op(), ID: "1"}); err != nil || *a.Active {
		t.Errorf("suspended: %+v, %v", a, err)
	}
	for range 2 {
		if err := target.Delete(soon(t), sdk.DeleteRequest{Operation: op(), ID: "1"}); err != nil {
			t.Error(err)
		}
	}
	if n := db.count(t); n != "0" {
		t.Errorf("%s rows are left", n)
	}
}

func TestAnIDThatNoRowCanHaveIsNotFound(t *testing.T) {
	target := newDatabase(t).open(t, nil)
	for _, id := range []string{"7", "ada", "99999999999999999999", "1\x00", "01"} {
		if _, err := target.Get(soon(t), sdk.GetRequest{ID: id}); sdk.KindOf(err) != sdk.KindNotFound {
			t.Errorf("Get %q: %v", id, err)
		}
		if err := target.Delete(soon(t), sdk.DeleteRequest{Operation: op(), ID: id}); err != nil {
			t.Errorf("Delete %q: %v", id, err)
		}
	}
}

// TestFailuresOfTheDatabase is the table of what a refusal means: its kind, the
// attribute at fault, and that nothing was changed and nobody's value is told.
func TestFailuresOfTheDatabase(t *testing.T) {
	db := newDatabase(t)
	db.exec(t, `create role reader login; grant select on all tables in schema public to reader`)
	target := db.open(t, nil)
	create(t, target, ada())
	for name, test := range map[string]struct {
		set    sdk.Attributes
		change func(*sql.Config)
		kind   sdk.Kind
		field  string
	}{
		"login taken":      {sdk.Attributes{"login": "ADA"}, nil, sdk.KindConflict, ""},
		"owner taken":      {sdk.Attributes{"login": "grace", "user_id": "u-1"}, nil, sdk.KindConflict, ""},
		"no login":         {sdk.Attributes{"name": "Grace"}, nil, sdk.KindInvalid, "login"},
		"no address":       {sdk.Attributes{"login": "grace", "email": "grace-at-home"}, nil, sdk.KindInvalid, "email"},
		"no number":        {sdk.Attributes{"login": "grace", "extra_1": "much-and-more"}, nil, sdk.KindInvalid, ""},
		"a zero byte":      {sdk.Attributes{"login": "gra\x00ce"}, nil, sdk.KindInvalid, ""},
		"no parameter":     {sdk.Attributes{"login": "grace", "phone": "+1"}, nil, sdk.KindInvalid, "phone"},
		"no text":          {sdk.Attributes{"login": 7.0}, nil, sdk.KindInvalid, "login"},
		"no right":         {sdk.Attributes{"login": "grace"}, func(c *sql.Config) { c.Username = "reader" }, sdk.KindForbidden, ""},
		"no such role":     {sdk.Attributes{"login": "grace"}, func(c *sql.Config) { c.Username = "nobody-there" }, sdk.KindUnauthorized, ""},
		"no such database": {sdk.Attributes{"login": "grace"}, func(c *sql.Config) { c.Database = "nowhere" }, sdk.KindInvalid, "database"},
		"no such column":   {sdk.Attributes{"login": "grace"}, func(c *sql.Config) { c.Lookup += " and shoe = 7" }, sdk.KindInvalid, "lookup"},
		"two rows":         {sdk.Attributes{"login": "grace"}, func(c *sql.Config) { c.Create = twice }, sdk.KindInvalid, "create"},
		"none":             {sdk.Attributes{"login": "grace"}, func(c *sql.Config) { c.Create = never }, sdk.KindInvalid, "create"},
	} {
		_, err := db.open(t, test.change).Create(soon(t), sdk.CreateRequest{Operation: op(), Attributes: test.set, Active: true})
		e := sdk.AsError(err)
		if e == nil || e.Kind != test.kind || e.Field != test.field || e.Effect != sdk.EffectNone {
			t.Errorf("%s: %#v, want kind %s, field %q, no effect", name, e, test.kind, test.field)
			continue
		}
		for _, a := range test.set {
			if text, ok := a.(string); ok && len(text) > 2 && strings.Contains(e.Message, text) {
				t.Errorf("%s: the message tells %q: %s", name, text, e.Message)
			}
		}
	}
	if n := db.count(t); n != "1" {
		t.Errorf("%s rows after the refusals, want 1", n)
	}
}

const (
	twice = `insert into account (login) values (:login), (:login || '2') returning number as id`
	never = `insert into account (login) select :login where false returning number as id`
)

func TestStatementsThatHitTheWrongRows(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, func(c *sql.Config) {
		c.Update = "update account set title = :title where number >= :id"
		c.SetActive = "update account set enabled = :active where number = :id and false"
		c.Delete = "delete from account where number >= :id"
	})
	create(t, target, ada())
	create(t, target, sdk.Attributes{"login": "grace"})
	_, updated := target.Update(soon(t), sdk.UpdateRequest{Operation: op(), ID: "1", Set: sdk.Attributes{"title": "x"}})
	_, suspended := target.SetActive(soon(t), sdk.SetActiveRequest{Operation: op(), ID: "1"})
	deleted := target.Delete(soon(t), sdk.DeleteRequest{Operation: op(), ID: "1"})
	for field, err := range map[string]error{"update": updated, "set_active": suspended, "delete": deleted} {
		if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindInvalid || e.Field != field || e.Effect != sdk.EffectNone {
			t.Errorf("%s: %#v", field, e)
		}
	}
	if n := db.text(t, "select count(*)::text from account where title is null and enabled"); n != "2" {
		t.Errorf("%s rows are untouched, want 2", n)
	}
}

func TestReadsCannotWrite(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, func(c *sql.Config) {
		c.Lookup = `with x as (insert into team values (:login)) ` + c.Lookup
	})
	_, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "ada"})
	if sdk.KindOf(err) != sdk.KindInvalid || db.text(t, "select count(*)::text from team") != "2" {
		t.Errorf("a lookup that writes: %v", err)
	}
}

func TestVerbsWithoutAStatement(t *testing.T) {
	target := newDatabase(t).open(t, func(c *sql.Config) {
		c.SetActive, c.Delete, c.List, c.Groups, c.GroupAdd, c.GroupRemove = "", "", "", "", "", ""
	})
	_, suspended := target.SetActive(soon(t), sdk.SetActiveRequest{Operation: op(), ID: "1"})
	errs := map[string]error{
		"set_active": suspended,
		"delete":     target.Delete(soon(t), sdk.DeleteRequest{Operation: op(), ID: "1"}),
		"groups":     target.SetGroups(soon(t), sdk.SetGroupsRequest{Operation: op(), ID: "1"}),
	}
	for _, err := range target.List(soon(t), sdk.ListRequest{}) {
		errs["list"] = err
	}
	for _, field := range []string{"set_active", "delete", "groups", "list"} {
		if e := sdk.AsError(errs[field]); e == nil || e.Kind != sdk.KindUnsupported || e.Field != field {
			t.Errorf("%s: %v", field, errs[field])
		}
	}
}

func TestGroupsAreExactlyThese(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, nil)
	create(t, target, ada())
	create(t, target, sdk.Attributes{"login": "grace"})
	for _, groups := range [][]string{{"staff", "staff"}, {"ops", "staff"}, {"ops"}, {"ops"}, nil} {
		if err := target.SetGroups(soon(t), sdk.SetGroupsRequest{Operation: op(), ID: "1", Groups: groups}); err != nil {
			t.Errorf("%v: %v", groups, err)
		}
		want := slices.Compact(slices.Sorted(slices.Values(groups)))
		got := db.text(t, "select coalesce(string_agg(name, ' ' order by name), '') from member where number = 1")
		if got != strings.Join(want, " ") {
			t.Errorf("in %q, want %v", got, want)
		}
	}
	err := target.SetGroups(soon(t), sdk.SetGroupsRequest{Operation: op(), ID: "1", Groups: []string{"ops", "nowhere"}})
	if sdk.KindOf(err) != sdk.KindInvalid || db.text(t, "select count(*)::text from member") != "0" {
		t.Errorf("a group that is not there: %v", err)
	}
	err = target.SetGroups(soon(t), sdk.SetGroupsRequest{Operation: op(), ID: "9", Groups: []string{"ops"}})
	if sdk.KindOf(err) != sdk.KindNotFound {
		t.Errorf("an account that is not there: %v", err)
	}
}

func TestTwentyAtOnce(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, nil)
	var mu sync.Mutex
	kinds := map[sdk.Kind]int{}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := target.Create(soon(t), sdk.CreateRequest{Operation: sdk.Operation{ID: fmt.Sprint(i)}, Attributes: ada(), Active: true})
			mu.Lock()
			defer mu.Unlock()
			kinds[sdk.KindOf(err)]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[sdk.Kind]int{"": 1, sdk.KindConflict: 19}, kinds); diff != "" || db.count(t) != "1" {
		t.Errorf("%s rows, kinds (-want +got):\n%s", db.count(t), diff)
	}
}

// TestConcurrentUpdatesLoseNothing has updates of different attributes of one row
// meet: each that succeeds is kept, the others say that they did nothing.
func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, nil)
	create(t, target, ada())
	names := []string{"given_name", "family_name", "title", "name"}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			_, errs[i] = target.Update(soon(t), sdk.UpdateRequest{Operation: op(), ID: "1", Set: sdk.Attributes{name: "new " + name}})
		})
	}
	wg.Wait()
	now, err := target.Get(soon(t), sdk.GetRequest{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		kept := now.Attributes.String(name) == "new "+name
		e := sdk.AsError(errs[i])
		if kept != (e == nil) || e != nil && (e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone) {
			t.Errorf("%s: kept %v, error %v", name, kept, errs[i])
		}
	}
}
