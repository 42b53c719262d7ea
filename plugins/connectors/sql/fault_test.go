package sql_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/tcpproxy"
)

func says(text string) tcpproxy.Match {
	return func(request []byte) bool { return bytes.Contains(request, []byte(text)) }
}

// behind opens a target with a proxy before the database, with one connection
// made and the statements checked.
func behind(t *testing.T, db database) (*tcpproxy.Proxy, *sql.Target) {
	t.Helper()
	proxy := tcpproxy.Start(t, socketOf(db.config))
	target := db.open(t, func(c *sql.Config) { c.Address = proxy.Addr })
	create(t, target, sdk.Attributes{"login": "first"})
	return proxy, target
}

// TestOnlyACommitLeavesTheOutcomeOpen is the table of faults and what is certain
// after each.
func TestOnlyACommitLeavesTheOutcomeOpen(t *testing.T) {
	db := newDatabase(t)
	for name, test := range map[string]struct {
		match  string
		fault  tcpproxy.Fault
		kind   sdk.Kind
		effect sdk.Effect
		rows   string // more than before
	}{
		"begin reset":       {"begin", tcpproxy.Reset(), sdk.KindTransient, sdk.EffectNone, "0"},
		"insert reset":      {"anteroom-fault", tcpproxy.Reset(), sdk.KindTransient, sdk.EffectNone, "0"},
		"insert reply lost": {"anteroom-fault", tcpproxy.DropReply(), sdk.KindTransient, sdk.EffectNone, "0"},
		"insert garbled":    {"anteroom-fault", tcpproxy.Answer([]byte("<html>no</html>")), sdk.KindTransient, sdk.EffectNone, "0"},
		"commit reset":      {"commit", tcpproxy.Reset(), sdk.KindOutcomeUnknown, sdk.EffectUnknown, "0"},
		"commit reply lost": {"commit", tcpproxy.DropReply(), sdk.KindOutcomeUnknown, sdk.EffectUnknown, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, target := behind(t, db)
			defer db.exec(t, "truncate account cascade")
			proxy.Script(says(test.match), test.fault)
			_, err := target.Create(soon(t), sdk.CreateRequest{Operation: op(), Attributes: sdk.Attributes{"login": "anteroom-fault"}, Active: true})
			if e := sdk.AsError(err); e == nil || e.Kind != test.kind || e.Effect != test.effect || strings.Contains(e.Message, "anteroom-fault") {
				t.Errorf("error %#v, want %s, %s", e, test.kind, test.effect)
			}
			if n := db.text(t, "select count(*)::text from account where login = 'anteroom-fault'"); n != test.rows {
				t.Errorf("%s rows, want %s", n, test.rows)
			}
			// The pool has noticed: the next call gets a connection that works.
			if _, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "first"}); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

// TestTheDeadlineIsKept has the server's lock, the server's silence and the
// caller end a call.
func TestTheDeadlineIsKept(t *testing.T) {
	db := newDatabase(t)
	proxy, target := behind(t, db)
	const limit = 400 * time.Millisecond
	call := func(ctx context.Context) error {
		_, err := target.SetActive(ctx, sdk.SetActiveRequest{Operation: op(), ID: "1"})
		return err
	}
	for name, test := range map[string]struct {
		begin, end func()
	}{
		"a lock":  {func() { db.exec(t, "begin; lock account in exclusive mode") }, func() { db.exec(t, "rollback") }},
		"silence": {func() { proxy.Script(says("enabled"), tcpproxy.Hang()) }, func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			test.begin()
			defer test.end()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			begin := time.Now()
			err := call(ctx)
			if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone {
				t.Errorf("error %#v, want transient without effect", err)
			}
			if took := time.Since(begin); took > limit+2*time.Second {
				t.Errorf("took %s, want about %s", took, limit)
			}
		})
	}
	ctx, cancel := context.WithCancel(soon(t))
	proxy.Script(says("enabled"), tcpproxy.Hang())
	done := make(chan error, 1)
	before := proxy.Count(says("enabled"))
	go func() { done <- call(ctx) }()
	proxy.Await(t, says("enabled"), before+1)
	cancel()
	if err := <-done; sdk.KindOf(err) != sdk.KindTransient || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	proxy, target := behind(t, newDatabase(t))
	proxy.Refuse(true)
	proxy.Cut()
	_, err := target.Create(soon(t), sdk.CreateRequest{Operation: op(), Attributes: ada()})
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone {
		t.Errorf("error %#v, want transient without effect", e)
	}
}

// TestTheTableIsChangedMeanwhile: prepared statements of kept connections are
// stale then.
func TestTheTableIsChangedMeanwhile(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, nil)
	create(t, target, ada())
	db.exec(t, "alter table account alter title type varchar(40), alter pay type bigint")
	for range 9 {
		_, err := target.Get(soon(t), sdk.GetRequest{ID: "1"})
		if e := sdk.AsError(err); e != nil && e.Kind != sdk.KindTransient {
			t.Fatal(err)
		}
		if err == nil {
			return
		}
	}
	t.Error("the statements stay stale")
}

// TestASilentConnectionKeepsNoLocks: the server ends the transaction of a COMMIT
// that it never gets, though the connection stands.
func TestASilentConnectionKeepsNoLocks(t *testing.T) {
	db := newDatabase(t)
	proxy, target := behind(t, db)
	proxy.Script(says("commit"), tcpproxy.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	req := sdk.SetActiveRequest{Operation: op(), ID: "1"}
	// The server may tell that it gave up before the deadline comes.
	if _, err := target.SetActive(ctx, req); sdk.KindOf(err) != sdk.KindOutcomeUnknown && sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("error %v, want an unknown outcome or a transient one", err)
	}
	again, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	if _, err := db.open(t, nil).SetActive(again, req); err != nil {
		t.Errorf("the row is still locked: %v", err)
	}
}
