package application

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// JWKS is a JSON Web Key Set (RFC 7517 section 5) of public keys.
type JWKS struct {
	Keys []JWK `yaml:"keys" json:"keys"`
}

// JWK is a public key (RFC 7517 section 4, RFC 7518 section 6). It has no place for
// the members of a private one, which are unknown fields.
type JWK struct {
	KeyType string   `yaml:"kty" json:"kty"`
	KeyID   string   `yaml:"kid,omitempty" json:"kid,omitempty"`
	Use     string   `yaml:"use,omitempty" json:"use,omitempty"`
	Alg     string   `yaml:"alg,omitempty" json:"alg,omitempty"`
	KeyOps  []string `yaml:"key_ops,omitempty" json:"key_ops,omitempty"`
	Curve   string   `yaml:"crv,omitempty" json:"crv,omitempty"`
	X       string   `yaml:"x,omitempty" json:"x,omitempty"`
	Y       string   `yaml:"y,omitempty" json:"y,omitempty"`
	N       string   `yaml:"n,omitempty" json:"n,omitempty"`
	E       string   `yaml:"e,omitempty" json:"e,omitempty"`
}

// MaxClientKeys bounds the keys of an application, each of which may have to be
// tried.
const MaxClientKeys = 20

const minRSABits = 2048

// AssertionAlgs are what a client assertion may be signed with. None of them is
// symmetric, and none is "none".
func AssertionAlgs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
}

// PublicKey returns the key for verifying, or what is wrong with it.
func (k JWK) PublicKey() (jose.JSONWebKey, error) {
	raw, err := json.Marshal(k)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("encode key: %w", err)
	}
	return ParseKey(raw)
}

// ParseKey reads a JWK that can verify a client assertion. Of a private key it
// returns the public half; a symmetric one is an error.
func ParseKey(raw []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if err := json.Unmarshal(raw, &key); err != nil {
		return key, errors.New("is not a valid key of kty RSA, EC or OKP")
	}
	key = key.Public() // zero for a symmetric one
	switch {
	case !slices.ContainsFunc(AssertionAlgs(), func(alg jose.SignatureAlgorithm) bool { return fitsType(key.Key, alg) }):
		return key, errors.New("must be an RSA key of 2048 bits or more, an EC key with P-256, or an OKP key with Ed25519")
	case key.Use != "" && key.Use != "sig":
		return key, errors.New("use must be sig")
	case key.Algorithm != "" && !KeyFits(key, jose.SignatureAlgorithm(key.Algorithm)):
		return key, errors.New("alg does not belong to this key, or is none of RS256, PS256, ES256, EdDSA")
	}
	return key, nil
}

// KeyFits reports whether signatures of that algorithm are verified with the key:
// the key decides, and the alg it names pins it.
func KeyFits(key jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	return (key.Algorithm == "" || key.Algorithm == string(alg)) && fitsType(key.Key, alg)
}

func fitsType(key any, alg jose.SignatureAlgorithm) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits && (alg == jose.RS256 || alg == jose.PS256)
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name == "P-256" && alg == jose.ES256
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	default:
		return false
	}
}

// checkClientKeys wants one source of keys for private_key_jwt and none otherwise.
func (a Application) checkClientKeys(p *Problems) {
	if a.AuthMethod != AuthPrivateKeyJWT {
		if a.JWKS != nil {
			p.add("jwks", "is for auth_method private_key_jwt")
		}
		if a.JWKSURI != "" {
			p.add("jwks_uri", "is for auth_method private_key_jwt")
		}
		return
	}
	switch {
	case a.JWKS == nil && a.JWKSURI == "":
		p.add("jwks", "auth_method private_key_jwt needs jwks or jwks_uri")
	case a.JWKS != nil && a.JWKSURI != "":
		p.add("jwks_uri", "must not be beside jwks")
	case a.JWKS != nil:
		a.JWKS.check(p)
	default:
		if err := checkWebURI(a.JWKSURI); err != nil {
			p.add("jwks_uri", err.Error())
		}
	}
}

func (s *JWKS) check(p *Problems) {
	if len(s.Keys) == 0 || len(s.Keys) > MaxClientKeys {
		p.add("jwks.keys", fmt.Sprintf("must have 1 to %d keys", MaxClientKeys))
		return
	}
	seen := map[string]bool{}
	for i, k := range s.Keys {
		field := fmt.Sprintf("jwks.keys[%d]", i)
		if _, err := k.PublicKey(); err != nil {
			p.add(field, err.Error())
		}
		if k.KeyID != "" && seen[k.KeyID] {
			p.add(field+".kid", "is there twice")
		}
		seen[k.KeyID] = true
	}
}
