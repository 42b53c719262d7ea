// Command anteroom-connector-scim2 is the connector for SCIM 2.0 systems. Anteroom
// starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(scim2.Connector()) }
