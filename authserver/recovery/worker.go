package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver/mail"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Mailer hands a message over; mail.ErrRefused when that is no use.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Service mails links and does what they are for. Fields must be set; make it with
// [New].
type Service struct {
	Options
	due chan struct{}
}

// Options is what a Service is made of.
type Options struct {
	Issuer   string
	Tokens   Tokens
	Requests Requests
	Users    Users
	Sealer   Sealer
	Tx       Tx
	Mailer   Mailer
	Texts    func(language string) web.Texts
	Log      *slog.Logger
	Now      func() time.Time
}

// New returns a service; Run works on its requests.
func New(o Options) *Service { return &Service{Options: o, due: make(chan struct{}, 1)} }

func (s *Service) nudge() {
	select {
	case s.due <- struct{}{}:
	default: // the worker will look anyway
	}
}

const (
	lookEvery = 5 * time.Second
	// lease is how long the work of a server that was killed waits for another.
	lease = time.Minute
	// giveUpAfter is no longer than a link of the shortest life is of use.
	giveUpAfter = 30 * time.Minute
	retryFirst  = 10 * time.Second
	retryCap    = 5 * time.Minute
	// maxPerHour keeps strangers from filling a mailbox.
	maxPerHour = 3
)

// Run works on requests until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.Work(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for mail to send", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.due:
		}
	}
}

// Work does everything that is due.
func (s *Service) Work(ctx context.Context) error {
	for {
		now := s.Now()
		r, ok, err := s.Requests.Claim(ctx, now, now.Add(lease))
		if err != nil || !ok {
			return err
		}
		if err := s.finish(ctx, r, s.deliver(ctx, r)); err != nil {
			return err
		}
	}
}

// finish removes what is done, and makes the rest due later.
func (s *Service) finish(ctx context.Context, r Request, err error) error {
	switch {
	case err == nil:
		return s.Requests.Done(ctx, r.ID)
	case errors.Is(err, mail.ErrRefused) || s.Now().Sub(r.Created) > giveUpAfter:
		s.Log.ErrorContext(ctx, "mail not sent", "error", err)
		return s.Requests.Done(ctx, r.ID)
	default:
		s.Log.WarnContext(ctx, "mail not sent yet", "error", err, "attempt", r.Attempts)
		pause := min(retryFirst<<min(max(r.Attempts-1, 0), 10), retryCap)
		return s.Requests.Again(ctx, r.ID, s.Now().Add(pause))
	}
}

// deliver mails a link, or nothing if there is nobody to mail it to. Each try mails
// a link of its own: one whose mail was lost is never used.
func (s *Service) deliver(ctx context.Context, r Request) error {
	plain, err := s.Sealer.Open(r.Sealed, requestAAD(r.ID))
	if err != nil {
		return fmt.Errorf("%w: %w", mail.ErrRefused, err)
	}
	var w wish
	if err := json.Unmarshal(plain, &w); err != nil {
		return fmt.Errorf("%w: %w", mail.ErrRefused, err)
	}
	u, ok, err := s.recipient(ctx, w)
	if err != nil || !ok {
		return err
	}
	now, secret := s.Now(), newSecret()
	t := Token{Hash: hashOf(secret), User: u.ID, Purpose: w.Purpose, Email: u.Email, CreatedAt: now, ExpiresAt: now.Add(w.Purpose.lifetime())}
	if err := s.Tokens.Insert(ctx, t); err != nil {
		return err
	}
	return s.Mailer.Send(ctx, s.letter(w, u, secret))
}

// recipient returns whom to mail; ok is false for nobody.
func (s *Service) recipient(ctx context.Context, w wish) (u user.User, ok bool, err error) {
	if w.User != "" {
		u, err = s.Users.Get(ctx, w.User)
	} else {
		u, err = s.Users.ByLogin(ctx, w.Login)
	}
	if errors.Is(err, provisioning.ErrUserNotFound) {
		return u, false, nil
	}
	// A password here would outlast the account at the user's upstream.
	foreign := w.Purpose == PurposeReset && u.Source != ""
	if err != nil || foreign || !u.Active() || u.Email == "" || w.Purpose == PurposeVerify && u.EmailVerified {
		return u, false, err
	}
	n, err := s.Tokens.Since(ctx, u.ID, w.Purpose, s.Now().Add(-time.Hour))
	if err == nil && n >= maxPerHour {
		s.Log.WarnContext(ctx, "no more mail for this user for now", "user_id", u.ID, "purpose", w.Purpose)
		return u, false, nil
	}
	return u, err == nil, err
}

func (s *Service) letter(w wish, u user.User, secret string) mail.Message {
	path := pathVerify
	if w.Purpose == PurposeReset {
		path = pathReset
	}
	t, key := s.Texts(w.Language), "mail."+string(w.Purpose)
	link := s.Issuer + path + "?" + url.Values{paramLink: {secret}}.Encode()
	return mail.Message{To: u.Email, Subject: t.T(key + ".subject"), Text: t.T(key+".text", "login", u.Login, "link", link, "issuer", s.Issuer)}
}
