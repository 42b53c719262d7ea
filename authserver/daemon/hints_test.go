package daemon

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// told is what a process hears from others.
type told struct {
	*hints
	texts  chan string
	opened chan struct{}
}

func startHints(t *testing.T, db *sqldb.DB, owner string) told {
	t.Helper()
	out := told{newHints(db, owner, slog.New(slog.DiscardHandler)), make(chan string, 100), make(chan struct{}, 1)}
	out.work = func() { out.texts <- "work" }
	out.user = func(u provisioning.UserID) { out.texts <- string(u) }
	out.missed = func() { out.opened <- struct{}{} }
	ctx, cancel := context.WithCancel(context.Background())
	done := out.start(ctx)
	t.Cleanup(func() {
		cancel()
		<-done
	})
	receive(t, out.opened)
	return out
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10s")
		panic("unreachable")
	}
}

func TestProcessesTellEachOther(t *testing.T) {
	db := sqldbtest.Postgres(t)
	a, b := startHints(t, db, "a"), startHints(t, db, "b")
	a.workDue()
	if got := receive(t, b.texts); got != "work" {
		t.Errorf("b heard %q, want work", got)
	}
	a.changed("ann with spaces")
	if got := receive(t, b.texts); got != "ann with spaces" {
		t.Errorf("b heard %q, want the user", got)
	}
	b.changed("bob")
	if got := receive(t, a.texts); got != "bob" {
		t.Errorf("a heard %q first, want b's word and nothing of its own", got)
	}
}

// A burst is sent as few texts, and never more than are bounded.
func TestHintsAreJoined(t *testing.T) {
	h := newHints(sqldbtest.Postgres(t), "a", slog.New(slog.DiscardHandler))
	for range 3 * maxHints {
		h.workDue()
		h.changed(provisioning.UserID(time.Now().String()))
	}
	if n := len(h.pending); n != maxHints || !h.pending[hintWork] {
		t.Errorf("%d texts wait, want %d", n, maxHints)
	}
	h.flush(t.Context())
	if n := len(h.pending); n != 0 {
		t.Errorf("%d texts wait after they were sent", n)
	}
}

// A command that makes work due, and does not serve, wakes the server at once:
// long before the server would look by itself.
func TestCommandWakesTheServer(t *testing.T) {
	dir, url := newDir(t), sqldbtest.PostgresURL(t)
	command, server := openSystemIn(t, dir, url), openSystemIn(t, dir, url)
	nudged := make(chan struct{}, 10)
	opened := make(chan struct{}, 10)
	server.hints.work = func() { nudged <- struct{}{} }
	server.hints.missed = func() { opened <- struct{}{} }
	ctx, cancel := context.WithCancel(t.Context())
	done := server.hints.start(ctx)
	receive(t, opened)
	command.Lifecycle.Nudge()
	command.hints.flush(t.Context())
	receive(t, nudged)
	cancel()
	<-done
}
