package application

import "errors"

// TokenFormat says what an access token looks like.
type TokenFormat string

// The values of [TokenFormat]. An opaque token means nothing but to this server; a JWT
// can be read, and verified without asking (RFC 9068).
const (
	TokenOpaque TokenFormat = "opaque"
	TokenJWT    TokenFormat = "jwt"
)

// Check says what is wrong with the format, nil if nothing is; "" is the default.
func (f TokenFormat) Check() error {
	if f != "" && f != TokenOpaque && f != TokenJWT {
		return errors.New("must be opaque or jwt")
	}
	return nil
}
