package google

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/anteroom-id/anteroom/sdk"
)

// Bounds of one request.
const (
	maxBody     = 8 << 20 // bytes of an answer: a page of users with everything is large
	maxHeader   = 64 << 10
	dialTimeout = 5 * time.Second
)

// call is one request to the directory.
type call struct {
	writes  bool
	account string   // id or address of the account it is about, "" for none
	values  []string // the user's values in it, kept out of messages
}

// flight is what is known of a request while it is made. The transport finds it
// in the request's context.
type flight struct {
	token  string
	sent   atomic.Bool
	status atomic.Int64 // of the answer, 0 for none
}

type flightKey struct{}

// do lets send make one request with Google's client. A token that is refused is
// replaced, once. Every error is an [*sdk.Error].
func (t *Target) do(ctx context.Context, c call, send func(context.Context) error) (*flight, error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	refused := ""
	for {
		token, err := t.tokens.get(ctx, refused)
		if err != nil {
			return nil, err
		}
		f := &flight{token: token}
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { f.sent.Store(true) }})
		err = send(context.WithValue(traced, flightKey{}, f))
		var answer *googleapi.Error
		if errors.As(err, &answer) && answer.Code == http.StatusUnauthorized && refused == "" {
			refused = token
			continue
		}
		if err != nil {
			return f, t.failure(c, f, err)
		}
		return f, nil
	}
}

// transport adds the token, and caps what is read of an answer.
type transport struct{ next http.RoundTripper }

func newTransport(trust *tls.Config) *transport {
	return &transport{next: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        trust.Clone(),
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeader,
	}}
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] looks for.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	f, _ := r.Context().Value(flightKey{}).(*flight)
	if f != nil {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+f.token)
		if trace := sdk.TraceOf(r.Context()); trace.Parent != "" {
			r.Header.Set("Traceparent", trace.Parent)
		}
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if f != nil {
		f.status.Store(int64(resp.StatusCode))
	}
	resp.Body = &capped{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

var errTooLarge = errors.New("the answer is too large")

// capped is a body that ends with an error where it is too large: a part must
// not pass for the whole.
type capped struct {
	io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLarge
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// noRedirect makes a redirect an answer like any other: it is never followed, as
// the token would go with it.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
