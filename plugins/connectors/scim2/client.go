package scim2

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Bounds of one request.
const (
	maxBody      = 1 << 20 // bytes of an answer that are read
	maxHeader    = 64 << 10
	maxRedirects = 3
	dialTimeout  = 5 * time.Second
	mediaType    = "application/scim+json"
)

// client sends requests to one SCIM server.
type client struct {
	base      *url.URL
	http      *http.Client
	tls       *tls.Config
	timeout   time.Duration
	authorize func(*http.Request)
	hidden    hidden
	now       func() time.Time
}

// call is one request.
type call struct {
	method  string
	url     *url.URL
	body    any      // nil for none
	ifMatch string   // entity tag, "" for none
	values  []string // the user's values in it, kept out of messages
}

func (c call) writes() bool { return c.method != http.MethodGet }

// reply is a 2xx answer.
type reply struct {
	header http.Header
	body   []byte
}

var errRedirect = errors.New("refused redirect")

func newClient(cfg Config) (*client, error) {
	base, err := parseBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "base_url", Message: err.Error()}
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "ca_certificates", Message: err.Error()}
	}
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:     trust.Clone(), // the transport changes its copy
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     time.Minute,

		MaxResponseHeaderBytes: maxHeader,
	}
	return &client{
		base:      base,
		tls:       trust,
		http:      &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		timeout:   cfg.Timeout,
		authorize: authorizer(cfg),
		hidden:    newHidden(cfg),
		now:       time.Now,
	}, nil
}

func authorizer(cfg Config) func(*http.Request) {
	if cfg.Auth == authBasic {
		return func(r *http.Request) { r.SetBasicAuth(cfg.Username, cfg.Password.Reveal()) }
	}
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+cfg.Token.Reveal()) }
}

// checkRedirect follows only to the same origin and with the same method:
// elsewhere the credentials would leak, and a POST turned into a GET would look
// like an answer to the POST.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || next.Method != first.Method || !sameOrigin(next.URL, first.URL) {
		return errRedirect
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// users is the address of the user endpoint with a query.
func (c *client) users(query url.Values) *url.URL {
	u := c.base.JoinPath("Users")
	u.RawQuery = query.Encode()
	return u
}

// user is the address of one user. The id is one path segment, whatever is in it.
func (c *client) user(id string) *url.URL {
	u := c.base.JoinPath("Users")
	raw := u.EscapedPath() + "/" + url.PathEscape(id)
	u.Path, u.RawPath = u.Path+"/"+id, raw
	return u
}

// do sends the call. An answer that is not 2xx is an error whose cause is an
// [answerError].
func (c *client) do(ctx context.Context, cl call) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := c.request(ctx, cl)
	if err != nil {
		return reply{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, c.notAnswered(cl, connected.Load(), err)
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body)
	if resp.StatusCode/100 != 2 {
		return reply{}, c.refused(cl, resp, body)
	}
	if err != nil {
		return reply{}, c.notAnswered(cl, true, err)
	}
	return reply{resp.Header, body}, nil
}

func (c *client) request(ctx context.Context, cl call) (*http.Request, error) {
	var body io.Reader
	if cl.body != nil {
		encoded, err := json.Marshal(cl.body)
		if err != nil {
			return nil, &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "cannot encode the request", Err: err}
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, cl.method, cl.url.String(), body)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "cannot build the request"}
	}
	req.Header.Set("Accept", mediaType+", application/json")
	if cl.body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if cl.ifMatch != "" {
		req.Header.Set("If-Match", cl.ifMatch)
	}
	c.authorize(req)
	return req, nil
}

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxBody)

func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return body, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return body, nil
}
