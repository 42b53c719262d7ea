package cli

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/user"
)

// acting says that this command's caller acts. Whoever can run it has the database
// and the keys, so what the operating system calls them is for people to read, and no
// proof.
func acting(ctx context.Context) context.Context {
	return audit.WithActor(ctx, audit.Actor{Kind: audit.KindCommand, Name: whoami()}, flow.NewReference())
}

// acts carries an act out under its record.
func acts(ctx context.Context, s *daemon.System, action audit.Action, on audit.Object, f func(ctx context.Context) error) error {
	return s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
		return audit.Act{Action: action, Object: on}, f(ctx)
	})
}

// objectOf is a user in the record.
func objectOf(u user.User) audit.Object {
	return audit.Object{Kind: "user", ID: string(u.ID), Name: u.Login}
}

// named is an object that is known by its name.
func named(kind, name string) audit.Object { return audit.Object{Kind: kind, Name: name} }

type auditCommands struct {
	List auditListCommand `cmd:"" help:"List what admins did, the latest first."`
}

type auditListCommand struct {
	Since  time.Duration `help:"Only of the last hours, such as 24h." placeholder:"DURATION"`
	Actor  string        `help:"Only what this one did, as list shows it."`
	Object string        `help:"Only what was done to objects of this kind, name or id."`
	Limit  int           `help:"At most this many." default:"100"`
}

// auditView is one line of the list.
type auditView struct {
	ID        string         `json:"id"`
	At        time.Time      `json:"at"`
	Actor     audit.Actor    `json:"actor"`
	Action    audit.Action   `json:"action"`
	Object    audit.Object   `json:"object"`
	Changes   []audit.Change `json:"changes"`
	Reference string         `json:"reference"`
}

func viewAudit(e audit.Event) auditView {
	return auditView{e.ID, e.At.UTC(), e.Actor, e.Action, e.Object, append([]audit.Change{}, e.Changes...), e.Reference}
}

// Run lists events.
func (c auditListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		f := audit.Filter{Actor: c.Actor, Object: c.Object, Limit: min(max(c.Limit, 1), maxList)}
		if c.Since > 0 {
			f.Since = s.Now().Add(-c.Since)
		}
		events, err := s.Audit.Store.List(ctx, f)
		if err != nil {
			return err
		}
		return r.print(list(events, viewAudit), func(w io.Writer) {
			row(w, "AT", "ACTION", "OBJECT", "ACTOR", "CHANGES")
			for _, e := range events {
				row(w, when(e.At), e.Action, dash(e.Object.Name+objectID(e.Object)), e.Actor.Name, dash(changesOf(e.Changes)))
			}
		})
	})
}

// objectID tells apart who had the same name, one after the other.
func objectID(o audit.Object) string {
	if o.ID == "" || o.ID == o.Name {
		return ""
	}
	return " (" + o.ID + ")"
}

func changesOf(changes []audit.Change) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.Field
		if c.Old != "" || c.New != "" {
			texts[i] += ": " + dash(c.Old) + " → " + dash(c.New)
		}
	}
	return strings.Join(texts, "; ")
}
