package google

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/sdk"
)

// signer makes a signed JWT of claims, in the name of the service account that
// issuer tells.
type signer struct {
	issuer string
	sign   func(ctx context.Context, claims []byte) (string, error)
}

// serviceAccountKey is the part of a service account's JSON key that is used.
// Where it says to send tokens (token_uri) is not: the configuration says so.
type serviceAccountKey struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
}

// readKey reads a key. The errors are for the person who gave it and repeat
// nothing of it.
func readKey(text sdk.Secret) (serviceAccountKey, error) {
	var k serviceAccountKey
	if err := json.Unmarshal([]byte(text.Reveal()), &k); err != nil {
		return k, fmt.Errorf("must be the JSON text of a service account's key, not the name of a file")
	}
	switch {
	case k.Type != "service_account":
		return k, fmt.Errorf(`must be a key whose type is "service_account"`)
	case checkEmail(k.ClientEmail) != nil:
		return k, fmt.Errorf("lacks the service account's client_email")
	}
	_, err := k.rsa()
	return k, err
}

func (k serviceAccountKey) rsa() (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(k.PrivateKey))
	if block == nil {
		return nil, fmt.Errorf("lacks a private_key in PEM form")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("has a private_key that cannot be read")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("has a private_key that is not RSA")
	}
	return key, nil
}

// signer signs with the key itself (RS256).
func (k serviceAccountKey) signer() (signer, error) {
	key, err := k.rsa()
	if err != nil {
		return signer{}, sdk.Invalid("credentials", err.Error())
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	s, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: k.PrivateKeyID},
	}, options)
	if err != nil {
		return signer{}, sdk.Invalid("credentials", "has a private_key that cannot sign")
	}
	return signer{issuer: k.ClientEmail, sign: func(_ context.Context, claims []byte) (string, error) {
		signed, err := s.Sign(claims)
		if err != nil {
			return "", &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the assertion cannot be signed", Err: err}
		}
		return signed.CompactSerialize()
	}}, nil
}
