package roles_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/roles"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, roles.Connector()) }

// soon is a context with a deadline that only a hanging test reaches.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// server is the tests' one server: its roles belong to all databases, so tests
// keep apart by names.
type server struct {
	*pgx.Conn
	config roles.Config
}

func newServer(t *testing.T) server {
	t.Helper()
	u, err := url.Parse(sqldbtest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	socket := u.Query().Get("host")
	conn, err := pgx.Connect(t.Context(), "host="+socket+" user=postgres dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	s := server{conn, roles.Config{Address: socket, Database: "postgres", Username: "provisioner", TLS: "off", Groups: []string{"staff", "ops"}}}
	s.exec(t, `do $$ begin
		if not exists (select from pg_roles where rolname = 'provisioner') then
			create role provisioner login createrole; create role staff; create role ops login; create role other;
		end if;
	end $$`)
	return s
}

func (s server) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.Conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (s server) text(t *testing.T, query string, args ...any) string {
	t.Helper()
	var out string
	if err := s.QueryRow(t.Context(), query, args...).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (s server) open(t *testing.T, change func(*roles.Config)) *roles.Target {
	t.Helper()
	cfg := s.config
	if change != nil {
		change(&cfg)
	}
	target, err := roles.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func create(t *testing.T, target *roles.Target, name string) sdk.Account {
	t.Helper()
	a, err := target.Create(soon(t), sdk.CreateRequest{Attributes: sdk.Attributes{"user_id": "id of " + name, "login": name, "name": "Ada"}, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	cfg := newServer(t).config
	sdktest.Run(t, sdktest.Options{Connector: roles.Connector(), Config: map[string]any{
		"address": cfg.Address, "username": cfg.Username, "tls": cfg.TLS, "password": "canary-of-the-server", "groups": cfg.Groups,
	}, Groups: cfg.Groups})
}

// Names are texts, whatever is in them.
func TestLifeOfARole(t *testing.T) {
	s := newServer(t)
	target := s.open(t, nil)
	odd := `o'Brien "x"; drop role staff; --`
	made := create(t, target, odd)
	if got := s.text(t, "select oid::text from pg_roles where rolname = $1 and rolcanlogin", odd); got != made.ID {
		t.Errorf("id %s, want %s", made.ID, got)
	}
	for key, value := range map[string]string{"login": odd, "user_id": "id of " + odd} {
		found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: key, Value: value})
		if diff := cmp.Diff([]sdk.Account{made}, found); err != nil || diff != "" {
			t.Errorf("by %s: %v (-made +found):\n%s", key, err, diff)
		}
	}
	renamed, err := target.Update(soon(t), sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"login": "life-ada"}, Clear: []string{"name"}})
	if err != nil || renamed.ID != made.ID || renamed.Attributes.String("login") != "life-ada" || renamed.Attributes["name"] != nil {
		t.Errorf("%+v, %v", renamed, err)
	}
	const comment = "select coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles where rolname = 'life-ada'"
	if got := s.text(t, comment); got != "anteroom:id of "+odd {
		t.Errorf("comment %q", got)
	}
	for _, active := range []bool{false, false, true} {
		a, err := target.SetActive(soon(t), sdk.SetActiveRequest{ID: made.ID, Active: active})
		got := s.text(t, "select rolcanlogin::text from pg_roles where rolname = 'life-ada'")
		if err != nil || *a.Active != active || got != fmt.Sprint(active) {
			t.Errorf("active %v: %+v, %v, the server says %s", active, a, err, got)
		}
	}
	for range 2 {
		if err := target.Delete(soon(t), sdk.DeleteRequest{ID: made.ID}); err != nil {
			t.Error(err)
		}
	}
	if got := s.text(t, "select count(*)::text from pg_roles where rolname in ('life-ada', 'staff')"); got != "1" {
		t.Errorf("%s roles are left, want staff alone", got)
	}
}

// TestRolesThatAreNoAccounts wants those not found that would give more rights
// than a person's, and not touched by their oid either.
func TestRolesThatAreNoAccounts(t *testing.T) {
	s := newServer(t)
	s.exec(t, `create role na_super login superuser; create role na_maker login createrole; create role na_group;
		create role na_replica login replication; create role na_plain login; create role na_ours nologin;
		comment on role na_ours is E'anteroom:u-9\nOur Own'; comment on role na_plain is 'made by hand'`)
	target := s.open(t, nil)
	for name, want := range map[string]int{
		"postgres": 0, "provisioner": 0, "pg_monitor": 0, "na_super": 0, "na_maker": 0, "na_group": 0, "na_replica": 0, "ops": 0, "staff": 0,
		"na_plain": 1, "na_ours": 1,
	} {
		found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: name})
		if err != nil || len(found) != want {
			t.Errorf("%s: %d found, want %d (%v)", name, len(found), want, err)
		}
		if want == 1 {
			continue
		}
		oid := s.text(t, "select oid::text from pg_roles where rolname = $1", name)
		_, suspended := target.SetActive(soon(t), sdk.SetActiveRequest{ID: oid})
		_, renamed := target.Update(soon(t), sdk.UpdateRequest{ID: oid, Set: sdk.Attributes{"login": "taken-over"}})
		grouped := target.SetGroups(soon(t), sdk.SetGroupsRequest{ID: oid, Groups: []string{"staff"}})
		for verb, err := range map[string]error{"set_active": suspended, "update": renamed, "set_groups": grouped} {
			if sdk.KindOf(err) != sdk.KindNotFound {
				t.Errorf("%s of %s: %v", verb, name, err)
			}
		}
		if err := target.Delete(soon(t), sdk.DeleteRequest{ID: oid}); err != nil || s.text(t, "select count(*)::text from pg_roles where oid::text = $1", oid) != "1" {
			t.Errorf("delete of %s: %v", name, err)
		}
		_, err = target.Create(soon(t), sdk.CreateRequest{Attributes: sdk.Attributes{"login": name}})
		if k := sdk.KindOf(err); k != sdk.KindConflict && !strings.HasPrefix(name, "pg_") {
			t.Errorf("create of %s: %v, want a conflict", name, err)
		}
	}
	found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "na_plain"})
	if err != nil || found[0].Attributes["user_id"] != nil || found[0].Attributes.String("name") != "made by hand" {
		t.Errorf("na_plain: %+v, %v", found, err)
	}
	if _, err := target.SetActive(soon(t), sdk.SetActiveRequest{ID: found[0].ID}); sdk.KindOf(err) != sdk.KindForbidden {
		t.Errorf("suspending a role of nobody: %v", err)
	}
}

func TestFailuresOfTheServer(t *testing.T) {
	s := newServer(t)
	s.exec(t, `create role fs_reader login; create role fs_owner login; comment on role fs_owner is 'anteroom:u-5'; create schema fs authorization fs_owner`)
	target := s.open(t, nil)
	owner := s.text(t, "select oid::text from pg_roles where rolname = 'fs_owner'")
	made := func(target *roles.Target, a sdk.Attributes) error {
		_, err := target.Create(soon(t), sdk.CreateRequest{Attributes: a})
		return err
	}
	for name, test := range map[string]struct {
		err   error
		kind  sdk.Kind
		field string
	}{
		"taken":           {made(target, sdk.Attributes{"login": "fs_owner"}), sdk.KindConflict, "login"},
		"reserved":        {made(target, sdk.Attributes{"login": "pg_ada"}), sdk.KindInvalid, "login"},
		"public":          {made(target, sdk.Attributes{"login": "public"}), sdk.KindInvalid, "login"},
		"long":            {made(target, sdk.Attributes{"login": strings.Repeat("ä", 32)}), sdk.KindInvalid, "login"},
		"none":            {made(target, sdk.Attributes{"name": "Ada"}), sdk.KindInvalid, "login"},
		"a zero byte":     {made(target, sdk.Attributes{"login": "a\x00b"}), sdk.KindInvalid, "login"},
		"two lines":       {made(target, sdk.Attributes{"login": "fs_x", "user_id": "a\nb"}), sdk.KindInvalid, "user_id"},
		"a false owner":   {made(target, sdk.Attributes{"login": "fs_x", "name": "anteroom:u-1"}), sdk.KindInvalid, "name"},
		"unknown":         {made(target, sdk.Attributes{"login": "fs_x", "email": "ada@example.com"}), sdk.KindInvalid, "email"},
		"no right":        {made(s.open(t, func(c *roles.Config) { c.Username = "fs_reader" }), sdk.Attributes{"login": "fs_x"}), sdk.KindForbidden, ""},
		"owns objects":    {target.Delete(soon(t), sdk.DeleteRequest{ID: owner}), sdk.KindInvalid, ""},
		"another's group": {target.SetGroups(soon(t), sdk.SetGroupsRequest{ID: owner, Groups: []string{"other"}}), sdk.KindInvalid, ""},
		"no such group": {s.open(t, func(c *roles.Config) { c.Groups = []string{"nowhere"} }).SetGroups(soon(t), sdk.SetGroupsRequest{ID: owner, Groups: []string{"nowhere"}}),
			sdk.KindInvalid, ""},
	} {
		if e := sdk.AsError(test.err); e == nil || e.Kind != test.kind || e.Field != test.field || e.Effect != sdk.EffectNone {
			t.Errorf("%s: %#v, want %s, field %q, no effect", name, e, test.kind, test.field)
		}
	}
	if got := s.text(t, "select count(*)::text from pg_roles where rolname like 'fs_x%'"); got != "0" {
		t.Errorf("%s roles were left behind by what failed", got)
	}
}

func TestOnlyTheNamedGroupsAreTouched(t *testing.T) {
	s := newServer(t)
	target := s.open(t, nil)
	made := create(t, target, "gr_ada")
	s.exec(t, "grant other to gr_ada")
	for _, groups := range [][]string{{"staff"}, {"ops", "staff"}, {"ops"}, {"ops"}, nil} {
		if err := target.SetGroups(soon(t), sdk.SetGroupsRequest{ID: made.ID, Groups: groups}); err != nil {
			t.Errorf("%v: %v", groups, err)
		}
		got := s.text(t, `select string_agg(r.rolname, ' ' order by r.rolname) from pg_auth_members m join pg_roles r on r.oid = m.roleid where m.member::text = $1`, made.ID)
		want := strings.Join(slices.Sorted(slices.Values(append([]string{"other"}, groups...))), " ")
		if got != want {
			t.Errorf("in %q, want %q", got, want)
		}
	}
}

func TestTwentyAtOnce(t *testing.T) {
	target := newServer(t).open(t, nil)
	var mu sync.Mutex
	kinds := map[sdk.Kind]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := target.Create(soon(t), sdk.CreateRequest{Attributes: sdk.Attributes{"login": "tw_ada", "user_id": "u"}, Active: true})
			mu.Lock()
			defer mu.Unlock()
			kinds[sdk.KindOf(err)]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[sdk.Kind]int{"": 1, sdk.KindConflict: 19}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

// TestCheckNamesTheStep has the steps of this connector fail; those on the way are
// package pg's, and the tests of package sql have them fail.
func TestCheckNamesTheStep(t *testing.T) {
	s := newServer(t)
	s.exec(t, `create role ck_reader login`)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	for name, test := range map[string]struct {
		change func(*roles.Config)
		fails  string
	}{
		"fine":      {nil, ""},
		"nobody":    {func(c *roles.Config) { c.Address = listener.Addr().String() }, "tcp"},
		"no role":   {func(c *roles.Config) { c.Username = "nobody-there" }, "credentials"},
		"no right":  {func(c *roles.Config) { c.Username = "ck_reader" }, "permission"},
		"superuser": {func(c *roles.Config) { c.Username = "postgres" }, "permission"},
		"no group":  {func(c *roles.Config) { c.Groups = []string{"staff", "nowhere"} }, "schema"},
	} {
		steps, err := s.open(t, test.change).Check(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		failed := ""
		for _, step := range steps {
			if step.Status == sdk.CheckFailed {
				failed += step.Name
			}
		}
		if failed != test.fails || len(steps) != 6 {
			t.Errorf("%s: %q failed, want %q: %+v", name, failed, test.fails, steps)
		}
	}
}
