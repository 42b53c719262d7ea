package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestPinHistory(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		pins, ctx := store.Pins{DB: db}, t.Context()
		pin := func(digest string, at int64) plugins.Pin {
			return plugins.Pin{Name: "acme", Digest: digest, PinnedAt: time.UnixMicro(at).UTC(), PinnedBy: "ada@laptop",
				Description: sdk.Description{Name: "acme", Version: digest}, Egress: []catalog.Egress{{Host: "*", Ports: []int{443}}}}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(pins.Put(ctx, pin("one", 1)))
		must(pins.Put(ctx, pin("two", 2)))
		must(pins.RollBack(ctx, pin("one", 3)))
		must(pins.Put(ctx, plugins.Pin{Name: "other", Digest: "x", PinnedAt: time.UnixMicro(1).UTC()}))
		list, err := pins.List(ctx)
		if err != nil || len(list) != 2 || cmp.Diff(pin("one", 3), list[0]) != "" {
			t.Errorf("List = %+v, %v", list, err)
		}
		must(pins.Withdraw(ctx, "acme", "bob", time.UnixMicro(4).UTC()))
		if _, err := pins.Pin(ctx, "acme"); !errors.Is(err, plugins.ErrNotPinned) {
			t.Errorf("Pin after Withdraw = %v", err)
		}
		if err := pins.Withdraw(ctx, "acme", "bob", time.UnixMicro(5)); !errors.Is(err, plugins.ErrNotPinned) {
			t.Errorf("Withdraw of nothing = %v", err)
		}
		gone := pin("one", 4)
		gone.PinnedBy = "bob"
		want := []store.PinEvent{{gone, store.PinWithdrawn}, {pin("one", 3), store.PinRolledBack}, {pin("two", 2), store.PinApproved}, {pin("one", 1), store.PinApproved}}
		got, err := pins.History(ctx, "acme")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("History (-want +got):\n%s%v", diff, err)
		}
		for i := range 120 {
			must(pins.Put(ctx, pin(fmt.Sprint(i), int64(10+i))))
		}
		if got, err := pins.History(ctx, "acme"); len(got) != 100 || err != nil || got[0].Digest != "119" {
			t.Errorf("%d events are kept, %v", len(got), err)
		}
	}, store.Migrations())
}

func TestConnectorCrashesAreBounded(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		crashes := store.ConnectorCrashes{DB: db}
		for i := range 8 {
			for _, name := range []string{"acme", "other"} {
				c := plugins.Crash{At: time.UnixMicro(int64(i)).UTC(), Exit: "exit status 2", Output: []string{"line", fmt.Sprint(i)}}
				if err := crashes.Crashed(t.Context(), name, "aa", c); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := crashes.List(t.Context(), "acme")
		if err != nil || len(got) != 5 {
			t.Fatalf("List = %+v, %v", got, err)
		}
		want := store.ConnectorCrash{Name: "acme", Digest: "aa", Crash: plugins.Crash{At: time.UnixMicro(7).UTC(), Exit: "exit status 2", Output: []string{"line", "7"}}}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("the latest (-want +got):\n%s", diff)
		}
	}, store.Migrations())
}

func TestConnectorReports(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		reports := store.ConnectorReports{DB: db}
		put := func(instance string, at int64, state plugins.State) {
			t.Helper()
			r := store.ConnectorReport{Instance: instance, At: time.UnixMicro(at).UTC(), Stats: []plugins.Stats{{Name: "acme", State: state}}}
			if err := reports.Put(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		put("a", 10, plugins.StateStarting)
		put("a", 20, plugins.StateReady)
		put("b", 20, plugins.StateReady)
		put("killed", 1, plugins.StateReady)
		if err := reports.Remove(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		got, err := reports.List(t.Context(), time.UnixMicro(5))
		want := []store.ConnectorReport{{Instance: "a", At: time.UnixMicro(20).UTC(), Stats: []plugins.Stats{{Name: "acme", State: plugins.StateReady}}}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("List (-want +got):\n%s%v", diff, err)
		}
	}, store.Migrations())
}
