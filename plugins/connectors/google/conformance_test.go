package google_test

import (
	"net/http/httptest"
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, google.Connector()) }

// TestConformance runs the kit; the tokens come from a server of their own, so
// that the faults hit the directory alone.
func TestConformance(t *testing.T) {
	workspace, err := fake.New(fake.Options{
		Violation: func(problem string) { t.Error("against Google's own description: " + problem) },
		Groups:    []string{"staff@example.com", "all@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens := httptest.NewServer(workspace)
	t.Cleanup(tokens.Close)
	url := tokens.URL + "/token"
	sdktest.Run(t, sdktest.Options{
		Connector: google.Connector(),
		Config: map[string]any{
			"credentials": workspace.Key(url), "subject": fake.Admin, "token_url": url,
			"groups": []string{"staff@example.com", "all@example.com"},
			// The kit's accounts are seconds old, and it wants what is missing to be so.
			"propagation": "0s",
		},
		URLField: "base_url",
		Target:   workspace,
		Groups:   []string{"staff@example.com", "all@example.com"},
		Account: func(unique string) sdk.Attributes {
			return sdk.Attributes{
				"externalId": unique, "primaryEmail": unique + "@example.com",
				"name.givenName": "Given " + unique, "name.familyName": "Family", "phone": "+1 555",
			}
		},
	})
}
