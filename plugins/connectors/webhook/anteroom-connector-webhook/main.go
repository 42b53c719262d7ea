// Command anteroom-connector-webhook is the connector for systems that take
// accounts as signed events at one address. Anteroom starts it; by hand it prints
// what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/webhook"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(webhook.Connector()) }
