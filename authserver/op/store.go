package op

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// The errors of a [Store].
var (
	// ErrNotFound means there is no such code or token.
	ErrNotFound = errors.New("code or token not found")
	// ErrUsed means somebody else used the code or refresh token first.
	ErrUsed = errors.New("code or refresh token was already used")
	// ErrGrantExists means the authorization was answered already.
	ErrGrantExists = errors.New("grant is there already")
	// ErrNoSubject means a grant is for a user, and does not say what its application
	// knows them by.
	ErrNoSubject = errors.New("no subject: the application must not learn the user's id by accident")
	// ErrNoDecision means a row came without the decision it rests on.
	ErrNoDecision = errors.New("no decision: nothing is issued without one")
)

// TokenHash is the SHA-256 of a code or token: 32 raw bytes. Only hashes are
// stored, so who reads the database can use none of them.
type TokenHash string

// HashToken returns the hash under which a code or token is stored.
func HashToken(token string) TokenHash {
	sum := sha256.Sum256([]byte(token))
	return TokenHash(sum[:])
}

// GrantID identifies a family of tokens: all that came of one authorization.
type GrantID string

// Grant is one authorization: what its code and tokens share.
type Grant struct {
	ID        GrantID
	Client    provisioning.ClientID
	User      provisioning.UserID // "" for client_credentials
	Subject   string              // what the application knows the user by: the sub of its tokens
	Decision  provisioning.DecisionID
	Scopes    []string
	Session   string   // id hash of the SSO session
	SID       string   // what the application knows it by; "" if it has none
	AMR       []string // how the user proved who they are (RFC 8176)
	Claims    []string // what the claims parameter asked for, such as "userinfo.name"
	Resources []string // what its access tokens may be for (RFC 8707); none is our own endpoints
	AuthTime  time.Time
	CreatedAt time.Time
	ExpiresAt time.Time // nothing of the family outlives it
	RevokedAt time.Time // zero while it stands
}

// Code is an authorization code with its PKCE and OpenID Connect parts.
type Code struct {
	Hash        TokenHash
	Grant       GrantID
	Decision    provisioning.DecisionID
	RedirectURI string // as requested; "" if it was left out
	Nonce       string
	Challenge   string // RFC 7636, S256; NoChallenge if there deliberately is none
	JKT         string // thumbprint of the key it is for (RFC 9449 section 10); "" if it is for any
	ExpiresAt   time.Time
	UsedAt      time.Time
	KeepUntil   time.Time // when the row may be deleted
}

// NoChallenge is stored for a code without PKCE, so that an empty challenge stays
// what the database refuses.
const NoChallenge = "none"

// AccessToken is an access token.
type AccessToken struct {
	Hash      TokenHash
	Grant     GrantID
	Decision  provisioning.DecisionID
	Scopes    []string // perhaps fewer than the grant's
	JKT       string   // thumbprint of the key it is bound to (RFC 9449 section 6); "" for a bearer token
	Audience  string   // the resource server it is for; "" for our own endpoints
	ExpiresAt time.Time
}

// RefreshToken is a refresh token.
type RefreshToken struct {
	Hash       TokenHash
	Grant      GrantID
	Decision   provisioning.DecisionID
	Generation int       // counts rotations from 1
	Parent     TokenHash // the token it replaced; "" for the first
	JKT        string    // thumbprint of the key it is bound to; "" for a client that authenticates (RFC 9449 section 5)
	ExpiresAt  time.Time // of this token, by not being used
	UsedAt     time.Time // the first time
	KeepUntil  time.Time // when the row may be deleted
	Newest     int       // the family's last generation; 0 when it is added
}

// usable reports whether the token can be exchanged at that time: it is of the
// newest generation and was not used, or its successor is, and it was first used
// within the grace. Only one token of a generation is ever used, so the last
// generation's one parent is the used token before it.
func (t RefreshToken) usable(at time.Time, grace time.Duration) bool {
	if t.UsedAt.IsZero() {
		return t.Generation == t.Newest
	}
	return t.Generation+1 == t.Newest && at.Before(t.UsedAt.Add(grace))
}

// RefreshUse is the exchange of a refresh token for the next.
type RefreshUse struct {
	Hash       TokenHash
	Grant      GrantID
	Generation int
	At         time.Time
	Keep       time.Time     // until when its row is kept
	Grace      time.Duration // how long after the first time it may be used again
}

// GrantStore keeps grants. A row without a decision is refused with
// ErrNoDecision, here and below.
type GrantStore interface {
	// AddGrant returns ErrGrantExists when the id is taken; the transaction is
	// lost then. A grant for a user without a subject is ErrNoSubject.
	AddGrant(ctx context.Context, g Grant) error
	// Grant returns the grant, also when expired or revoked; ErrNotFound if there is
	// none.
	Grant(ctx context.Context, id GrantID) (Grant, error)
	// RevokeGrant revokes the whole family; doing it again changes nothing.
	RevokeGrant(ctx context.Context, id GrantID, at time.Time) error
}

// CodeStore keeps authorization codes.
type CodeStore interface {
	AddCode(ctx context.Context, c Code) error
	// Code returns the code with its grant, also when used, expired or revoked;
	// ErrNotFound if there is none.
	Code(ctx context.Context, hash TokenHash) (Grant, Code, error)
	// UseCode marks the code used, or returns ErrUsed.
	UseCode(ctx context.Context, hash TokenHash, at time.Time) error
}

// AccessTokenStore keeps access tokens.
type AccessTokenStore interface {
	AddAccessToken(ctx context.Context, t AccessToken) error
	// AccessToken returns the token with its grant, also when expired or revoked;
	// ErrNotFound if there is none.
	AccessToken(ctx context.Context, hash TokenHash) (Grant, AccessToken, error)
	// DeleteAccessToken removes one access token and leaves its family as it is;
	// none is no error.
	DeleteAccessToken(ctx context.Context, hash TokenHash) error
}

// RefreshTokenStore keeps refresh tokens.
type RefreshTokenStore interface {
	AddRefreshToken(ctx context.Context, t RefreshToken) error
	// RefreshToken returns the token with its grant, also when used, expired or
	// revoked; ErrNotFound if there is none.
	RefreshToken(ctx context.Context, hash TokenHash) (Grant, RefreshToken, error)
	// UseRefreshToken marks the token used, or returns ErrUsed: it is not of the
	// newest generation, unless that came of it within the grace, or the grant was
	// revoked. Of concurrent calls for one family each sees what the one before did.
	UseRefreshToken(ctx context.Context, u RefreshUse) error
}

// Store is everything the provider persists.
type Store interface {
	// InTx runs fn in one transaction, perhaps more than once. Within fn's context
	// every method takes part in it. An error or a panic rolls back.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	GrantStore
	CodeStore
	AccessTokenStore
	RefreshTokenStore
}
