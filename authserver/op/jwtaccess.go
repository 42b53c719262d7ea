package op

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/keys"
)

// accessTokens make and verify access tokens that are JWTs (RFC 9068). Each is a row
// like any other: the row says whether it was revoked, and what it rests on.
type accessTokens struct {
	keys   Keys
	issuer string
	now    func() time.Time
}

// accessClaims are the claims of an access token (RFC 9068 section 2.2).
type accessClaims struct {
	Issuer   string        `json:"iss"`
	Subject  string        `json:"sub"` // the user as the application knows them, or the client that acts for itself
	Audience string        `json:"aud"`
	Expires  int64         `json:"exp"`
	IssuedAt int64         `json:"iat"`
	ID       string        `json:"jti"`
	Client   string        `json:"client_id"`
	Scope    string        `json:"scope,omitempty"`
	AuthTime int64         `json:"auth_time,omitempty"`
	ACR      string        `json:"acr,omitempty"`
	AMR      []string      `json:"amr,omitempty"`
	Confirms *confirmation `json:"cnf,omitempty"` // of a token that is bound to a key
}

// signedWith returns the algorithm of the access token, if it is to be a JWT: the
// resource server says so, or, for our own endpoints, the application.
func (u *unit) signedWith() (keys.Alg, bool) {
	switch {
	case u.aim.server != nil:
		return keys.Alg(u.aim.server.Alg()), u.aim.server.TokenFormat == application.TokenJWT
	case u.client != nil:
		return keys.Alg(u.client.app.IDTokenAlg), u.client.app.AccessTokenFormat == application.TokenJWT
	default:
		return "", false
	}
}

// sign makes the token for the request that is about to be answered.
func (a accessTokens) sign(ctx context.Context, alg keys.Alg, req fosite.Requester) (string, error) {
	sess, ok := req.GetSession().(*session)
	if !ok {
		return "", fmt.Errorf("session is a %T", req.GetSession())
	}
	u := unitFrom(ctx)
	claims := accessClaims{
		Issuer: a.issuer, Subject: sess.claims.Subject, Audience: cmp.Or(u.aim.audience(), a.issuer),
		Expires: sess.GetExpiresAt(fosite.AccessToken).Unix(), IssuedAt: a.now().Unix(), ID: rand.Text(),
		Client: req.GetClient().GetID(), Scope: strings.Join(u.aim.scopes(req.GetGrantedScopes()), " "),
	}
	if sess.subject == "" {
		claims.Subject = claims.Client
	} else {
		claims.AuthTime, claims.ACR, claims.AMR = sess.claims.AuthTime.Unix(), sess.claims.AuthenticationContextClassReference, sess.user.AMR
	}
	if u.jkt != "" {
		claims.Confirms = &confirmation{u.jkt}
	}
	if claims.Subject == "" {
		return "", errors.New("an access token needs a subject")
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	return a.keys.Sign(keys.TypeAccessToken, alg, payload)
}

// isJWT tells a compact JWS, which has three parts, from our opaque tokens of two.
func isJWT(token string) bool { return strings.Count(token, ".") == 2 }
