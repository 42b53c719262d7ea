// Command anteroom-connector-scim1 is the connector for systems that speak SCIM 1.1 only. Anteroom
// starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(scim2.OldConnector()) }
