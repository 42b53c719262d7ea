// Command anteroom-connector-pgroles is the connector for login roles of
// PostgreSQL. Anteroom starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/sql/roles"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(roles.Connector()) }
