package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// The headers of Standard Webhooks, and what its secrets begin with.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
	secretPrefix    = "whsec_"
)

// The length of a secret's bytes that Standard Webhooks demands.
const (
	minKey = 24
	maxKey = 64
)

// signingKey decodes a secret.
func signingKey(s sdk.Secret) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s.Reveal(), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
		return nil, errors.New("must be whsec_ and the base64 form of 24 to 64 random bytes")
	}
	return key, nil
}

// signer signs events with one or, while secrets are exchanged, two keys.
type signer struct {
	keys [][]byte
	now  func() time.Time
}

// sign returns the headers of an event.
func (s signer) sign(id string, body []byte) http.Header {
	timestamp := strconv.FormatInt(s.now().Unix(), 10)
	var signatures []string
	for _, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h := http.Header{}
	h.Set(headerID, id)
	h.Set(headerTimestamp, timestamp)
	h.Set(headerSignature, strings.Join(signatures, " "))
	return h
}
