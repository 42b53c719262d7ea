// Command anteroom-connector-sql is the connector for account tables in
// PostgreSQL. Anteroom starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(sql.Connector()) }
