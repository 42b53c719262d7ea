package ldap

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// pool keeps bound connections, up to a number. One connection serves one call
// at a time; idle ones are kept for the next.
type pool struct {
	dialer   dialer
	timeout  time.Duration
	redactor sdk.Redactor
	fields   map[string]string // declared attribute by lower-case LDAP name
	slots    chan struct{}

	mu     sync.Mutex
	idle   []*session
	closed bool
}

func newPool(d dialer, cfg Config) *pool {
	return &pool{
		dialer: d, timeout: cfg.Timeout, slots: make(chan struct{}, cfg.Connections),
		redactor: sdk.NewRedactor(cfg.BindPassword), fields: newProfile(cfg).fields(),
	}
}

// call is one request.
type call struct {
	name   string // for messages: "search", "add", …
	writes bool
	values []string // the user's values in it, kept out of messages
	large  bool     // the answer may be
	run    func(*goldap.Conn) error
}

// do sends the call. When a connection that was kept turns out to be dead, the
// call is sent again over a new one, once and only if it cannot have been done.
func (p *pool) do(ctx context.Context, c call) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if err := p.enter(ctx); err != nil {
		return p.failure(c, false, err)
	}
	defer func() { <-p.slots }()
	if s := p.kept(); s != nil {
		sent, err := p.use(ctx, s, c)
		if !p.again(ctx, c, sent, err) {
			return p.failure(c, sent, err)
		}
	}
	s, err := p.dialer.connect(ctx)
	if err != nil {
		return p.unconnected(err)
	}
	sent, err := p.use(ctx, s, c)
	return p.failure(c, sent, err)
}

// enter waits for a free connection.
func (p *pool) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// use makes the call and keeps the connection if that is still good.
func (p *pool) use(ctx context.Context, s *session, c call) (sent bool, err error) {
	before := s.raw.wrote.Load()
	allowed := int64(maxAnswer)
	if c.large {
		allowed = maxLarge
	}
	err = s.exchange(ctx, allowed, c.run)
	sent = s.raw.wrote.Load() != before
	p.keep(s, err)
	return sent, err
}

// again reports whether a call over a kept connection is to be made over a new
// one: the directory has forgotten who we are, or the connection was dead.
func (p *pool) again(ctx context.Context, c call, sent bool, err error) bool {
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, errTooLarge):
		return false
	case resultOf(err) != nil:
		return unbound(err)
	default:
		return !c.writes || !sent
	}
}

// unbound reports whether the directory refuses because the connection is no
// longer bound. Active Directory says so as operationsError.
func unbound(err error) bool {
	return goldap.IsErrorAnyOf(err, goldap.LDAPResultOperationsError, goldap.LDAPResultStrongAuthRequired)
}

// kept takes an idle connection; nil if there is none alive.
func (p *pool) kept() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		s := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if s.alive() {
			return s
		}
		s.close()
	}
	return nil
}

// keep makes a connection idle, or closes it if its last call does not speak for
// it.
func (p *pool) keep(s *session, err error) {
	answered := err == nil || resultOf(err) != nil
	spoilt := unbound(err) || goldap.IsErrorAnyOf(err, goldap.LDAPResultUnavailable, goldap.LDAPResultOther)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !answered || spoilt || p.closed || !s.alive() {
		s.close()
		return
	}
	p.idle = append(p.idle, s)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, s := range slices.Backward(p.idle) {
		s.close()
	}
	p.idle = nil
}
