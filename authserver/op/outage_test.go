package op_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
)

// wantUnavailable checks for an answer that clients repeat.
func wantUnavailable(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusServiceUnavailable || decodeTokens(t, w).Error != "temporarily_unavailable" || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%s: %d %v %s; want 503 with Retry-After", name, w.Code, w.Header(), w.Body)
	}
}

// While the database is down every endpoint says so. A client told 200 would forget
// the token it revoked (RFC 7009 section 2.2.1), one told 400 its refresh token.
func TestDatabaseDownIs503(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		code, asked := s.code(t, authorizeForm()), s.device(t, "openid")
		s.allowDevice(t, asked)
		if err := s.db.Close(); err != nil {
			t.Fatal(err)
		}
		for name, form := range map[string]url.Values{
			"code": codeForm(code), "refresh": refreshForm(issued.RefreshToken), "device": deviceForm(asked), "client": {"grant_type": {"client_credentials"}},
		} {
			wantUnavailable(t, name, s.token(form))
		}
		wantUnavailable(t, "userinfo", s.userinfo(issued.AccessToken))
		for path, form := range map[string]url.Values{
			op.PathIntrospect: {"token": {issued.RefreshToken}}, op.PathRevoke: {"token": {issued.RefreshToken}},
			op.PathPushed: authorizeForm(), op.PathDevice: {"scope": {"openid"}},
		} {
			wantUnavailable(t, path, s.asApp(path, form))
		}
		if q := redirected(t, s.authorize(authorizeForm())); q.Get("error") != "temporarily_unavailable" || q.Get("code") != "" {
			t.Errorf("authorize: %v, want temporarily_unavailable", q)
		}
	})
}

// downApplications cannot be read.
type downApplications struct{ op.Applications }

func (downApplications) Get(context.Context, provisioning.ClientID) (application.Application, error) {
	return application.Application{}, fmt.Errorf("read application: %w", driver.ErrBadConn)
}

// Before it is known where an answer may go, the person sees a page.
func TestDatabaseDownBeforeTheApplicationIsKnown(t *testing.T) {
	whole := lite(t)
	s := newServer(t, whole.db, func(o *op.Options) { o.Applications = downApplications{} })
	if w := s.authorize(authorizeForm()); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("authorize: %d %v %s; want 503 with Retry-After", w.Code, w.Header(), w.Body)
	}
	wantUnavailable(t, "token", s.token(codeForm("x")))
}

// outage takes the stores down after some calls.
type outage struct{ left int }

func (o *outage) call() error {
	if o.left--; o.left < 0 {
		return fmt.Errorf("call store: %w", driver.ErrBadConn)
	}
	return nil
}

// failingTokens is what the token endpoint calls.
type failingTokens struct {
	op.Store
	*outage
}

func (f failingTokens) InTx(ctx context.Context, fn func(context.Context) error) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.InTx(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return f.call() // the commit
	})
}

func (f failingTokens) Grant(ctx context.Context, id op.GrantID) (op.Grant, error) {
	if err := f.call(); err != nil {
		return op.Grant{}, err
	}
	return f.Store.Grant(ctx, id)
}

func (f failingTokens) Code(ctx context.Context, hash op.TokenHash) (op.Grant, op.Code, error) {
	if err := f.call(); err != nil {
		return op.Grant{}, op.Code{}, err
	}
	return f.Store.Code(ctx, hash)
}

func (f failingTokens) UseCode(ctx context.Context, hash op.TokenHash, at time.Time) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.UseCode(ctx, hash, at)
}

func (f failingTokens) AddAccessToken(ctx context.Context, token op.AccessToken) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.AddAccessToken(ctx, token)
}

func (f failingTokens) AddRefreshToken(ctx context.Context, token op.RefreshToken) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.AddRefreshToken(ctx, token)
}

func (f failingTokens) RefreshToken(ctx context.Context, hash op.TokenHash) (op.Grant, op.RefreshToken, error) {
	if err := f.call(); err != nil {
		return op.Grant{}, op.RefreshToken{}, err
	}
	return f.Store.RefreshToken(ctx, hash)
}

func (f failingTokens) UseRefreshToken(ctx context.Context, u op.RefreshUse) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.UseRefreshToken(ctx, u)
}

// failingDevices is what a device's poll calls.
type failingDevices struct {
	device.Store
	*outage
}

func (f failingDevices) Request(ctx context.Context, hash []byte) (device.Request, error) {
	if err := f.call(); err != nil {
		return device.Request{}, err
	}
	return f.Store.Request(ctx, hash)
}

func (f failingDevices) Use(ctx context.Context, hash []byte, at time.Time) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.Use(ctx, hash, at)
}

// Wherever the database goes down while tokens are made, the client is told to try
// again, and can: neither its code nor its refresh token is used up.
func TestDatabaseGoesDownMeanwhile(t *testing.T) {
	s := lite(t)
	down := &outage{}
	shaky := newServer(t, s.db, func(o *op.Options) {
		o.Store, o.Devices = failingTokens{o.Store, down}, failingDevices{o.Devices, down}
	})
	shaky.clock = s.clock
	refresh := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).RefreshToken
	asked := s.device(t, everything)
	s.allowDevice(t, asked)
	for name, form := range map[string]url.Values{
		"code": codeForm(s.code(t, authorizeForm())), "refresh": refreshForm(refresh), "device": deviceForm(asked),
	} {
		calls := 0
		for ; calls < 50; calls++ {
			down.left = calls
			w := shaky.token(form)
			if w.Code == http.StatusOK {
				break
			}
			wantUnavailable(t, fmt.Sprintf("%s, after %d calls", name, calls), w)
		}
		if calls < 5 || calls == 50 {
			t.Errorf("%s: %d calls were enough, want a few", name, calls)
		}
	}
}
