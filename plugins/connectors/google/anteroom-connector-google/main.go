// Command anteroom-connector-google is the connector for Google Workspace. Anteroom
// starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(google.Connector()) }
