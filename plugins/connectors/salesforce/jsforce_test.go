package salesforce_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
)

// long skips a test that needs what npm installs, unless CI=true.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skip("a long test: make test runs it")
	}
}

// TestForeignClientUsesTheFake has jsforce use the org in memory beside the
// connector: what the fake answers is what a client that knows the real one
// expects.
func TestForeignClientUsesTheFake(t *testing.T) {
	long(t)
	b := start(t, withExternalID, func(o *fake.Options, _ *salesforce.Config) { o.PageSize = 2 })
	ours := b.create(t, ada())
	got := peers.JSForce(t, map[string]string{
		"login_url": b.proxy.URL, "client_id": clientID, "client_secret": clientSecret, "username": actingUser, "private_key": keyPEM(t),
		"audience": "https://login.salesforce.com", "external_id": externalID,
		"profile_id": b.get(t, ours).Attributes.String("ProfileId"), "permission_set_id": b.org.PermissionSet("Sales_Ops"),
	})
	type object = map[string]any
	grace := object{"Username": "grace.o'brien@example.com", "LastName": "O'Brien", "FederationIdentifier": "user-grace", "IsActive": true, "Title": nil}
	changed := maps.Clone(grace)
	changed["IsActive"] = false
	describe, _ := got["describe"].([]any)
	if len(describe) < 20 || !slices.Contains(describe, any(externalID)) {
		t.Errorf("describe: %v", describe)
	}
	for step, want := range map[string]any{
		"assertion":           object{"instance": b.proxy.URL, "user": "005000000000001AAA"},
		"client credentials":  nil,
		"retrieve":            grace,
		"find":                []any{grace},
		"update":              object{"success": true, "errors": []any{}},
		"retrieve the change": changed,
		"upsert new":          object{"success": true, "errors": []any{}, "created": true},
		"upsert old":          object{"success": true, "errors": []any{}, "created": false},
		"create":              object{"success": true, "errors": []any{}, "created": true},
		"query":               []any{"Standard User", "Standard User", "Standard User"},
		"limits":              []any{"Max", "Remaining"},
		"usage":               []any{"limit", "used"},
		"assigned":            []any{"Sales_Ops"},
		"find by the connector's id": []any{object{
			"Username": "ada@example.com", "LastName": "Lovelace", "FederationIdentifier": "user-1", "IsActive": true, "Title": nil,
		}},
	} {
		have := got[step]
		if o, ok := have.(object); ok {
			delete(o, "id")
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-want +jsforce):\n%s", step, diff)
		}
	}
	for step, want := range map[string]string{
		"wrong assertion": "invalid_grant", "create again": "DUPLICATE_USERNAME", "create without a name": "REQUIRED_FIELD_MISSING",
		"create with an unknown field": "INVALID_FIELD", "create with a wrong type": "JSON_PARSER_ERROR", "retrieve nobody": "NOT_FOUND",
		"update nobody": "NOT_FOUND", "delete": "METHOD_NOT_ALLOWED", "upsert by no external id": "NOT_FOUND", "bad query": "MALFORMED_QUERY",
		"query of an unknown field": "INVALID_FIELD", "assign again": "DUPLICATE_VALUE", "unassign again": "NOT_FOUND",
	} {
		if have, _ := got[step].(object); have["error"] != want {
			t.Errorf("%s: %v, want %s", step, got[step], want)
		}
	}
	if found := b.lookup(t, "Username", "grace.o'brien@example.com"); len(found) != 1 {
		t.Errorf("the connector finds %v of what jsforce made", found)
	}
}
