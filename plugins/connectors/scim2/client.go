package scim2

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

// maxBody is how many bytes of an answer are read.
const maxBody = 1 << 20

// client sends requests to one SCIM server.
type client struct {
	base    *url.URL
	http    *sdkhttp.Client
	tls     *tls.Config
	media   string // type of what is sent
	timeout time.Duration
	tokens  *tokens // nil when the credentials are in the configuration
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

func newClient(cfg Config) (*client, error) {
	base, err := parseBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, sdk.Invalid("base_url", err.Error())
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, sdk.Invalid("ca_certificates", err.Error())
	}
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &client{
		base:    base,
		tls:     trust,
		timeout: cfg.Timeout,
		tokens:  newTokens(cfg, trust),
		http: sdkhttp.New(sdkhttp.Options{
			Authorize: authorization(cfg), Secrets: cfg.secrets(), Timeout: cfg.Timeout, MaxBody: maxBody, TLS: trust, AddressField: "base_url",
		}),
	}, nil
}

func (c *client) close() {
	c.http.Close()
	if c.tokens != nil {
		c.tokens.http.Close()
	}
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// The kinds of resources.
const (
	usersPath  = "Users"
	groupsPath = "Groups"
)

// all is the address of all resources of a kind, with a query.
func (c *client) all(kind string, query url.Values) *url.URL {
	u := c.base.JoinPath(kind)
	u.RawQuery = query.Encode()
	return u
}

// one is the address of one resource. The id is one path segment, whatever is in
// it.
func (c *client) one(kind, id string) *url.URL {
	u := c.base.JoinPath(kind)
	raw := u.EscapedPath() + "/" + url.PathEscape(id)
	u.Path, u.RawPath = u.Path+"/"+id, raw
	return u
}

// user is the address of one user.
func (c *client) user(id string) *url.URL { return c.one(usersPath, id) }

// do sends the call. An answer that is not 2xx is an error whose cause is an
// [answerError]. A token that is refused is replaced once: a refused call has
// changed nothing.
func (c *client) do(ctx context.Context, cl call) (reply, error) {
	if c.tokens == nil {
		return c.send(ctx, cl, "")
	}
	token, err := c.tokens.get(ctx, "")
	if err != nil {
		return reply{}, err
	}
	re, err := c.send(ctx, cl, token)
	if !hasStatus(err, http.StatusUnauthorized) {
		return re, err
	}
	if token, err = c.tokens.get(ctx, token); err != nil {
		return reply{}, err
	}
	return c.send(ctx, cl, token)
}

func (c *client) send(ctx context.Context, cl call, token sdk.Secret) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	header := http.Header{"Accept": {"application/scim+json, application/json"}}
	if cl.body != nil {
		header.Set("Content-Type", c.media)
	}
	if cl.ifMatch != "" {
		header.Set("If-Match", cl.ifMatch)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token.Reveal())
		cl.values = append(slices.Clone(cl.values), token.Reveal())
	}
	answer, err := c.http.Do(ctx, sdkhttp.Request{
		Method: cl.method, URL: cl.url.String(), Header: header, Body: cl.body, Values: cl.values,
	})
	switch {
	case answer == nil:
		return reply{}, err
	case err != nil:
		return reply{}, c.refused(cl, answer)
	}
	return reply{answer.Header, answer.Body}, nil
}
