package application

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

const (
	secretBytes = 32
	// hashTag names the algorithm, so that another can be added beside it.
	hashTag = "sha256:"
)

// GenerateSecret returns a new client secret with 256 random bits.
func GenerateSecret() sdk.Secret {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return sdk.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// HashSecret returns what is stored of a secret. A fast hash is right only
// because secrets are random; see [GenerateSecret].
func HashSecret(secret sdk.Secret) string {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	return hashTag + base64.RawURLEncoding.EncodeToString(sum[:])
}

// VerifySecret reports whether the secret belongs to the hash, in constant time.
// An empty or unknown hash never verifies, so a public client has no secret that
// fits.
func VerifySecret(hash string, secret sdk.Secret) bool {
	if !isSecretHash(hash) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(hash), []byte(HashSecret(secret))) == 1
}

func isSecretHash(hash string) bool {
	encoded, ok := strings.CutPrefix(hash, hashTag)
	return ok && len(encoded) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}
