package scim2_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, scim2.Connector()) }

func TestConformance(t *testing.T) {
	const token = "canary-token-of-the-directory"
	target := directory.New(directory.Options{Token: token})
	for _, name := range []string{"staff", "admins"} {
		makeGroup(t, target, token, name)
	}
	sdktest.Run(t, sdktest.Options{
		Connector: scim2.Connector(),
		Config:    map[string]any{"base_url": directory.SCIMPath, "auth": "bearer", "token": token},
		URLField:  "base_url",
		Target:    target,
		Groups:    []string{"staff", "admins"},
	})
}

func makeGroup(t *testing.T, server http.Handler, token, name string) {
	t.Helper()
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q}`, name)
	r := httptest.NewRequest(http.MethodPost, directory.SCIMPath+"/Groups", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	if server.ServeHTTP(w, r); w.Code != http.StatusCreated {
		t.Fatalf("make group %s: %d %s", name, w.Code, w.Body)
	}
}
