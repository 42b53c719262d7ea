package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// The errors of a [Log].
var (
	// ErrNoActor means that nobody said who acts: the act must not happen.
	ErrNoActor = errors.New("audit: nobody said who acts")
	// ErrNameless means that an act does not say what was done to what.
	ErrNameless = errors.New("audit: an act needs an action, and an object with a name or id")
)

// Actor is who acts.
type Actor struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // of a command "user@host", as the operating system says
}

// Kind says how an actor is known.
type Kind string

// The kinds of actors.
const (
	KindCommand Kind = "command" // whoever may run the command has the database and the keys
	KindDemo    Kind = "demo"
	KindUser    Kind = "user" // an administrator, signed in; the name is their login
)

// Action says what was done, such as "application.update".
type Action string

// Object is what an act changed.
type Object struct {
	Kind string `json:"kind"` // "application", "user", "target", …
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"` // when it happened
}

// Change is one field. Old and New are left out where a value is a secret or tells of
// a person: it would outlive them here.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// Act is what was done.
type Act struct {
	Action  Action
	Object  Object
	Changes []Change
}

// Event is an act as it is kept.
type Event struct {
	ID        string // in the order of time
	At        time.Time
	Actor     Actor
	Reference string // what one command or request did has one
	Act
}

// Filter selects events; a zero field selects all.
type Filter struct {
	Since  time.Time
	Actor  string // the name
	Object string // a kind, name or id
	Limit  int
}

// Store keeps events. None is ever changed.
type Store interface {
	// Add adds one, in ctx's transaction.
	Add(ctx context.Context, e Event) error
	// List returns the latest events first.
	List(ctx context.Context, f Filter) ([]Event, error)
}

type actorKey struct{}

type acting struct {
	actor     Actor
	reference string
}

// WithActor says who acts in ctx. The reference ties together what one command or
// request does.
func WithActor(ctx context.Context, a Actor, reference string) context.Context {
	return context.WithValue(ctx, actorKey{}, acting{a, reference})
}

func actorFrom(ctx context.Context) (acting, error) {
	who, _ := ctx.Value(actorKey{}).(acting)
	if who.actor.Kind == "" || who.actor.Name == "" {
		return who, ErrNoActor
	}
	return who, nil
}

// Log records acts. All fields must be set.
type Log struct {
	Store Store
	// InTx runs fn in one transaction, perhaps more than once.
	InTx func(ctx context.Context, fn func(ctx context.Context) error) error
	Now  func() time.Time
}

// Do carries an act out and records what it returns, in one transaction. Without an
// actor in ctx it is not begun: ErrNoActor.
func (l *Log) Do(ctx context.Context, act func(ctx context.Context) (Act, error)) error {
	if _, err := actorFrom(ctx); err != nil {
		return err
	}
	return l.InTx(ctx, func(ctx context.Context) error {
		done, err := act(ctx)
		if err != nil {
			return err
		}
		return l.Note(ctx, done)
	})
}

// Note records an act in ctx's transaction, or by itself. What reaches further than
// the database is noted before it is tried. Errors: ErrNoActor, ErrNameless.
func (l *Log) Note(ctx context.Context, act Act) error {
	who, err := actorFrom(ctx)
	if err != nil {
		return err
	}
	if act.Action == "" || act.Object.Kind == "" || act.Object.ID == "" && act.Object.Name == "" {
		return ErrNameless
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return l.Store.Add(ctx, Event{ID: id.String(), At: l.Now(), Actor: who.actor, Reference: who.reference, Act: act})
}
