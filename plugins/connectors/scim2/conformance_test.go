package scim2_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, scim2.Connector()) }

func TestConformance(t *testing.T) {
	const token = "canary-token-of-the-directory"
	sdktest.Run(t, sdktest.Options{
		Connector: scim2.Connector(),
		Config:    map[string]any{"base_url": directory.SCIMPath, "auth": "bearer", "token": token},
		URLField:  "base_url",
		Target:    directory.New(directory.Options{Token: token}),
	})
}
