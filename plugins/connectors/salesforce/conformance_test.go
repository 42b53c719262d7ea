package salesforce_test

import (
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, salesforce.Connector()) }

func TestConformance(t *testing.T) { conform(t, "", nil) }

// TestConformanceOfUpserts checks what an external id field changes. Two checks
// want a second create to have no effect; an upsert has one, and says so.
func TestConformanceOfUpserts(t *testing.T) {
	conform(t, externalID, func(id string) bool {
		honest := id != "create/taken" && id != "create/same-operation"
		return honest && (strings.HasPrefix(id, "create/") || strings.HasPrefix(id, "fault/"))
	})
}

func conform(t *testing.T, external string, only func(id string) bool) {
	options := orgOptions(t)
	options.ExternalID = external
	sdktest.Run(t, sdktest.Options{
		Connector: salesforce.Connector(),
		Config: map[string]any{
			"login_url": "", "auth": "jwt_bearer", "client_id": clientID, "username": actingUser, "private_key": keyPEM(t),
			"profile": "Standard User", "permission_sets": []any{"Sales_Ops"}, "public_groups": []any{"All_Sales"}, "external_id_field": external,
		},
		URLField: "login_url",
		Target:   fake.New(options),
		Account: func(unique string) sdk.Attributes {
			return sdk.Attributes{
				"FederationIdentifier": unique, "Username": unique + "@example.com", "LastName": "Last of " + unique,
				"FirstName": "First of " + unique[:8], "Email": unique + "@example.com", "Title": "Title of " + unique,
			}
		},
		Groups: []string{"Sales_Ops", "All_Sales"},
		Select: only,
	})
}
