package webhook_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/webhook"
	"github.com/anteroom-id/anteroom/plugins/connectors/webhook/fake"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, webhook.Connector()) }

func TestConformance(t *testing.T) {
	sdktest.Run(t, sdktest.Options{
		Connector: webhook.Connector(),
		Config:    map[string]any{"url": "/accounts", "secret": secret, "previous_secret": older},
		URLField:  "url",
		Target:    fake.New(secret),
		// Every event is a POST, which this check takes for a write:
		// TestCheckSendsNoWrite looks at what is sent instead.
		Select: func(id string) bool { return id != "check/changes-nothing" },
	})
}
