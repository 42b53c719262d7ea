package connectorv1

import _ "embed"

//go:embed connector.proto
var source string

// Source returns the text of connector.proto, for connectors in languages whose
// libraries read it themselves.
func Source() string { return source }
