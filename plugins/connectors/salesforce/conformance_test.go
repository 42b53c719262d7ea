package salesforce_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, salesforce.Connector()) }

func TestConformance(t *testing.T) {
	sdktest.Run(t, sdktest.Options{
		Connector: salesforce.Connector(),
		Config: map[string]any{
			"login_url": "", "auth": "jwt_bearer", "client_id": clientID, "username": actingUser, "private_key": keyPEM(t),
			"profile": "Standard User", "permission_sets": []any{"Sales_Ops"}, "public_groups": []any{"All_Sales"},
		},
		URLField: "login_url",
		Target:   fake.New(orgOptions(t)),
		Account: func(unique string) sdk.Attributes {
			return sdk.Attributes{
				"FederationIdentifier": unique, "Username": unique + "@example.com", "LastName": "Last of " + unique,
				"FirstName": "First of " + unique[:8], "Email": unique + "@example.com", "Title": "Title of " + unique,
			}
		},
		Groups: []string{"Sales_Ops", "All_Sales"},
	})
}
