package federation

import (
	"errors"
	"fmt"
)

// Kind says what stopped a sign-in with an upstream; it decides what the user reads.
type Kind string

// The kinds of errors.
const (
	KindUnavailable Kind = "unavailable" // the upstream does not answer, or not with an answer
	KindDenied      Kind = "denied"      // the person, or the upstream for them, said no
	KindRefused     Kind = "refused"     // the upstream refuses us: client, secret, scopes or redirect URI
	KindInvalid     Kind = "invalid"     // the answer does not verify: it is not believed
	KindNoAccount   Kind = "no_account"  // nobody is linked, and jit is off
	KindTaken       Kind = "taken"       // the login or e-mail address belongs to a user who is not linked
	KindLinked      Kind = "linked"      // somebody else is linked
	KindProfile     Kind = "profile"     // what the upstream tells makes no user
)

// Error is why a sign-in with an upstream ended.
type Error struct {
	Kind     Kind
	Upstream string // its name
	Label    string // what people know it by
	Err      error  // for the log; never shown
}

// Error tells an operator what happened.
func (e *Error) Error() string { return fmt.Sprintf("upstream %s: %s: %v", e.Upstream, e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (u Upstream) fail(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Upstream: u.Name, Label: u.label(), Err: fmt.Errorf(format, args...)}
}

// IsKind reports whether err is an [Error] of the kind.
func IsKind(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}

// The other errors of this package.
var (
	// ErrNotFound means there is no such upstream, or it is disabled.
	ErrNotFound = errors.New("upstream not found")
	// ErrState means an answer belongs to no sign-in of ours, or was used already.
	ErrState = errors.New("the upstream's answer belongs to no open sign-in")
	// ErrNoLink means the subject is linked to nobody.
	ErrNoLink = errors.New("subject is not linked")
	// ErrUnconfirmed means that the person has to confirm what the upstream tells.
	ErrUnconfirmed = errors.New("the person did not confirm who they are yet")
	// ErrLinked means the subject is linked already.
	ErrLinked = errors.New("subject is linked already")
)
