package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Options say what is tested, and against what.
type Options struct {
	// Connector is served over an in-memory connection. Give it or Command.
	Connector sdk.Connector
	// Command is a program and its arguments, run as a child process the way a
	// host runs it: with an environment of its own.
	Command []string

	// Config is a good configuration, secrets among it: the connector says which
	// fields are secret.
	Config map[string]any
	// URLField names the field of Config that holds the target's address, such as
	// "base_url". A proxy that can misbehave is put in front of the address. With
	// "" there is none, and the checks that need it are not run.
	URLField string
	// Target is a fake target, served on the loopback interface; its address
	// becomes Config[URLField], below whose path it then lies. nil means that
	// Config names a target that runs.
	Target http.Handler

	// Account makes the attributes of a new account whose names must contain
	// unique. nil makes them of what the connector declares.
	Account func(unique string) sdk.Attributes
	// Groups are names of groups the target knows, for connectors with groups.
	Groups []string

	// Select picks checks by id; nil runs all.
	Select func(id string) bool

	server connectorv1.ConnectorServer // what this package's tests break
}

func (o Options) check() error {
	var problems []error
	ways := 0
	for _, given := range []bool{o.Connector != nil, len(o.Command) > 0, o.server != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		problems = append(problems, errors.New("give either Connector or Command"))
	}
	if o.Target != nil && o.URLField == "" {
		problems = append(problems, errors.New("URLField must name the field for the Target's address"))
	}
	return errors.Join(problems...)
}

// rawConfig parts the secrets from the values, as the connector declares them.
func rawConfig(config map[string]any, d sdk.Description) (sdk.RawConfig, error) {
	values, raw := maps.Clone(config), sdk.RawConfig{Secrets: map[string]sdk.Secret{}}
	if values == nil {
		values = map[string]any{}
	}
	for _, f := range d.Config {
		v, given := values[f.Name]
		if !f.Secret || !given {
			continue
		}
		delete(values, f.Name)
		text, ok := v.(string)
		if !ok {
			return raw, fmt.Errorf("configuration: %s is a secret and must be a string", f.Name)
		}
		raw.Secrets[f.Name] = sdk.Secret(text)
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return raw, fmt.Errorf("configuration: %w", err)
	}
	raw.Values = encoded
	return raw, nil
}
