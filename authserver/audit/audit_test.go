package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

var (
	at   = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	root = audit.Actor{Kind: audit.KindCommand, Name: "root@host"}
)

func each(t *testing.T, f func(t *testing.T, l *audit.Log, db *sqldb.DB)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		f(t, &audit.Log{Store: store.AuditEvents{DB: db}, InTx: db.InTx, Now: func() time.Time { return at }}, db)
	}, store.Migrations())
}

func events(t *testing.T, l *audit.Log, f audit.Filter) []audit.Event {
	t.Helper()
	f.Limit = 10
	all, err := l.Store.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEventComesBack(t *testing.T) {
	each(t, func(t *testing.T, l *audit.Log, _ *sqldb.DB) {
		act := audit.Act{
			Action: "application.update", Object: audit.Object{Kind: "application", ID: "a", Name: "A"},
			Changes: []audit.Change{{Field: "name", Old: "A", New: "B"}, {Field: "secret"}},
		}
		ctx := audit.WithActor(t.Context(), root, "REF")
		if err := l.Do(ctx, func(context.Context) (audit.Act, error) { return act, nil }); err != nil {
			t.Fatal(err)
		}
		got := events(t, l, audit.Filter{})
		want := []audit.Event{{ID: got[0].ID, At: at, Actor: root, Reference: "REF", Act: act}}
		if diff := cmp.Diff(want, got); diff != "" || got[0].ID == "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// The act and its event are there together, or neither is.
func TestActAndEventAreOne(t *testing.T) {
	each(t, func(t *testing.T, l *audit.Log, db *sqldb.DB) {
		ctx, boom := audit.WithActor(t.Context(), root, ""), errors.New("boom")
		act := audit.Act{Action: "user.delete", Object: audit.Object{Kind: "user", ID: "u"}}
		insert := func(ctx context.Context) error {
			_, err := db.Exec(ctx, `INSERT INTO consent (user_id, client_id, scopes, at) VALUES ('u', 'c', '', 1)`)
			return err
		}
		done := func() (n int) {
			if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM consent`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		err := l.Do(ctx, func(ctx context.Context) (audit.Act, error) { return act, errors.Join(insert(ctx), boom) })
		if !errors.Is(err, boom) || done() != 0 || len(events(t, l, audit.Filter{})) != 0 {
			t.Errorf("a failed act: %v, %d rows", err, done())
		}
		err = l.Do(ctx, func(ctx context.Context) (audit.Act, error) { return audit.Act{}, insert(ctx) })
		if !errors.Is(err, audit.ErrNameless) || done() != 0 {
			t.Errorf("an act without a name: %v, %d rows", err, done())
		}
		if err := l.Do(ctx, func(ctx context.Context) (audit.Act, error) { return act, insert(ctx) }); err != nil || done() != 1 || len(events(t, l, audit.Filter{})) != 1 {
			t.Errorf("an act: %v, %d rows", err, done())
		}
	})
}

func TestNobodyActsUnnamed(t *testing.T) {
	l := &audit.Log{}
	for name, ctx := range map[string]context.Context{
		"nobody":    t.Context(),
		"no name":   audit.WithActor(t.Context(), audit.Actor{Kind: audit.KindCommand}, "REF"),
		"of nobody": audit.WithActor(t.Context(), audit.Actor{Name: "root"}, "REF"),
	} {
		err := l.Do(ctx, func(context.Context) (audit.Act, error) {
			t.Error(name + " acted")
			return audit.Act{}, nil
		})
		if !errors.Is(err, audit.ErrNoActor) {
			t.Errorf("%s: Do = %v, want ErrNoActor", name, err)
		}
		if err := l.Note(ctx, audit.Act{Action: "x", Object: audit.Object{Kind: "y", ID: "z"}}); !errors.Is(err, audit.ErrNoActor) {
			t.Errorf("%s: Note = %v, want ErrNoActor", name, err)
		}
	}
}

func TestFilterAndSweep(t *testing.T) {
	each(t, func(t *testing.T, l *audit.Log, db *sqldb.DB) {
		now := at
		l.Now = func() time.Time { now = now.Add(time.Hour); return now }
		note := func(actor, kind, id, name string) {
			ctx := audit.WithActor(t.Context(), audit.Actor{Kind: audit.KindCommand, Name: actor}, "")
			if err := l.Note(ctx, audit.Act{Action: "act", Object: audit.Object{Kind: kind, ID: id, Name: name}}); err != nil {
				t.Fatal(err)
			}
		}
		note("a", "user", "1", "ada")
		note("b", "user", "2", "bob")
		note("b", "target", "", "ada")
		for _, c := range []struct {
			f    audit.Filter
			want []string // names, the latest first
		}{
			{audit.Filter{}, []string{"ada", "bob", "ada"}}, {audit.Filter{Actor: "a"}, []string{"ada"}}, {audit.Filter{Object: "user"}, []string{"bob", "ada"}},
			{audit.Filter{Object: "ada"}, []string{"ada", "ada"}}, {audit.Filter{Object: "2"}, []string{"bob"}}, {audit.Filter{Since: at.Add(2 * time.Hour)}, []string{"ada", "bob"}},
			{audit.Filter{Actor: "b", Object: "target", Since: at}, []string{"ada"}}, {audit.Filter{Actor: "' OR 1=1 --"}, nil},
		} {
			var got []string
			for _, e := range events(t, l, c.f) {
				got = append(got, e.Object.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", c.f, diff)
			}
		}
		s := store.AuditEvents{DB: db}
		for _, want := range []int64{1, 1, 0} {
			if n, err := s.Sweep(t.Context(), at.Add(3*time.Hour), 1); n != want || err != nil {
				t.Errorf("Sweep = %d, %v; want %d", n, err, want)
			}
		}
		if got := events(t, l, audit.Filter{}); len(got) != 1 || got[0].Object.Kind != "target" {
			t.Errorf("left are %+v", got)
		}
	})
}
