package op

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// proofType is the typ of a DPoP proof (RFC 9449 section 4.2).
const proofType = "dpop+jwt"

// The bounds of a DPoP proof.
const (
	// maxProofAge is how long after its iat a proof is taken.
	maxProofAge = time.Minute
	// maxProofBytes has room for an RSA key of 8192 bits and its signature.
	maxProofBytes = 6 << 10
)

// proofAlgs are what a proof may be signed with: none of them is symmetric.
func proofAlgs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}
}

// proofAlgNames are the same as a challenge lists them (RFC 9449 section 7.1).
func proofAlgNames() string {
	var names []string
	for _, alg := range proofAlgs() {
		names = append(names, string(alg))
	}
	return strings.Join(names, " ")
}

// privateMembers are the members of a JWK that only a key that signs has (RFC 7518
// section 6).
func privateMembers() []string { return []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} }

// proof is a DPoP proof: its sender has the private key. What it is about is still
// to be checked.
type proof struct {
	jkt    string // the key's SHA-256 thumbprint (RFC 7638), base64url
	claims proofClaims
}

type proofClaims struct {
	ID          string   `json:"jti"`
	Method      string   `json:"htm"`
	URI         string   `json:"htu"`
	IssuedAt    *float64 `json:"iat"`
	NotBefore   *float64 `json:"nbf"`
	Expires     *float64 `json:"exp"`
	AccessToken string   `json:"ath"`
}

// parseProof verifies the signature and that the claims are there. Its errors are
// for the client to read.
func parseProof(text string) (*proof, error) {
	if len(text) > maxProofBytes {
		return nil, errors.New("it is too long")
	}
	key, err := proofKey(text)
	if err != nil {
		return nil, err
	}
	jws, err := jose.ParseSignedCompact(text, proofAlgs())
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("it is not a JWT signed with ES256, RS256, PS256 or EdDSA")
	}
	if !application.KeyFits(key, jose.SignatureAlgorithm(jws.Signatures[0].Protected.Algorithm)) {
		return nil, errors.New("alg does not belong to the key in jwk")
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return nil, errors.New("the key in jwk does not verify it")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, errors.New("jwk has no thumbprint")
	}
	p := &proof{jkt: base64.RawURLEncoding.EncodeToString(sum)}
	if err := json.Unmarshal(payload, &p.claims); err != nil {
		return nil, errors.New("a claim has the wrong type")
	}
	return p, p.claims.complete()
}

// proofKey returns the public key in the header.
func proofKey(text string) (jose.JSONWebKey, error) {
	first, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	var header, members map[string]json.RawMessage // a struct would take TYP for typ
	if err != nil || json.Unmarshal(raw, &header) != nil {
		return jose.JSONWebKey{}, errors.New("it is not a JWT")
	}
	var kind string
	if json.Unmarshal(header["typ"], &kind) != nil || kind != proofType {
		return jose.JSONWebKey{}, errors.New("typ must be " + proofType)
	}
	if json.Unmarshal(header["jwk"], &members) != nil {
		return jose.JSONWebKey{}, errors.New("jwk is missing or not a key")
	}
	for _, name := range privateMembers() {
		if _, ok := members[name]; ok {
			return jose.JSONWebKey{}, errors.New("jwk must have nothing of a private key")
		}
	}
	key, err := application.ParseKey(header["jwk"])
	if err != nil {
		return jose.JSONWebKey{}, errors.New("jwk " + err.Error())
	}
	return key, nil
}

// complete wants the claims that every proof has.
func (c proofClaims) complete() error {
	switch {
	case c.ID == "" || len(c.ID) > maxJTIBytes:
		return errors.New("jti is missing or too long")
	case c.Method == "":
		return errors.New("htm is missing")
	case c.URI == "":
		return errors.New("htu is missing")
	case c.IssuedAt == nil:
		return errors.New("iat is missing")
	default:
		return nil
	}
}

// isFor checks that the proof was made for this request, and now (RFC 9449 section
// 4.3). The address is the one that clients know, not what a Host header says.
func (c proofClaims) isFor(method, address string, now time.Time) error {
	if c.Method != method {
		return errors.New("htm is not " + method)
	}
	if !sameURI(c.URI, address) {
		return errors.New("htu is not " + address)
	}
	issued, ok := numericDate(c.IssuedAt)
	if !ok || issued.After(now.Add(clockSkew)) {
		return errors.New("iat is in the future")
	}
	if !now.Before(issued.Add(maxProofAge + clockSkew)) {
		return errors.New("iat is too long ago")
	}
	if c.NotBefore != nil {
		if from, ok := numericDate(c.NotBefore); !ok || from.After(now.Add(clockSkew)) {
			return errors.New("nbf is in the future")
		}
	}
	if c.Expires != nil {
		if end, ok := numericDate(c.Expires); !ok || !now.Before(end.Add(clockSkew)) {
			return errors.New("it has expired")
		}
	}
	return nil
}

// keepUntil is when a proof can no longer be taken, and a moment more: instances'
// clocks may differ.
func (c proofClaims) keepUntil() time.Time {
	issued, _ := numericDate(c.IssuedAt)
	return issued.Add(maxProofAge + 2*clockSkew)
}

// hash names the proof among those of its key: nobody else can use up its jti.
func (p *proof) hash() TokenHash {
	sum := sha256.Sum256([]byte(p.jkt + " " + p.claims.ID)) // a thumbprint has no space
	return TokenHash(sum[:])
}

// accessTokenHash is the ath of a proof that goes with the access token.
func accessTokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameURI compares addresses without query and fragment, after the syntax- and
// scheme-based normalisation of RFC 3986 section 6.2.
func sameURI(a, b string) bool {
	left, ok := normalURI(a)
	right, okToo := normalURI(b)
	return ok && okToo && left == right
}

// place is what an address names on the network.
type place struct{ scheme, host, port, path string }

// normalURI returns false for what is no address of ours: not http or https, with a
// user, or with a slash that is escaped.
func normalURI(raw string) (place, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Host == "" || strings.Contains(strings.ToUpper(u.EscapedPath()), "%2F") {
		return place{}, false
	}
	port, ok := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if u.Port() != "" {
		port = u.Port()
	}
	u = new(url.URL).ResolveReference(u) // takes . and .. out of the path
	return place{u.Scheme, strings.ToLower(u.Hostname()), port, u.Path}, ok
}
