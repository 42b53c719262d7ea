package registration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/registration"
)

// FuzzRegister sends any body. Whatever it is, nobody gets an application that is not
// valid or has more than the safest settings, and the answer never blames the server.
func FuzzRegister(f *testing.F) {
	f.Add(`{"redirect_uris":["https://rp.example.com/cb"],"client_name":"RP","scope":"openid"}`)
	f.Add(`{"redirect_uris":["com.example:/cb"],"application_type":"native","token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`)
	f.Add(`{"redirect_uris":["https://rp.example.com/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[` + publicKey + `]}}`)
	f.Add(`{"redirect_uris":[null],"jwks":null,"default_max_age":1e400,"contacts":{}}`)
	f.Add("{\"redirect_uris\":[\"http://[::1]:80/\"],\"client_name\":\"\x00\xff\"}")
	e := lite(f, registration.ModeOpen)
	f.Fuzz(func(t *testing.T, body string) {
		r := e.register(t, "", body)
		if r.status != http.StatusCreated {
			if r.status != http.StatusBadRequest && r.status != http.StatusRequestEntityTooLarge || !strings.HasPrefix(r.text("error"), "invalid_") {
				t.Fatalf("%q: %d %v", body, r.status, r.body)
			}
			return
		}
		a := e.app(t, r)
		if err := a.Validate(); err != nil || !a.SelfRegistered || a.Consent != application.ConsentAsk || a.PKCEOptional || a.Registration {
			t.Fatalf("%q: %+v, %v", body, a, err)
		}
		if gone := e.send(t, http.MethodDelete, path(r), r.text("registration_access_token"), ""); gone.status != http.StatusNoContent {
			t.Fatalf("%q: delete: %d %v", body, gone.status, gone.body)
		}
	})
}
