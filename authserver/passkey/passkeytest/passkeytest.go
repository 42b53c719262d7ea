// Package passkeytest owns an authenticator and its browser, in memory: enough of
// WebAuthn Level 3 for tests, with what they must not do at the turn of a field. It does
// not own what a real browser does; that is tested in one.
package passkeytest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Authenticator makes keys and signs with them. Set fields between calls.
type Authenticator struct {
	Origin      string // where the browser is
	CrossOrigin bool   // in a frame on another site's page
	Party       string // makes keys for it, whatever is asked; "" for what is asked
	Absent      bool   // nobody touches it
	Unverified  bool   // it does not verify who does
	Synced      bool   // keys leave the device
	Counts      bool   // signatures are counted
}

// Key is one of an authenticator's keys.
type Key struct {
	ID, Handle []byte
	Count      uint32
	private    *ecdsa.PrivateKey
}

// ErrExcluded means that the authenticator has a key that may not be there.
var ErrExcluded = errors.New("a key is there already")

// bytes64 is binary data in JSON.
type bytes64 []byte

func (b bytes64) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawURLEncoding.EncodeToString(b))
}

func (b *bytes64) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	var err error
	*b, err = base64.RawURLEncoding.DecodeString(s)
	return err
}

// Asked is what a browser is asked, as far as this one looks.
type Asked struct {
	Challenge string `json:"challenge"`
	Party     string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID          bytes64 `json:"id"`
		Name        string  `json:"name"`
		DisplayName string  `json:"displayName"`
	} `json:"user"`
	Exclude []struct {
		ID bytes64 `json:"id"`
	} `json:"excludeCredentials"`
	Allow            []any  `json:"allowCredentials"`
	Attestation      string `json:"attestation"`
	UserVerification string `json:"userVerification"`
	Selection        struct {
		ResidentKey      string `json:"residentKey"`
		UserVerification string `json:"userVerification"`
	} `json:"authenticatorSelection"`
}

// Read reads what a browser is asked.
func Read(options []byte) (Asked, error) {
	var a Asked
	err := json.Unmarshal(options, &a)
	return a, err
}

type response struct {
	ClientData        bytes64  `json:"clientDataJSON"`
	Attestation       bytes64  `json:"attestationObject,omitempty"`
	AuthenticatorData bytes64  `json:"authenticatorData,omitempty"`
	Signature         bytes64  `json:"signature,omitempty"`
	UserHandle        bytes64  `json:"userHandle,omitempty"`
	Transports        []string `json:"transports,omitempty"`
}

type answer struct {
	ID         bytes64  `json:"id"`
	RawID      bytes64  `json:"rawId"`
	Type       string   `json:"type"`
	Extensions struct{} `json:"clientExtensionResults"`
	Response   response `json:"response"`
}

func (a answer) text() string {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // of fixed types
	}
	return string(text)
}

// Create makes a key as asked, and returns it with the browser's answer.
func (a *Authenticator) Create(options []byte, has ...*Key) (*Key, string, error) {
	asked, err := Read(options)
	if err != nil {
		return nil, "", fmt.Errorf("read options: %w", err)
	}
	for _, e := range asked.Exclude {
		for _, k := range has {
			if bytes.Equal(e.ID, k.ID) {
				return nil, "", ErrExcluded
			}
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	k := &Key{ID: []byte(rand.Text()), Handle: asked.User.ID, private: private}
	public, err := k.cose()
	if err != nil {
		return nil, "", err
	}
	const attested = 0x40
	data := a.data(asked.RP.ID, k, attested)
	data = append(data, make([]byte, 16)...) // no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(append(data, k.ID...), public...)
	// {"fmt": "none", "attStmt": {}, "authData": h'…'} in CBOR.
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"), byte(len(data)>>8), byte(len(data)))
	return k, answer{ID: k.ID, RawID: k.ID, Type: "public-key", Response: response{
		ClientData: a.clientData("webauthn.create", asked.Challenge), Attestation: append(object, data...), Transports: []string{"internal"},
	}}.text(), nil
}

// Sign returns the browser's answer, signed with the key.
func (a *Authenticator) Sign(k *Key, options []byte) (string, error) {
	asked, err := Read(options)
	if err != nil {
		return "", fmt.Errorf("read options: %w", err)
	}
	if a.Counts {
		k.Count++
	}
	client, data := a.clientData("webauthn.get", asked.Challenge), a.data(asked.Party, k, 0)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", err
	}
	return answer{ID: k.ID, RawID: k.ID, Type: "public-key", Response: response{
		ClientData: client, AuthenticatorData: data, Signature: signature, UserHandle: k.Handle,
	}}.text(), nil
}

func (a *Authenticator) clientData(kind, challenge string) []byte {
	text, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": a.CrossOrigin})
	if err != nil {
		panic(err) // of fixed types
	}
	return text
}

// data is the authenticator data (WebAuthn section 6.1).
func (a *Authenticator) data(party string, k *Key, flags byte) []byte {
	for bit, set := range map[byte]bool{0x01: !a.Absent, 0x04: !a.Unverified, 0x18: a.Synced} {
		if set {
			flags |= bit
		}
	}
	if a.Party != "" {
		party = a.Party
	}
	hash := sha256.Sum256([]byte(party))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), k.Count)
}

// cose is the public key, ES256 (RFC 9053): {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
func (k *Key) cose() ([]byte, error) {
	point, err := k.private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	x, y := point[1:33], point[33:]
	return append(append(append([]byte("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"), x...), []byte("\x22\x58\x20")...), y...), nil
}
