package op

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/storage"

	"github.com/anteroom-id/anteroom/provisioning"
)

// fositeStore gives fosite its storage on top of a [Store]. One code row serves
// three of fosite's stores (code, PKCE, OpenID Connect); a grant row holds what
// the family shares.
type fositeStore struct {
	store Store
	times Lifetimes
	now   func() time.Time
}

var (
	_ fosite.Storage                       = (*fositeStore)(nil)
	_ oauth2.CoreStorage                   = (*fositeStore)(nil)
	_ oauth2.TokenRevocationStorage        = (*fositeStore)(nil)
	_ oauth2.ClientCredentialsGrantStorage = (*fositeStore)(nil)
	_ openid.OpenIDConnectRequestStorage   = (*fositeStore)(nil)
	_ pkce.PKCERequestStorage              = (*fositeStore)(nil)
	// Without this one fosite would silently write without a transaction.
	_ storage.Transactional = (*fositeStore)(nil)
)

var (
	errNoTx        = errors.New("a response is written outside a transaction")
	errUnsupported = errors.New("not supported")
)

type txMark struct{}

// inTx runs fn in a transaction in which fosite may write.
func (s *fositeStore) inTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		return fn(context.WithValue(ctx, txMark{}, true))
	})
}

// BeginTX joins the transaction the endpoint opened. Fosite never opens one: the
// whole response is one unit of work.
func (s *fositeStore) BeginTX(ctx context.Context) (context.Context, error) {
	if ctx.Value(txMark{}) == nil {
		return ctx, errNoTx
	}
	return ctx, nil
}

// Commit leaves it to the endpoint.
func (s *fositeStore) Commit(context.Context) error { return nil }

// Rollback leaves it to the endpoint, which sees the error.
func (s *fositeStore) Rollback(context.Context) error { return nil }

// GetClient returns the client the endpoint already looked up.
func (s *fositeStore) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c := unitFrom(ctx).client
	if c == nil || c.GetID() != id {
		return nil, fosite.ErrNotFound
	}
	return c, nil
}

// ClientAssertionJWTValid refuses: client assertions are verified before fosite.
func (s *fositeStore) ClientAssertionJWTValid(context.Context, string) error { return errUnsupported }

// SetClientAssertionJWT refuses: client assertions are verified before fosite.
func (s *fositeStore) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return errUnsupported
}

// CreateAuthorizeCodeSession adds the grant and its code.
func (s *fositeStore) CreateAuthorizeCodeSession(ctx context.Context, signature string, req fosite.Requester) error {
	now := s.now()
	grant, err := s.addGrant(ctx, req, now)
	if err != nil {
		return err
	}
	form := req.GetRequestForm()
	challenge := form.Get("code_challenge")
	if challenge == "" && s.mayOmitPKCE(req) {
		challenge = NoChallenge
	}
	return s.store.AddCode(ctx, Code{
		Hash: TokenHash(signature), Grant: grant.ID, Decision: grant.Decision,
		RedirectURI: form.Get("redirect_uri"), Nonce: form.Get("nonce"), Challenge: challenge, JKT: form.Get(paramJKT),
		ExpiresAt: now.Add(s.times.Code), KeepUntil: now.Add(s.times.Code + keepUsedCode),
	})
}

func (s *fositeStore) mayOmitPKCE(req fosite.Requester) bool {
	c, ok := req.GetClient().(*client)
	return ok && c.app.PKCEOptional && c.confidential()
}

func (s *fositeStore) addGrant(ctx context.Context, req fosite.Requester, now time.Time) (Grant, error) {
	sess, ok := req.GetSession().(*session)
	if !ok {
		return Grant{}, fmt.Errorf("session is a %T", req.GetSession())
	}
	g := Grant{
		ID: GrantID(req.GetID()), Client: provisioning.ClientID(req.GetClient().GetID()),
		User: provisioning.UserID(sess.subject), Subject: sess.user.Subject, Decision: provisioning.PermitFrom(ctx).Decision(),
		Scopes: req.GetGrantedScopes(), Session: sess.user.Session, SID: sess.user.SID, AMR: sess.user.AMR, Claims: sess.user.Claims,
		AuthTime:  sess.claims.AuthTime,
		Resources: sess.wishes.resources,
		CreatedAt: now, ExpiresAt: now.Add(s.times.Code + max(s.times.Access, sess.wishes.longest)),
	}
	if req.GetGrantedScopes().Has(scopeOfflineAccess) {
		g.ExpiresAt = now.Add(s.times.RefreshAbsolute)
	}
	return g, s.store.AddGrant(ctx, g)
}

// GetAuthorizeCodeSession returns the request behind a code that can be
// redeemed, and fosite.ErrNotFound otherwise. A code that was used already
// revokes its family (RFC 6749 section 4.1.2).
//
// The revocation must outlive the refusal: the endpoint calls this first
// outside its transaction, and inside finds the code in the unit.
func (s *fositeStore) GetAuthorizeCodeSession(ctx context.Context, signature string, sess fosite.Session) (fosite.Requester, error) {
	u := unitFrom(ctx)
	if u.code == nil || u.code.Hash != TokenHash(signature) {
		grant, code, err := s.store.Code(ctx, TokenHash(signature))
		if errors.Is(err, ErrNotFound) {
			return nil, fosite.ErrNotFound.WithWrap(err)
		}
		if err != nil {
			return nil, err
		}
		if !code.UsedAt.IsZero() {
			return nil, s.replayed(ctx, grant.ID, ErrUsed)
		}
		if !grant.RevokedAt.IsZero() || !s.now().Before(code.ExpiresAt) {
			return nil, fosite.ErrNotFound.WithDebug("the code expired or was revoked")
		}
		u.grant, u.code, u.decision = &grant, &code, code.Decision
	}
	req := s.request(u, sess)
	req.GetSession().SetExpiresAt(fosite.AuthorizeCode, u.code.ExpiresAt)
	req.Form = url.Values{
		"redirect_uri": {u.code.RedirectURI}, "nonce": {u.code.Nonce},
	}
	if u.code.Challenge != NoChallenge {
		req.Form.Set("code_challenge", u.code.Challenge)
		req.Form.Set("code_challenge_method", methodS256)
	}
	return req, nil
}

// replayed revokes the family and answers as if the code or token were unknown.
func (s *fositeStore) replayed(ctx context.Context, id GrantID, cause error) error {
	if err := s.store.RevokeGrant(ctx, id, s.now()); err != nil {
		return fmt.Errorf("revoke family after a replay: %w", err)
	}
	return fosite.ErrNotFound.WithWrap(cause)
}

// request rebuilds fosite's view of the grant in u.
func (s *fositeStore) request(u *unit, into fosite.Session) *fosite.Request {
	sess, ok := into.(*session)
	if !ok || sess == nil {
		sess = newSession()
	}
	sess.setUser(*u.grant)
	req := fosite.NewRequest()
	req.ID = string(u.grant.ID)
	req.RequestedAt = u.grant.CreatedAt
	req.Client = s.clientOf(u)
	req.RequestedScope = append(fosite.Arguments(nil), u.grant.Scopes...)
	req.GrantedScope = append(fosite.Arguments(nil), u.grant.Scopes...)
	req.Session = sess
	return req
}

func (s *fositeStore) clientOf(u *unit) fosite.Client {
	if u.client != nil && u.client.app.ClientID == u.grant.Client {
		return u.client
	}
	return stranger(u.grant.Client)
}

// InvalidateAuthorizeCodeSession marks the code used. Of several requests that
// redeem one code at the same time, this decides which one wins.
func (s *fositeStore) InvalidateAuthorizeCodeSession(ctx context.Context, signature string) error {
	return s.store.UseCode(ctx, TokenHash(signature), s.now())
}

// CreatePKCERequestSession does nothing: the challenge is in the code row, which
// the database refuses without one.
func (s *fositeStore) CreatePKCERequestSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetPKCERequestSession returns the request with the code's challenge.
func (s *fositeStore) GetPKCERequestSession(ctx context.Context, signature string, sess fosite.Session) (fosite.Requester, error) {
	return s.GetAuthorizeCodeSession(ctx, signature, sess)
}

// DeletePKCERequestSession does nothing. Fosite calls it before it compares the
// verifier; deleting the challenge would let a second request redeem the code
// without one.
func (s *fositeStore) DeletePKCERequestSession(context.Context, string) error { return nil }

// CreateOpenIDConnectSession does nothing: the nonce is in the code row.
func (s *fositeStore) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetOpenIDConnectSession returns the request behind the code, or
// openid.ErrNoSessionFound when it did not ask for an ID token.
func (s *fositeStore) GetOpenIDConnectSession(ctx context.Context, code string, req fosite.Requester) (fosite.Requester, error) {
	found, err := s.GetAuthorizeCodeSession(ctx, string(HashToken(code)), req.GetSession())
	if err != nil {
		return nil, err
	}
	if !found.GetGrantedScopes().Has(scopeOpenID) {
		return nil, openid.ErrNoSessionFound
	}
	return found, nil
}

// DeleteOpenIDConnectSession does nothing: the code row is kept to recognise a
// replay.
func (s *fositeStore) DeleteOpenIDConnectSession(context.Context, string) error { return nil }
