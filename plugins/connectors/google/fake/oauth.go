package fake

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Who acts in the fake's world.
const (
	Account      = "provisioning@project.iam.gserviceaccount.com" // the service account
	Admin        = "admin@example.com"                            // whom it may act as
	SubjectToken = "canary-token-of-the-workload"                 // what a workload shows at the exchange
	keyID        = "fake-key-1"
)

// Key returns the service account's key as the Admin console gives it, with an
// address of the token endpoint.
func (s *Server) Key(tokenURL string) string {
	s.TokenURL(tokenURL)
	der, _ := x509.MarshalPKCS8PrivateKey(s.key) // an RSA key always marshals
	text, _ := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "project", "client_email": Account, "private_key_id": keyID,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokenURL,
	})
	return string(text)
}

// TokenURL makes that an address of the token endpoint, for which assertions may
// be.
func (s *Server) TokenURL(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auds[url] = true
}

// Federation returns the credential configuration of a workload whose token is in
// a file; base is the fake's address.
func (s *Server) Federation(base, tokenFile string) string {
	text, _ := json.Marshal(map[string]any{
		"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": base + "/sts",
		"service_account_impersonation_url": base + "/v1/projects/-/serviceAccounts/" + Account + ":generateAccessToken",
		"credential_source":                 map[string]string{"file": tokenFile},
	})
	return string(text)
}

// Revoke makes every token given so far invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Grants returns how many tokens were given.
func (s *Server) Grants() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants
}

// serveToken is the JWT bearer grant (RFC 7523).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if queue := s.script["token"]; len(queue) > 0 {
		s.script["token"] = queue[1:]
		queue[0].write(w)
		return
	}
	if r.Method != http.MethodPost || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		refuseGrant(w, "unsupported_grant_type", "Invalid grant_type")
		return
	}
	scopes, problem := s.verify(r.PostFormValue("assertion"))
	if problem != "" {
		refuseGrant(w, "invalid_grant", problem)
		return
	}
	for _, scope := range scopes {
		if s.options.Scopes != nil && !slices.Contains(s.options.Scopes, scope) {
			refuseGrant(w, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.")
			return
		}
	}
	s.grants++
	token := "ya29." + rand.Text()
	s.tokens[token] = scopes
	respond(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
}

// verify checks an assertion as a token endpoint must, and returns its scopes.
func (s *Server) verify(assertion string) (scopes []string, problem string) {
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, "Invalid JWT"
	}
	var claims jwt.Claims
	var more struct {
		Scope string `json:"scope"`
	}
	if err := parsed.Claims(&s.key.PublicKey, &claims, &more); err != nil {
		return nil, "Invalid JWT Signature."
	}
	now := time.Now()
	switch {
	case claims.Issuer != Account:
		return nil, "Invalid issuer"
	case claims.Subject != Admin:
		return nil, "Invalid email or User ID"
	case len(claims.Audience) != 1 || !s.auds[claims.Audience[0]]:
		return nil, "Invalid JWT: the audience is not the token endpoint"
	case claims.Expiry == nil || claims.IssuedAt == nil || claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > time.Hour ||
		now.After(claims.Expiry.Time()) || claims.IssuedAt.Time().Sub(now) > time.Minute:
		return nil, "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
	case more.Scope == "":
		return nil, "Empty or missing scope not allowed."
	}
	return strings.Fields(more.Scope), ""
}

func refuseGrant(w http.ResponseWriter, code, description string) {
	status := http.StatusBadRequest
	if code == "unauthorized_client" {
		status = http.StatusUnauthorized
	}
	respond(w, status, map[string]string{"error": code, "error_description": description})
}

// authorized answers requests without a good token, or with one whose scopes do
// not allow the method.
func (s *Server) authorized(w http.ResponseWriter, q request) bool {
	token, _ := strings.CutPrefix(q.r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(q.m.ID, "iamcredentials.") {
		if !s.workers[token] {
			refuse(w, http.StatusUnauthorized, "authError", "Invalid Credentials")
		}
		return s.workers[token]
	}
	scopes, known := s.tokens[token]
	if !known {
		refuse(w, http.StatusUnauthorized, "authError", "Invalid Credentials")
		return false
	}
	if !slices.ContainsFunc(q.m.Scopes, func(scope string) bool { return slices.Contains(scopes, scope) }) {
		refuse(w, http.StatusForbidden, "insufficientPermissions", "Insufficient Permission: Request had insufficient authentication scopes.")
		return false
	}
	return true
}

// serveExchange is the Security Token Service (RFC 8693).
func (s *Server) serveExchange(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if queue := s.script["sts"]; len(queue) > 0 {
		s.script["sts"] = queue[1:]
		queue[0].write(w)
		return
	}
	if r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" || r.PostFormValue("subject_token") != SubjectToken {
		refuseGrant(w, "invalid_grant", "The given credential is rejected by the attribute condition.")
		return
	}
	token := "federated." + rand.Text()
	s.workers[token] = true
	respond(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer",
		"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})
}

// signJWT signs in the name of the service account.
func (s *Server) signJWT(w http.ResponseWriter, q request) {
	if q.path["name"] != "projects/-/serviceAccounts/"+Account {
		refuse(w, http.StatusNotFound, "notFound", "Unknown service account")
		return
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.key, KeyID: keyID}}, nil)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "backendError", err.Error())
		return
	}
	signed, err := signer.Sign([]byte(fmt.Sprint(q.body["payload"])))
	if err != nil {
		refuse(w, http.StatusInternalServerError, "backendError", err.Error())
		return
	}
	text, _ := signed.CompactSerialize()
	respond(w, http.StatusOK, map[string]string{"keyId": keyID, "signedJwt": text})
}
