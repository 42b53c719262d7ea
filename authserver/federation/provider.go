package federation

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	maxResponseBytes = 1 << 20
	// providerAge is how long a discovery document is used. Keys are looked for
	// whenever one is missing.
	providerAge = time.Hour
	// talkTimeout bounds everything we ask an upstream within one request.
	talkTimeout = 15 * time.Second
)

// provider is what an upstream says of itself.
type provider struct {
	*oidc.Provider
	issParameter bool   // it puts iss into authorization responses (RFC 9207)
	endSession   string // where people sign out, "" if it does not tell
	revision     int64
	until        time.Time
}

// providers keeps discovery documents, by the upstream's name.
type providers struct {
	mu    sync.Mutex
	known map[string]provider
}

func (p *providers) get(u Upstream, now time.Time) (provider, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.known[u.Name]
	return found, ok && found.revision == u.Revision && now.Before(found.until)
}

func (p *providers) put(name string, found provider) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]provider{}
	}
	p.known[name] = found
}

// limited ends an answer that is longer than any should be.
type limited struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxResponseBytes)
	}
	return res, err
}

// talking returns a context in which go-oidc and oauth2 use our client, whose
// answers are bounded.
func (s *Service) talking(ctx context.Context) (context.Context, context.CancelFunc) {
	client := *s.HTTP
	client.Transport = limited{s.HTTP.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return context.WithTimeout(oidc.ClientContext(ctx, &client), talkTimeout)
}

// discover returns what the upstream says of itself (OpenID Connect Discovery 1.0).
func (s *Service) discover(ctx context.Context, u Upstream) (provider, error) {
	now := s.Now()
	if found, ok := s.providers.get(u, now); ok {
		return found, nil
	}
	p, err := oidc.NewProvider(ctx, u.Issuer)
	if err != nil {
		return provider{}, u.fail(KindUnavailable, "discovery: %w", err)
	}
	var metadata struct {
		JWKS         string `json:"jwks_uri"`
		EndSession   string `json:"end_session_endpoint"`
		IssParameter bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := p.Claims(&metadata); err != nil {
		return provider{}, u.fail(KindUnavailable, "discovery: %w", err)
	}
	if err := checkEndpoints(p, metadata.JWKS, u.UserInfo); err != nil {
		return provider{}, u.fail(KindInvalid, "discovery: %w", err)
	}
	found := provider{p, metadata.IssParameter, metadata.EndSession, u.Revision, now.Add(providerAge)}
	s.providers.put(u.Name, found)
	return found, nil
}

// checkEndpoints holds what was discovered to what an issuer is held to.
func checkEndpoints(p *oidc.Provider, jwks string, userInfo bool) error {
	endpoints := map[string]string{
		"authorization_endpoint": p.Endpoint().AuthURL, "token_endpoint": p.Endpoint().TokenURL, "jwks_uri": jwks,
	}
	if userInfo && p.UserInfoEndpoint() != "" {
		endpoints["userinfo_endpoint"] = p.UserInfoEndpoint()
	}
	for name, raw := range endpoints {
		if err := checkURL(raw, true); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return nil
}

// client is us at the upstream.
func (s *Service) client(u Upstream, p provider) *oauth2.Config {
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if u.AuthMethod == AuthPost {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: u.ClientID, ClientSecret: u.ClientSecret.Reveal(), Endpoint: endpoint, Scopes: u.Scopes, RedirectURL: RedirectURI(s.Issuer, u.Name),
	}
}
