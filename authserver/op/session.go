package op

import (
	"fmt"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"github.com/anteroom-id/anteroom/authserver/keys"
)

// session is what fosite knows of the user of a request. It is never stored as
// such: the rows carry its few facts in columns, and every request builds it
// anew. So no header or claim (iat among them) survives from an earlier token.
type session struct {
	subject   string
	user      Grant // what is known of the user; zero for client_credentials
	claims    *jwt.IDTokenClaims
	headers   *jwt.Headers
	expiresAt map[fosite.TokenType]time.Time
	wishes    wishes // of a new grant
}

var _ openid.Session = (*session)(nil)

func newSession() *session {
	return &session{
		claims: &jwt.IDTokenClaims{}, headers: jwt.NewHeaders(),
		expiresAt: map[fosite.TokenType]time.Time{},
	}
}

// setUser makes the session speak for the user. auth_time has whole seconds:
// fosite compares it with the time of the request, and a rest of microseconds
// on one side only would refuse a sign-in of the same second.
func (s *session) setUser(g Grant) {
	s.subject, s.user = string(g.User), g
	s.claims.Subject = g.Subject
	s.claims.AuthenticationMethodsReferences = g.AMR
	s.claims.AuthenticationContextClassReference = acrNone
	if g.SID != "" {
		s.claims.Add(claimSID, g.SID)
	}
	s.claims.AuthTime = g.AuthTime.UTC().Truncate(time.Second)
}

// signWith makes fosite compute at_hash with the hash of that algorithm. Fosite reads
// the bits of it from the end of a name like RS256, which EdDSA does not have. The
// header goes no further: our signer writes its own.
func (s *session) signWith(alg keys.Alg) {
	s.headers.Add("alg", fmt.Sprintf("xx%d", alg.NewHash().Size()*8))
}

// SetExpiresAt sets when a token of that type expires.
func (s *session) SetExpiresAt(key fosite.TokenType, exp time.Time) { s.expiresAt[key] = exp }

// GetExpiresAt returns when a token of that type expires, zero if unset.
func (s *session) GetExpiresAt(key fosite.TokenType) time.Time { return s.expiresAt[key] }

// GetUsername returns "": names are not part of the protocol.
func (s *session) GetUsername() string { return "" }

// GetSubject returns the user's id, "" for client_credentials: it is what a permit
// is for. What the application knows the user by is in the claims.
func (s *session) GetSubject() string { return s.subject }

// IDTokenClaims returns the claims that handlers complete.
func (s *session) IDTokenClaims() *jwt.IDTokenClaims { return s.claims }

// IDTokenHeaders returns the header of the ID token.
func (s *session) IDTokenHeaders() *jwt.Headers { return s.headers }

// Clone returns a session for the same user and nothing else of this one: what
// is minted from it has its own times.
func (s *session) Clone() fosite.Session {
	c := newSession()
	c.setUser(s.user)
	c.subject, c.claims.Subject = s.subject, s.claims.Subject
	return c
}
