package sdkhttp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Bounds of one request.
const (
	defaultTimeout = 30 * time.Second
	defaultMaxBody = 1 << 20
	maxHeader      = 64 << 10
	maxRedirects   = 3
	dialTimeout    = 5 * time.Second
	// drained is how much of an answer's unread rest is read so that the
	// connection can be used again.
	drained = 64 << 10
)

// Options configure a [Client]. The zero value is usable.
type Options struct {
	// Authorize adds the credentials to a request; see [Bearer] and [Basic].
	Authorize Authorization
	// Secrets are kept out of errors, beside those of Authorize.
	Secrets []sdk.Secret
	// Timeout is how long one request may take with its answer; 0 means 30 s. The
	// context's deadline holds as well.
	Timeout time.Duration
	// MaxBody is the largest answer in bytes; 0 means 1 MiB. A larger one is as
	// good as none.
	MaxBody int64
	// TLS is nil for the system's certificates and TLS 1.2 and later.
	TLS *tls.Config
	// AddressField is the configuration field that errors name when the address is
	// at fault, such as "base_url".
	AddressField string
	// Permit, if set, is asked before each connection, with the address that is
	// about to be dialled: what a name resolved to a moment before does not count.
	// Its error ends the request; make it an [*sdk.Error]. The proxy of the
	// environment is then not used, since it would dial in our place.
	Permit func(netip.Addr) error
	// RefuseRedirects refuses even those to the same origin.
	RefuseRedirects bool
}

// Client sends requests to one target. It may be used by many goroutines.
type Client struct {
	http     *http.Client
	options  Options
	redactor sdk.Redactor
}

// New returns a Client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		trust = o.TLS.Clone() // the transport changes it
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         Dialer(o.Permit).DialContext,
		TLSClientConfig:     trust,
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     time.Minute,

		MaxResponseHeaderBytes: maxHeader,
	}
	if o.Permit != nil {
		transport.Proxy = nil
	}
	redirects := checkRedirect
	if o.RefuseRedirects {
		redirects = func(*http.Request, []*http.Request) error { return errRedirect }
	}
	return &Client{
		http:     &http.Client{Transport: transport, CheckRedirect: redirects},
		options:  o,
		redactor: sdk.NewRedactor(slices.Concat(o.Secrets, o.Authorize.secrets)...),
	}
}

// Dialer returns what a [Client] with this [Options.Permit], which may be nil,
// makes its connections with.
func Dialer(permit func(netip.Addr) error) *net.Dialer {
	d := &net.Dialer{Timeout: dialTimeout}
	if permit != nil {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			dialled, err := netip.ParseAddrPort(address)
			if err != nil {
				return defect("the address that is dialled is no IP address", err)
			}
			return permit(dialled.Addr())
		}
	}
	return d
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Redactor returns what keeps the client's secrets out of texts.
func (c *Client) Redactor() sdk.Redactor { return c.redactor }

// Authorization adds credentials to requests and knows which secrets it adds.
// The zero Authorization adds nothing.
type Authorization struct {
	set     func(*http.Request)
	secrets []sdk.Secret
}

// Bearer sends a token (RFC 6750).
func Bearer(token sdk.Secret) Authorization {
	return Header("Authorization", "Bearer ", token)
}

// Basic sends a user name and password (RFC 7617).
func Basic(username string, password sdk.Secret) Authorization {
	pair := base64.StdEncoding.EncodeToString([]byte(username + ":" + password.Reveal()))
	a := Header("Authorization", "Basic ", sdk.Secret(pair))
	a.secrets = append(a.secrets, password)
	return a
}

// Header sends a secret behind a prefix, which may be "", in the header of that
// name.
func Header(name, prefix string, secret sdk.Secret) Authorization {
	return Authorization{
		set:     func(r *http.Request) { r.Header.Set(name, prefix+secret.Reveal()) },
		secrets: []sdk.Secret{secret},
	}
}

// Do sends a request and reads its answer. The context needs a deadline, as that
// of every verb has.
//
// Every error is an [*sdk.Error]. An answer other than 2xx is one, and is
// returned beside it, for who knows more of the target than its status says.
// Without an answer the Response is nil.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, defect("the request has no deadline", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	// A request whose headers were not even written cannot have been understood.
	// Earlier tries of the same one, and redirects, count as well.
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := c.build(traced, r)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, c.lost(r, sent.Load(), err)
	}
	defer answer.Body.Close()
	body, err := c.read(answer.Body)
	resp := &Response{Status: answer.StatusCode, Header: answer.Header, Body: body, reads: r.reads()}
	if answer.StatusCode/100 != 2 {
		return resp, c.refused(r, resp)
	}
	if err != nil {
		return nil, c.lost(r, true, err)
	}
	return resp, nil
}

// read returns an error, and nothing, for an answer that is too large.
func (c *Client) read(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, c.options.MaxBody+1))
	if int64(len(body)) > c.options.MaxBody {
		_, _ = io.CopyN(io.Discard, r, drained)
		return nil, errTooLarge
	}
	return body, err
}

var (
	errTooLarge = errors.New("the answer is too large")
	errRedirect = errors.New("refused redirect")
)

// checkRedirect follows only to the same origin and with the same method:
// elsewhere the credentials would leak, and a POST turned into a GET would look
// like an answer to the POST.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	same := next.URL.Scheme == first.URL.Scheme && next.URL.Host == first.URL.Host
	if len(via) > maxRedirects || next.Method != first.Method || !same {
		return errRedirect
	}
	return nil
}
