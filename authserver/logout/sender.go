package logout

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/keys"
)

// Signer signs logout tokens; *keys.Ring is one.
type Signer interface {
	// Sign returns payload as a compact JWS of that type, or keys.ErrNoKey.
	Sign(typ keys.Type, alg keys.Alg, payload []byte) (string, error)
}

// Sender tells applications, in the background. All fields must be set; make one
// with NewSender.
type Sender struct {
	service *Service
	signer  Signer
	client  *http.Client // whose addresses come from applications
	log     *slog.Logger
	nudge   chan struct{}
}

// NewSender returns a sender that is not running.
func NewSender(service *Service, signer Signer, client *http.Client, log *slog.Logger) *Sender {
	return &Sender{service: service, signer: signer, client: client, log: log, nudge: make(chan struct{}, 1)}
}

// Nudge makes the sender look for notices now. It never blocks.
func (s *Sender) Nudge() {
	select {
	case s.nudge <- struct{}{}:
	default: // it will look anyway
	}
}

const (
	pollEvery = 5 * time.Second // for what others left: commands, a server that was killed
	batch     = 16
	// lease is how long a notice that is being sent is nobody else's. It is longer
	// than the client waits.
	lease = time.Minute
)

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		for ctx.Err() == nil && s.Send(ctx) == batch {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.nudge:
		}
	}
}

// Send tells everybody who is due, at most a batch of them side by side, and
// returns how many that were.
func (s *Sender) Send(ctx context.Context) int {
	now := s.service.Now()
	due, err := s.service.Notices.Claim(ctx, now, now.Add(lease), batch)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "read logout notices", "error", err)
	}
	var wg sync.WaitGroup
	for _, n := range due {
		wg.Go(func() {
			if err := s.settle(ctx, n); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "store what became of a logout notice", "client_id", n.Client, "error", err)
			}
		})
	}
	wg.Wait()
	return len(due)
}

// settle tells one application, and keeps what became of it.
func (s *Sender) settle(ctx context.Context, n Notice) error {
	again, err := s.tell(ctx, n)
	if err == nil {
		return s.service.Notices.Done(ctx, n.ID)
	}
	n.Attempts++
	n.DueAt = s.service.Now().Add(pause(n.Attempts))
	if !again || !n.DueAt.Before(n.ExpiresAt) {
		s.log.WarnContext(ctx, "an application was not told that a session ended", "client_id", n.Client, "attempts", n.Attempts, "error", err)
		return s.service.Notices.Done(ctx, n.ID)
	}
	return s.service.Notices.Postpone(ctx, n)
}

const (
	firstPause = 2 * time.Second
	maxPause   = 10 * time.Minute
)

// pause doubles with each attempt.
func pause(attempts int) time.Duration {
	return min(firstPause<<min(attempts-1, 10), maxPause)
}

// tell sends one logout token. again reports whether a failure may pass.
func (s *Sender) tell(ctx context.Context, n Notice) (again bool, err error) {
	app, err := s.service.application(ctx, n.Client)
	if err != nil {
		return true, err
	}
	if app.BackchannelLogoutURI == "" {
		return false, nil // it no longer wants to know
	}
	token, err := s.token(app, n)
	if err != nil {
		return true, err
	}
	body := url.Values{"logout_token": {token}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, app.BackchannelLogoutURI, strings.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("send logout token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := s.client.Do(req)
	if err != nil {
		return true, fmt.Errorf("send logout token: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusNoContent {
		return false, nil
	}
	passes := res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout
	return passes, fmt.Errorf("send logout token: the application answered %s", res.Status)
}

// tokenLife is how long an application may take a token for fresh (Back-Channel
// Logout 1.0 section 2.4 recommends at most two minutes).
const tokenLife = 2 * time.Minute

// token makes a logout token (Back-Channel Logout 1.0 section 2.4). It has no
// nonce, so that it is no ID token.
func (s *Sender) token(app application.Application, n Notice) (string, error) {
	now := s.service.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": s.service.Issuer, "sub": n.Alias.Subject, "aud": []any{n.Client}, "sid": n.Alias.SID,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	})
	if err != nil {
		return "", fmt.Errorf("encode logout token: %w", err)
	}
	return s.signer.Sign(keys.TypeLogoutToken, keys.Alg(app.IDTokenAlg), payload)
}
