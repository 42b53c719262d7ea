package e2e

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func configModules() []conformanceModule {
	return []conformanceModule{{"oidcc-discovery-endpoint-verification", discoveryVerification}}
}

// discoveryVerification wants of the discovery document what OpenID Connect
// Discovery 1.0 section 3 and RFC 8414 section 2 do. The module wants https of every
// endpoint: here they must begin with the issuer, which is https outside loopback.
func discoveryVerification(t *testing.T, s *suite) {
	document := s.discover(t)
	if document["issuer"] != s.issuer {
		t.Errorf("issuer = %v, want %s", document["issuer"], s.issuer)
	}
	for name, want := range map[string][]string{
		"response_types_supported":              {"code"},
		"subject_types_supported":               {"public"},
		"id_token_signing_alg_values_supported": {"RS256"},
		"grant_types_supported":                 {"authorization_code"},
		"scopes_supported":                      {"openid"},
		"claims_supported":                      {"sub"},
		"code_challenge_methods_supported":      {"S256"},
	} {
		values := texts(t, name, document[name])
		for _, w := range want {
			if !slices.Contains(values, w) {
				t.Errorf("%s = %v, want %s in it", name, values, w)
			}
		}
	}
	endpoints := 0
	for name, v := range document {
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		endpoints++
		address, _ := v.(string)
		if u, err := url.Parse(address); err != nil || !strings.HasPrefix(address, s.issuer+"/") || u.Fragment != "" {
			t.Errorf("%s = %v, want an address below the issuer", name, v)
		}
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
		if document[name] == nil {
			t.Errorf("no %s among %d endpoints", name, endpoints)
		}
	}
	for name, want := range map[string]bool{"request_parameter_supported": false, "request_uri_parameter_supported": false, "claims_parameter_supported": true} {
		if document[name] != want {
			t.Errorf("%s = %v, want %v", name, document[name], want)
		}
	}
	s.keysVerification(t, s.endpoint(t, "jwks_uri"))
}

// keysVerification wants public keys alone, each with an id and a use of its own.
func (s *suite) keysVerification(t *testing.T, address string) {
	t.Helper()
	raw, err := json.Marshal(s.published(t, address))
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	algs := map[string]bool{}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() || k.Use != "sig" || k.KeyID == "" || seen[k.KeyID] {
			t.Errorf("key %q (%s, %s): not a public key for signatures with an id of its own", k.KeyID, k.Algorithm, k.Use)
		}
		seen[k.KeyID], algs[k.Algorithm] = true, true
	}
	if !algs["RS256"] {
		t.Errorf("no key for RS256 among %d", len(set.Keys))
	}
}

// published fetches a JSON document.
func (s *suite) published(t *testing.T, address string) map[string]any {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.StatusCode != http.StatusOK || kind != "application/json" {
		t.Errorf("%s: status %d, content %q", address, r.StatusCode, r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return document
}

// texts returns a list of texts.
func texts(t *testing.T, name string, v any) []string {
	t.Helper()
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		t.Errorf("%s = %v, want a list", name, v)
	}
	var out []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok || text == "" || strings.ContainsAny(text, " \"\\") {
			t.Errorf("%s has %v", name, item)
		}
		out = append(out, text)
	}
	return out
}
