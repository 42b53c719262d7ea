package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

const oldSchema = "urn:scim:schemas:core:1.0"

func TestMain(m *testing.M) { sdktest.Main(m, scim2.OldConnector()) }

// oldServer speaks SCIM 1.1 in front of the directory: one schema, PUT for users,
// members of groups by partial resources, another form of errors.
func oldServer(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		group := strings.HasPrefix(r.URL.Path, directory.SCIMPath+"/Groups")
		if r.Method == http.MethodPatch && !group {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if len(body) > 0 && (r.Header.Get("Content-Type") != "application/json" || !bytes.Contains(body, []byte(oldSchema))) {
			t.Errorf("%s %s: %q of %s is not SCIM 1.1", r.Method, r.URL, body, r.Header.Get("Content-Type"))
		}
		if r.Method == http.MethodPatch {
			body = newPatch(t, body)
		}
		body = bytes.ReplaceAll(body, []byte(oldSchema), []byte("urn:ietf:params:scim:schemas:core:2.0:User"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		answer := rec.Body.Bytes()
		for _, kind := range []string{"User", "Group"} {
			answer = bytes.ReplaceAll(answer, []byte("urn:ietf:params:scim:schemas:core:2.0:"+kind), []byte(oldSchema))
		}
		var refusal struct{ Detail, Status string }
		if rec.Code >= 400 && json.Unmarshal(answer, &refusal) == nil {
			answer, _ = json.Marshal(map[string]any{"Errors": []any{map[string]string{"description": refusal.Detail, "code": refusal.Status}}})
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(answer)
	})
}

// newPatch turns a partial group of SCIM 1.1 into operations.
func newPatch(t *testing.T, body []byte) []byte {
	var part struct {
		Members []struct{ Value, Operation string } `json:"members"`
	}
	if err := json.Unmarshal(body, &part); err != nil || len(part.Members) != 1 {
		t.Errorf("PATCH of a group with %s: %v", body, err)
		return body
	}
	op := map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": part.Members[0].Value}}}
	if part.Members[0].Operation == "delete" {
		op = map[string]any{"op": "remove", "path": `members[value eq "` + part.Members[0].Value + `"]`}
	}
	out, _ := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{op}})
	return out
}

func TestConformance(t *testing.T) {
	const token = "canary-token-of-the-directory"
	target := directory.New(directory.Options{Token: token})
	r := httptest.NewRequest(http.MethodPost, directory.SCIMPath+"/Groups", strings.NewReader(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"staff"}`))
	r.Header.Set("Authorization", "Bearer "+token)
	target.ServeHTTP(httptest.NewRecorder(), r)
	sdktest.Run(t, sdktest.Options{
		Connector: scim2.OldConnector(),
		Config:    map[string]any{"base_url": directory.SCIMPath, "auth": "bearer", "token": token},
		URLField:  "base_url",
		Target:    oldServer(t, target),
		Groups:    []string{"staff"},
	})
}
