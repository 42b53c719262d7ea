package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/logout"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func TestPairwiseSubjectLife(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.Subjects{DB: db}
		p := subject.Pairwise{Sector: "a.example", User: "ada", Subject: "one", CreatedAt: at}
		must(t, s.AddSubject(t.Context(), p))
		p.Subject = "two"
		must(t, s.AddSubject(t.Context(), p)) // she has one
		if sub, err := s.Subject(t.Context(), "a.example", "ada"); sub != "one" || err != nil {
			t.Errorf("subject = %q, %v; want the first", sub, err)
		}
		if user, err := s.SubjectUser(t.Context(), "a.example", "one"); user != "ada" || err != nil {
			t.Errorf("user = %q, %v", user, err)
		}
		if _, err := s.SubjectUser(t.Context(), "b.example", "one"); !errors.Is(err, subject.ErrNone) {
			t.Errorf("in another sector: %v, want ErrNone", err)
		}
		p = subject.Pairwise{Sector: "b.example", User: "eve", Subject: "one", CreatedAt: at}
		if err := s.AddSubject(t.Context(), p); err == nil {
			t.Error("two sectors have one subject")
		}
		must(t, s.DeleteAllOf(t.Context(), "ada"))
		if _, err := s.Subject(t.Context(), "a.example", "ada"); !errors.Is(err, subject.ErrNone) {
			t.Errorf("after the user is gone: %v, want ErrNone", err)
		}
	})
}

// What was issued under one subject does not go on when the application knows users
// by another; other changes, and other applications' tokens, leave it.
func TestGrantsEndWithTheSubject(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		apps, tokens := store.Applications{DB: db, Now: func() time.Time { return oauthNow }}, &store.OAuth{DB: db}
		app, err := apps.Put(t.Context(), newApplication("payroll"))
		must(t, err)
		live := func(token op.TokenHash) bool {
			t.Helper()
			g, _, err := tokens.AccessToken(t.Context(), token)
			must(t, err)
			return g.RevokedAt.IsZero()
		}
		other, own := permit(t, db, "other", "wiki", "ada", oauthNow), permit(t, db, "own", "payroll", "", oauthNow)
		steps := []struct {
			name   string
			change func(*application.Application)
			lives  bool
		}{
			{"a new name", func(a *application.Application) { a.Name = "Wages" }, true},
			{"public, said out loud", func(a *application.Application) { a.SubjectType = application.SubjectPublic }, true},
			{"pairwise", func(a *application.Application) { a.SubjectType = application.SubjectPairwise }, false},
			{"another path", func(a *application.Application) { a.RedirectURIs = []string{a.RedirectURIs[0] + "2"} }, true},
			{"another host", func(a *application.Application) { a.RedirectURIs = []string{"https://new.example/cb"} }, false},
			{"public again", func(a *application.Application) { a.SubjectType = "" }, false},
		}
		for _, step := range steps {
			token := permit(t, db, step.name, "payroll", "ada", oauthNow)
			step.change(&app)
			app, err = apps.Put(t.Context(), app)
			must(t, err)
			if live(token) != step.lives {
				t.Errorf("%s: the grant lives: %v, want %v", step.name, !step.lives, step.lives)
			}
		}
		if !live(other) || !live(own) {
			t.Error("what has no user of the application ended, too")
		}
		last := permit(t, db, "last", "payroll", "ada", oauthNow)
		must(t, apps.Delete(t.Context(), "payroll", app.Revision))
		if live(last) || live(own) || !live(other) {
			t.Error("deleting the application did not end exactly what was issued to it")
		}
	})
}

func TestParticipantsKeepTheAlias(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.Participants{DB: db}
		want := logout.Participant{SID: "sid-1", Client: "a", Alias: subject.Alias{Subject: "sub", SID: "its-sid"}}
		must(t, s.Join(t.Context(), want))
		_, err := db.Exec(t.Context(), `INSERT INTO session_application (sid, client_id, user_id) VALUES ('sid-1', 'b', 'ada')`) // of an earlier version
		must(t, err)
		got, err := s.Of(t.Context(), "sid-1")
		must(t, err)
		old := logout.Participant{SID: "sid-1", Client: provisioning.ClientID("b"), Alias: subject.Alias{Subject: "ada", SID: "sid-1"}}
		if len(got) != 2 || got[0] != want || got[1] != old {
			t.Errorf("participants %+v", got)
		}
	})
}
