package op

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ory/fosite/token/jwt"

	"github.com/anteroom-id/anteroom/authserver/keys"
)

// Keys sign and verify tokens; *keys.Ring is one.
type Keys interface {
	// Sign returns payload as a compact JWS of that type, or keys.ErrNoKey.
	Sign(typ keys.Type, alg keys.Alg, payload []byte) (string, error)
	// VerifyHint returns the payload of an ID token that one of our keys signed,
	// retired or not, or keys.ErrInvalidToken.
	VerifyHint(ctx context.Context, token string) ([]byte, error)
	// VerifyAccessToken is the same for an access token.
	VerifyAccessToken(ctx context.Context, token string) ([]byte, error)
}

// signer gives fosite our keys. Fosite's own knows one key, trusts a kid from
// the session's header, and parses without an algorithm allow-list.
type signer struct {
	keys Keys
	now  func() time.Time
}

var _ jwt.Signer = (*signer)(nil)

type algKey struct{}

func withAlg(ctx context.Context, alg string) context.Context {
	return context.WithValue(ctx, algKey{}, keys.Alg(alg))
}

func algFrom(ctx context.Context) keys.Alg {
	if alg, ok := ctx.Value(algKey{}).(keys.Alg); ok && alg != "" {
		return alg
	}
	return keys.RS256
}

// Generate signs the claims. The header is ours alone: what a session carries
// is ignored.
func (s *signer) Generate(ctx context.Context, claims jwt.MapClaims, _ jwt.Mapper) (string, string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", "", fmt.Errorf("encode claims: %w", err)
	}
	token, err := s.keys.Sign(keys.TypeIDToken, algFrom(ctx), payload)
	if err != nil {
		return "", "", err
	}
	signature, err := s.GetSignature(ctx, token)
	return token, signature, err
}

// Decode verifies an id_token_hint and returns its claims. An expired one comes with a
// *jwt.ValidationError that says so: an id_token_hint may have expired.
func (s *signer) Decode(ctx context.Context, token string) (*jwt.Token, error) {
	payload, err := s.keys.VerifyHint(ctx, token)
	if err != nil {
		return nil, &jwt.ValidationError{Errors: jwt.ValidationErrorSignatureInvalid, Inner: err}
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var claims map[string]any // jwt.MapClaims decodes numbers its own way
	if err := decoder.Decode(&claims); err != nil {
		return nil, &jwt.ValidationError{Errors: jwt.ValidationErrorMalformed, Inner: err}
	}
	decoded := &jwt.Token{Header: map[string]any{}, Claims: claims}
	exp, ok := claims["exp"].(json.Number)
	if !ok {
		return nil, &jwt.ValidationError{Errors: jwt.ValidationErrorClaimsInvalid, Inner: errors.New("no exp")}
	}
	at, err := exp.Int64()
	if err != nil || !s.now().Before(time.Unix(at, 0)) {
		return decoded, &jwt.ValidationError{Errors: jwt.ValidationErrorExpired, Inner: errors.New("token expired")}
	}
	return decoded, nil
}

// Validate verifies the token and returns its signature.
func (s *signer) Validate(ctx context.Context, token string) (string, error) {
	if _, err := s.Decode(ctx, token); err != nil {
		return "", err
	}
	return s.GetSignature(ctx, token)
}

// Hash returns the hash of in that belongs to the algorithm.
func (s *signer) Hash(ctx context.Context, in []byte) ([]byte, error) {
	h := algFrom(ctx).NewHash()
	_, _ = h.Write(in) // never fails (package hash)
	return h.Sum(nil), nil
}

// GetSignature returns the third part of a compact JWS.
func (s *signer) GetSignature(_ context.Context, token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("token has not three parts")
	}
	return parts[2], nil
}

// GetSigningMethodLength returns the length of the hash, in bytes.
func (s *signer) GetSigningMethodLength(ctx context.Context) int {
	return algFrom(ctx).NewHash().Size()
}
