// Command anteroom-connector-salesforce is the connector for Salesforce orgs.
// Anteroom starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(salesforce.Connector()) }
