package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Alg is a signature algorithm (RFC 7518 section 3.1).
type Alg string

// The algorithms that sign tokens.
const (
	RS256 Alg = "RS256" // 2048 bit
	ES256 Alg = "ES256"
	EdDSA Alg = "EdDSA" // Ed25519 (RFC 8037 section 3.1)
)

// Algs returns the algorithms every server has a key for.
func Algs() []Alg { return []Alg{RS256, ES256, EdDSA} }

// NewHash returns the hash of the algorithm, with which at_hash and c_hash are made
// (OpenID Connect Core 1.0 section 3.1.3.6). Ed25519 has SHA-512 inside.
func (a Alg) NewHash() hash.Hash {
	if a == EdDSA {
		return sha512.New()
	}
	return sha256.New()
}

const rsaBits = 2048

// Type is the typ header of a token: what one is made for, it must not be taken
// for another (RFC 8725 section 3.11).
type Type string

// The types of token that are signed.
const (
	TypeIDToken     Type = "JWT"
	TypeLogoutToken Type = "logout+jwt" // OpenID Connect Back-Channel Logout 1.0 section 2.4
	TypeAccessToken Type = "at+jwt"     // RFC 9068 section 2.1
)

func types() []Type { return []Type{TypeIDToken, TypeLogoutToken, TypeAccessToken} }

// signingKey is a [StoredKey] opened and ready to sign.
type signingKey struct {
	StoredKey
	public  jose.JSONWebKey
	signers map[Type]jose.Signer
}

// published reports whether applications should know the key at that time.
func (k *signingKey) published(at time.Time) bool {
	return k.RetireAt.IsZero() || at.Before(k.RetireAt)
}

func generatePrivate(alg Alg) (crypto.Signer, error) {
	switch alg {
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return nil, fmt.Errorf("algorithm %q is not supported", alg)
	}
}

// newStoredKey makes a fresh key of that generation.
func newStoredKey(sealer *Sealer, alg Alg, generation int, now, activeAt time.Time) (StoredKey, error) {
	private, err := generatePrivate(alg)
	if err != nil {
		return StoredKey{}, fmt.Errorf("generate key: %w", err)
	}
	jwk := jose.JSONWebKey{Key: private, Algorithm: string(alg), Use: "sig"}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return StoredKey{}, fmt.Errorf("generate key: %w", err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	privateJSON, err := json.Marshal(jwk)
	if err != nil {
		return StoredKey{}, fmt.Errorf("generate key: %w", err)
	}
	publicJSON, err := json.Marshal(jwk.Public())
	if err != nil {
		return StoredKey{}, fmt.Errorf("generate key: %w", err)
	}
	sealed, err := sealer.Seal(privateJSON, keyAAD(jwk.KeyID))
	if err != nil {
		return StoredKey{}, err
	}
	return StoredKey{
		KID: jwk.KeyID, Alg: alg, Generation: generation, Sealed: sealed, Public: publicJSON,
		CreatedAt: now, ActiveAt: activeAt,
	}, nil
}

// openKey unseals a key and checks that the row is what it says: a changed
// public part or algorithm must not be trusted.
func openKey(sealer *Sealer, stored StoredKey) (*signingKey, error) {
	text, err := sealer.Open(stored.Sealed, keyAAD(stored.KID))
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", stored.KID, err)
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(text, &jwk); err != nil {
		return nil, fmt.Errorf("open signing key %s: not a JWK", stored.KID) // the error may repeat the key
	}
	if jwk.KeyID != stored.KID || jwk.Algorithm != string(stored.Alg) {
		return nil, fmt.Errorf("open signing key %s: the row was changed", stored.KID)
	}
	key := &signingKey{StoredKey: stored, public: jwk.Public(), signers: map[Type]jose.Signer{}}
	for _, typ := range types() {
		key.signers[typ], err = jose.NewSigner(
			jose.SigningKey{Algorithm: jose.SignatureAlgorithm(stored.Alg), Key: jwk},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)),
		)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", stored.KID, err)
		}
	}
	return key, nil
}

func keyAAD(kid string) []byte { return []byte("signing_key/" + kid) }
