package rules

import (
	"fmt"
	"strings"
	"testing"
)

func many(n, length int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%0*d", length, i)
	}
	return out
}

// TestTooLarge shows that the part that is too large is named, and that one step
// back is fine.
func TestTooLarge(t *testing.T) {
	long := strings.Repeat("x", MaxValueBytes+1)
	for want, change := range map[string]func(*Request, int){
		"user.groups has more than 2000 values":                 func(r *Request, less int) { r.User.Groups = many(MaxListValues+1-less, 1) },
		"user.roles has more than 2000 values":                  func(r *Request, less int) { r.User.Roles = many(MaxListValues+1-less, 1) },
		"request.scopes has more than 2000 values":              func(r *Request, less int) { r.Scopes = many(MaxListValues+1-less, 1) },
		"request.amr has more than 2000 values":                 func(r *Request, less int) { r.AMR = many(MaxListValues+1-less, 1) },
		"app.labels has more than 2000 values":                  func(r *Request, less int) { r.App.Labels = many(MaxListValues+1-less, 1) },
		"user.claims has more than 2000 values":                 func(r *Request, less int) { r.User.Claims = map[string][]string{"a": many(MaxListValues+1-less, 1)} },
		"a value of user has more than 2048 bytes":              func(r *Request, less int) { r.User.Name = long[less:] },
		"a value of user.groups has more than 2048 bytes":       func(r *Request, less int) { r.User.Groups = []string{long[less:]} },
		"a value of user.claims has more than 2048 bytes":       func(r *Request, less int) { r.User.Claims = map[string][]string{long[less:]: nil} },
		"a value of app has more than 2048 bytes":               func(r *Request, less int) { r.App.Name = long[less:] },
		"a value of connector has more than 2048 bytes":         func(r *Request, less int) { r.Connector.Binding = long[less:] },
		"a value of request has more than 2048 bytes":           func(r *Request, less int) { r.ACR = long[less:] },
		"a value of account.remote_id has more than 2048 bytes": func(r *Request, less int) { r.Account.RemoteID = long[less:] },
		"the request has more than 262144 bytes": func(r *Request, less int) {
			r.User.Groups, r.User.Roles = many(MaxRequestBytes/MaxValueBytes, MaxValueBytes), many(1, 1)[less:]
		},
		"user.claims has more than 500 claims": func(r *Request, less int) {
			r.User.Claims = map[string][]string{}
			for _, name := range many(MaxClaims+1-less, 1) {
				r.User.Claims[name] = nil
			}
		},
	} {
		for less, text := range []string{want, ""} {
			r := &Request{}
			change(r, less)
			if got := TooLarge(r); got != text {
				t.Errorf("%s, one less: %t: %q, want %q", want, less == 1, got, text)
			}
		}
	}
}
