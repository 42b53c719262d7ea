package sdk

import (
	"context"
	"encoding/json"
)

// Connector is what [Define] makes and serve.Connector runs. Authors do not
// implement it.
type Connector interface {
	// Describe is pure: no configuration, no I/O.
	Describe() Description
	// Validate reports every problem of a configuration, each with its field. It
	// is pure.
	Validate(cfg RawConfig) []Problem
	// Open validates and decodes the configuration and opens a Target with it.
	Open(ctx context.Context, cfg RawConfig) (Target, error)
}

// RawConfig is a configuration before it is decoded into the author's struct.
type RawConfig struct {
	Values  json.RawMessage   // a JSON object without the secrets
	Secrets map[string]Secret // by field name
}

// Problem is one thing wrong with a configuration.
type Problem struct {
	Field   string // "" when it concerns the whole
	Message string
}
