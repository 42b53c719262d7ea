package logout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Participant is an application that took part in a session.
type Participant struct {
	SID    string // the session's
	Client provisioning.ClientID
	Alias  subject.Alias // what the application knows user and session by
}

// Notice is what one application is to be told over the back channel.
type Notice struct {
	ID        string
	Client    provisioning.ClientID
	Alias     subject.Alias
	Attempts  int
	DueAt     time.Time
	ExpiresAt time.Time // it is given up then
}

// Participants keeps who took part.
type Participants interface {
	// Join adds one; doing it again changes nothing.
	Join(ctx context.Context, p Participant) error
	// Of returns the session's, in order of their client_ids.
	Of(ctx context.Context, sid string) ([]Participant, error)
	// Forget removes the session's.
	Forget(ctx context.Context, sid string) error
}

// Notices keeps what is to be told.
type Notices interface {
	Add(ctx context.Context, n Notice) error
	// Claim returns up to limit notices that are due, and makes them due again at
	// until: nobody else gets them before.
	Claim(ctx context.Context, now, until time.Time, limit int) ([]Notice, error)
	// Done removes one.
	Done(ctx context.Context, id string) error
	// Postpone stores Attempts and DueAt.
	Postpone(ctx context.Context, n Notice) error
}

// Applications reads applications.
type Applications interface {
	// Get returns application.ErrNotFound for an unknown one.
	Get(ctx context.Context, id provisioning.ClientID) (application.Application, error)
}

// Commits calls a function once the transaction in ctx has committed, at once if
// there is none; see sqldb.DB.AfterCommit.
type Commits interface {
	AfterCommit(ctx context.Context, f func())
}

// Service notes who takes part in sessions and what follows from their end. All
// fields must be set.
type Service struct {
	Issuer       string
	Participants Participants
	Notices      Notices
	Applications Applications
	Commits      Commits
	Nudge        func() // there is a notice
	Now          func() time.Time
}

// keepTrying is how long an application is tried. By then its own session has
// often ended by itself.
const keepTrying = time.Hour

// errNoAlias is better than a logout token that says whose the session was.
var errNoAlias = errors.New("join session: it is not said what the application knows it by")

// Join notes that the application takes part in the session, which it knows by that
// alias: it is told of that, whatever its settings are by then.
func (s *Service) Join(ctx context.Context, sid string, client provisioning.ClientID, alias subject.Alias) error {
	if sid == "" {
		return nil // a session from before applications knew sessions
	}
	if alias.Subject == "" || alias.SID == "" {
		return errNoAlias
	}
	return s.Participants.Join(ctx, Participant{SID: sid, Client: client, Alias: alias})
}

// Ended records what applications must be told now that the session is over. It
// belongs into the transaction that ended it, so that nothing is forgotten.
func (s *Service) Ended(ctx context.Context, over session.Session) error {
	all, err := s.Participants.Of(ctx, over.SID)
	if err != nil {
		return fmt.Errorf("end session at applications: %w", err)
	}
	for _, p := range all {
		if err := s.addNotice(ctx, p); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	s.Commits.AfterCommit(ctx, s.Nudge)
	return s.Participants.Forget(ctx, over.SID)
}

func (s *Service) addNotice(ctx context.Context, p Participant) error {
	app, err := s.application(ctx, p.Client)
	if err != nil || app.BackchannelLogoutURI == "" {
		return err
	}
	now := s.Now()
	return s.Notices.Add(ctx, Notice{ID: rand.Text(), Client: p.Client, Alias: p.Alias, DueAt: now, ExpiresAt: now.Add(keepTrying)})
}

// application returns the zero Application for one that is gone or disabled: it
// is told nothing.
func (s *Service) application(ctx context.Context, id provisioning.ClientID) (application.Application, error) {
	app, err := s.Applications.Get(ctx, id)
	if errors.Is(err, application.ErrNotFound) || err == nil && !app.Enabled {
		return application.Application{}, nil
	}
	if err != nil {
		return application.Application{}, fmt.Errorf("read application: %w", err)
	}
	return app, nil
}

// Frames returns the addresses that the browser must load to end the session at
// its applications over the front channel (OpenID Connect Front-Channel Logout 1.0
// section 3).
func (s *Service) Frames(ctx context.Context, sid string) ([]string, error) {
	all, err := s.Participants.Of(ctx, sid)
	if err != nil {
		return nil, fmt.Errorf("end session at applications: %w", err)
	}
	var frames []string
	for _, p := range all {
		app, err := s.application(ctx, p.Client)
		if err != nil {
			return nil, err
		}
		if app.FrontchannelLogoutURI != "" {
			frames = append(frames, s.frame(app.FrontchannelLogoutURI, p.Alias.SID))
		}
	}
	return frames, nil
}

func (s *Service) frame(uri, sid string) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + url.Values{"iss": {s.Issuer}, "sid": {sid}}.Encode()
}
