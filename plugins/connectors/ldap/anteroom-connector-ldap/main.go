// Command anteroom-connector-ldap is the connector for LDAP directories and
// Active Directory. Anteroom starts it; by hand it prints what it is.
package main

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(ldap.Connector()) }
