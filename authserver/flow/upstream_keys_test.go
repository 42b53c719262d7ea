package flow_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A new key of the upstream counts at once, also under the old name, and the old one
// no longer.
func TestUpstreamRotatesKeys(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	s.browser().get(start).with("corp").through(p).backWith("code", "")
	old := p.key
	next, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p.key = next
	s.browser().get(start).with("corp").through(p).backWith("code", "")
	p.lieSign = func(payload []byte) string { return signed(t, jose.ES256, old, payload) }
	s.browser().get(start).with("corp").through(p).status(http.StatusBadGateway).says("could not be verified")
}

// What an upstream says of itself is asked once an hour; what moved is found then.
func TestUpstreamDiscoveryIsKept(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	asked := 0
	p.lieMetadata = func(map[string]any) { asked++ }
	for range 2 {
		s.browser().get(start).with("corp").through(p).backWith("code", "")
	}
	if asked != 1 {
		t.Fatalf("asked %d times within an hour", asked)
	}
	s.clock.advance(time.Hour)
	p.lieMetadata = func(m map[string]any) { m["token_endpoint"] = p.server.URL + "/moved" }
	p.instead["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	p.instead["/moved"] = p.token
	s.browser().get(start).with("corp").through(p).backWith("code", "")
}
