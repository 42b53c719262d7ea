package fake

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// maxAssertion is how far ahead an assertion may end.
const maxAssertion = 5 * time.Minute

// token is the token endpoint (RFC 6749 §3.2, RFC 7523 §2.1).
func (o *Org) token(w http.ResponseWriter, r *http.Request) {
	code, description := "unsupported_grant_type", "grant type not supported"
	switch r.FormValue("grant_type") {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		code, description = o.checkAssertion(r.FormValue("assertion"), time.Now())
	case "client_credentials":
		code, description = o.checkClient(r.FormValue("client_id"), r.FormValue("client_secret"))
	}
	if code != "" {
		respond(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
		return
	}
	o.grants++
	token := "00D000000000001!" + rand.Text()
	o.sessions[token] = true
	host := cmp.Or(r.Header.Get("X-Forwarded-Host"), r.Host)
	respond(w, http.StatusOK, map[string]string{
		"access_token": token, "token_type": "Bearer", "scope": "api", "instance_url": "http://" + host,
		"id": "http://" + host + "/id/00D000000000001AAA/005000000000001AAA",
	})
}

func (o *Org) checkClient(id, secret string) (code, description string) {
	switch {
	case id != o.options.ClientID:
		return "invalid_client_id", "client identifier invalid"
	case o.options.ClientSecret == "":
		return "invalid_grant", "no client credentials user enabled"
	case secret != o.options.ClientSecret:
		return "invalid_client", "invalid client credentials"
	}
	return "", ""
}

// checkAssertion wants what Salesforce documents of an assertion: RS256, the
// consumer key, the user, the login server, and an end within minutes.
func (o *Org) checkAssertion(assertion string, now time.Time) (code, description string) {
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || o.options.Key == nil {
		return "invalid_grant", "invalid assertion"
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	end := time.Time{}
	if err = parsed.Claims(o.options.Key, &claims); err == nil {
		end = time.Unix(claims.Expires, 0)
	}
	switch {
	case err != nil:
		return "invalid_grant", "invalid assertion"
	case claims.Issuer != o.options.ClientID:
		return "invalid_client_id", "client identifier invalid"
	case claims.Audience != o.options.Audience:
		return "invalid_grant", "audience is invalid"
	case claims.Subject != o.options.Username:
		return "invalid_grant", "user hasn't approved this consumer"
	case !end.After(now) || end.After(now.Add(maxAssertion)):
		return "invalid_grant", "invalid assertion"
	}
	return "", ""
}
