// Command anteroom-connector-acme provisions accounts into Acme for Anteroom.
package main

import (
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

func main() { serve.Connector(connector()) }

// connector says what this program is. Version goes up with every release.
func connector() sdk.Connector {
	return sdk.Define("acme", "0.1.0", open, sdk.DisplayName("Acme"), sdk.WithAttributes(attributes()...))
}
