package op

import (
	"context"
	"errors"
	"time"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/provisioning"
)

// How long rows are kept that can no longer be used, to recognise their reuse.
const (
	keepUsedCode    = 30 * time.Minute
	keepUsedRefresh = 48 * time.Hour
)

// CreateAccessTokenSession adds an access token, and its grant when nothing was
// presented that has one (client_credentials).
func (s *fositeStore) CreateAccessTokenSession(ctx context.Context, signature string, req fosite.Requester) error {
	u := unitFrom(ctx)
	if u.grant == nil {
		if _, err := s.addGrant(ctx, req, s.now()); err != nil {
			return err
		}
	}
	return s.store.AddAccessToken(ctx, AccessToken{
		Hash: TokenHash(signature), Grant: GrantID(req.GetID()),
		Decision: provisioning.PermitFrom(ctx).Decision(), Scopes: u.aim.scopes(req.GetGrantedScopes()), Audience: u.aim.audience(), JKT: u.jkt,
		ExpiresAt: req.GetSession().GetExpiresAt(fosite.AccessToken),
	})
}

// GetAccessTokenSession refuses: the endpoints that take access tokens read the
// row themselves.
func (s *fositeStore) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, errUnsupported
}

// DeleteAccessTokenSession refuses: families are revoked, not tokens.
func (s *fositeStore) DeleteAccessTokenSession(context.Context, string) error { return errUnsupported }

// CreateRefreshTokenSession adds a refresh token, the next generation when one
// was presented. No token outlives its grant. A public client's is bound to its key;
// any other client proves who it is by itself, and may change its key (RFC 9449
// section 5).
func (s *fositeStore) CreateRefreshTokenSession(ctx context.Context, signature, _ string, req fosite.Requester) error {
	u := unitFrom(ctx)
	if u.grant == nil {
		return errors.New("a refresh token needs a grant")
	}
	expires := s.now().Add(s.times.RefreshIdle)
	if expires.After(u.grant.ExpiresAt) {
		expires = u.grant.ExpiresAt
	}
	token := RefreshToken{
		Hash: TokenHash(signature), Grant: u.grant.ID, Decision: provisioning.PermitFrom(ctx).Decision(),
		Generation: 1, ExpiresAt: expires, KeepUntil: expires,
	}
	if u.refresh != nil {
		token.Generation, token.Parent = u.refresh.Generation+1, u.refresh.Hash
	}
	if u.client == nil || u.client.IsPublic() {
		token.JKT = u.jkt
	}
	return s.store.AddRefreshToken(ctx, token)
}

// GetRefreshTokenSession returns the request behind a refresh token that can be
// used, and fosite.ErrNotFound otherwise. One that was used already revokes its
// family; like for codes, that happens outside the endpoint's transaction.
func (s *fositeStore) GetRefreshTokenSession(ctx context.Context, signature string, sess fosite.Session) (fosite.Requester, error) {
	u := unitFrom(ctx)
	if u.refresh == nil || u.refresh.Hash != TokenHash(signature) {
		grant, token, err := s.store.RefreshToken(ctx, TokenHash(signature))
		if errors.Is(err, ErrNotFound) {
			return nil, fosite.ErrNotFound.WithWrap(err)
		}
		if err != nil {
			return nil, err
		}
		now := s.now()
		if !s.mayUse(u, grant, token, now) {
			return nil, s.replayed(ctx, grant.ID, ErrUsed)
		}
		if !grant.RevokedAt.IsZero() || !now.Before(token.ExpiresAt) || !now.Before(grant.ExpiresAt) {
			return nil, fosite.ErrNotFound.WithDebug("the refresh token expired or was revoked")
		}
		u.grant, u.refresh, u.decision = &grant, &token, token.Decision
	}
	req := s.request(u, sess)
	req.GetSession().SetExpiresAt(fosite.RefreshToken, u.refresh.ExpiresAt)
	return req, nil
}

// mayUse reports whether the token may be exchanged as far as its family goes. A
// used one is for its own application alone: in other hands it was stolen.
func (s *fositeStore) mayUse(u *unit, grant Grant, token RefreshToken, now time.Time) bool {
	if u.client == nil || u.client.app.ClientID != grant.Client {
		return token.usable(now, 0)
	}
	return token.usable(now, u.client.app.Grace())
}

// DeleteRefreshTokenSession refuses: used tokens are kept to recognise reuse.
func (s *fositeStore) DeleteRefreshTokenSession(context.Context, string) error {
	return errUnsupported
}

// RotateRefreshToken marks the presented token used. Of several requests with
// one token, this decides which of them get the next: the first, and within the
// grace those that repeat it. The access token that came with it lives on to its
// end: applications use it until they have the new one.
func (s *fositeStore) RotateRefreshToken(ctx context.Context, _, signature string) error {
	u, now := unitFrom(ctx), s.now()
	if u.refresh == nil || u.refresh.Hash != TokenHash(signature) || u.client == nil {
		return errors.New("the refresh token is not the one presented")
	}
	return s.store.UseRefreshToken(ctx, RefreshUse{
		Hash: u.refresh.Hash, Grant: u.refresh.Grant, Generation: u.refresh.Generation,
		At: now, Keep: now.Add(keepUsedRefresh), Grace: u.client.app.Grace(),
	})
}

// RevokeRefreshToken revokes the family.
func (s *fositeStore) RevokeRefreshToken(ctx context.Context, requestID string) error {
	return s.store.RevokeGrant(ctx, GrantID(requestID), s.now())
}

// RevokeAccessToken revokes the family.
func (s *fositeStore) RevokeAccessToken(ctx context.Context, requestID string) error {
	return s.store.RevokeGrant(ctx, GrantID(requestID), s.now())
}
