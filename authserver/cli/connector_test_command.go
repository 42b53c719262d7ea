package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/conformance"
)

// connectorTestCommand is the one command whose --config is not Anteroom's: it
// needs neither database nor server.
type connectorTestCommand struct {
	Binary         string   `arg:"" help:"The connector's program. It is EXECUTED, pinned or not. --config names a JSON object with its configuration, secrets included; {\"env\": \"NAME\"} takes a value from the environment."`
	TargetURLField string   `help:"Field of the configuration that holds the target's address; a proxy that misbehaves is put in front of it. Without it, the checks of failures are not run." placeholder:"FIELD"`
	Account        string   `help:"JSON object with the attributes of a new account; {unique} in its texts stands for what must differ. Without it, they are made of what the connector declares." placeholder:"FILE"`
	Group          []string `help:"A group the target has, for connectors with groups; may be repeated." sep:"none"`
	Only           []string `name:"run" help:"Run only the checks with this id, such as 'create/*'; may be repeated." placeholder:"PATTERN" sep:"none"`
}

// errChecksFailed is the end of a run that found something.
var errChecksFailed = errors.New("the connector does not conform")

// Run runs the checks on the program.
func (c connectorTestCommand) Run(r *run) error {
	options, err := c.options(r)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	s, err := conformance.Open(r.ctx, options)
	if err != nil {
		return err
	}
	defer s.Close(r.ctx)
	report, err := c.print(r, s)
	if err != nil {
		return err
	}
	if n := report.Summary.Failed; n > 0 {
		return fmt.Errorf("%w: %s failed", errChecksFailed, plural(n, "check", "checks"))
	}
	return r.ctx.Err()
}

// print shows each result as it comes, or the whole as JSON.
func (connectorTestCommand) print(r *run, s *conformance.Session) (conformance.Report, error) {
	if r.root.Output == "json" {
		report := s.RunAll(r.ctx, nil)
		return report, r.printText(report, nil)
	}
	p, d := conformance.NewPrinter(r.env.Stdout), s.Description()
	p.Begin(d.Name, d.Version, s.Mode())
	report := s.RunAll(r.ctx, p.Result)
	return report, p.End(report.Summary)
}

func (c connectorTestCommand) options(r *run) (conformance.Options, error) {
	o := conformance.Options{URLField: c.TargetURLField, Groups: c.Group, Select: c.selects()}
	binary, err := filepath.Abs(c.Binary)
	if err != nil {
		return o, err
	}
	if info, err := os.Stat(binary); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return o, fmt.Errorf("%s is no program", c.Binary)
	}
	o.Command = []string{binary}
	if o.Config, err = readObject(r.root.Config); err != nil {
		return o, err
	}
	if err := resolve(o.Config, r.env.Getenv); err != nil {
		return o, fmt.Errorf("%s: %w", r.root.Config, err)
	}
	o.Account, err = c.account()
	return o, err
}

// selects returns nil where no pattern is given.
func (c connectorTestCommand) selects() func(string) bool {
	if len(c.Only) == 0 {
		return nil
	}
	return func(id string) bool {
		for _, pattern := range c.Only {
			if ok, _ := path.Match(pattern, id); ok {
				return true
			}
		}
		return false
	}
}

// readObject reads a file with a JSON object; "" stands for an empty one.
func readObject(file string) (map[string]any, error) {
	object := map[string]any{}
	if file == "" {
		return object, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%s must hold a JSON object", file) // never the text: it may be a secret
	}
	return object, nil
}

// resolve replaces {"env": "NAME"} by the variable's value.
func resolve(config map[string]any, getenv func(string) string) error {
	for field, v := range config {
		reference, ok := v.(map[string]any)
		if name, named := reference["env"].(string); ok && named && len(reference) == 1 {
			value := getenv(name)
			if value == "" {
				return fmt.Errorf("%s: the environment has no %s", field, name)
			}
			config[field] = value
		}
	}
	return nil
}

func (c connectorTestCommand) account() (func(string) sdk.Attributes, error) {
	if c.Account == "" {
		return nil, nil
	}
	template, err := readObject(c.Account)
	if err != nil {
		return nil, err
	}
	return func(unique string) sdk.Attributes {
		attributes, _ := filled(template, unique).(map[string]any)
		return attributes
	}, nil
}

// filled puts what is unique into every text of a JSON value.
func filled(v any, unique string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "{unique}", unique)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = filled(e, unique)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = filled(e, unique)
		}
		return out
	}
	return v
}
