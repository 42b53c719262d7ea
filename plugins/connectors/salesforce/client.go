package salesforce

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// maxBody is how many bytes of an answer are read: the description of User alone
// can be more than a megabyte.
const maxBody = 4 << 20

// client sends requests to one org.
type client struct {
	login    *url.URL
	root     string // of the REST API, below the instance
	http     *sdkhttp.Client
	tls      *tls.Config
	timeout  time.Duration
	secrets  []sdk.Secret
	owner    owner
	sessions *sessions
	usage    usage
}

// call is one request to the REST API.
type call struct {
	method string
	path   string // below the instance, escaped, with the query
	body   any    // nil for none
	batch  int    // records per page of a query, 0 leaves it to the org
	values []string
}

func newClient(cfg Config) (*client, error) {
	login, err := parseAddress(cfg.LoginURL)
	if err != nil {
		return nil, sdk.Invalid("login_url", err.Error())
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, sdk.Invalid("ca_certificates", err.Error())
	}
	secrets := []sdk.Secret{cfg.ClientSecret}
	g := &granter{cfg: cfg, login: login, timeout: cfg.Timeout}
	if cfg.Auth == authJWTBearer {
		if g.key, err = parseKey(cfg.PrivateKey); err != nil {
			return nil, sdk.Invalid("private_key", err.Error())
		}
		secrets = []sdk.Secret{cfg.PrivateKey}
	}
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	g.secrets = secrets
	g.http = sdkhttp.New(sdkhttp.Options{
		Secrets: secrets, Timeout: cfg.Timeout, MaxBody: maxBody, TLS: trust, AddressField: "login_url",
	})
	return &client{
		login: login, root: "/services/data/" + cfg.version(), http: g.http, tls: trust, timeout: cfg.Timeout,
		secrets: secrets, owner: ownerOf(cfg), sessions: &sessions{fetch: g.grant},
	}, nil
}

// do sends the call. A session that has ended is renewed once: the org refused
// it before it did anything, so that even a write can be sent again.
func (c *client) do(ctx context.Context, cl call) (*sdkhttp.Response, error) {
	s, err := c.sessions.get(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, s, cl)
	if !sessionEnded(err) {
		return resp, err
	}
	c.sessions.drop(s)
	if s, err = c.sessions.get(ctx); err != nil {
		return nil, err
	}
	resp, err = c.send(ctx, s, cl)
	if sessionEnded(err) {
		c.sessions.drop(s) // the next call asks anew
	}
	return resp, err
}

func (c *client) send(ctx context.Context, s *session, cl call) (*sdkhttp.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	header := http.Header{"Authorization": {"Bearer " + s.token.Reveal()}}
	if cl.batch > 0 {
		header.Set("Sforce-Query-Options", batchSize(cl.batch))
	}
	resp, err := c.http.Do(ctx, sdkhttp.Request{
		Method: cl.method, URL: s.instance.String() + cl.path, Header: header, Body: cl.body, Values: cl.values,
	})
	if resp == nil {
		return nil, err
	}
	c.usage.note(ctx, resp.Header)
	if err != nil {
		return nil, c.refused(cl, resp, sdk.AsError(err).Effect, sdk.NewRedactor(slices.Concat(c.secrets, []sdk.Secret{s.token})...))
	}
	return resp, nil
}

// user is the path of one account. The id is one path segment, whatever is in it.
func (c *client) user(id string) string {
	return c.root + "/sobjects/User/" + url.PathEscape(id)
}
