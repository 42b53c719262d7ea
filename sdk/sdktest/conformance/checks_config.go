package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

func validateChecks() []Check {
	return []Check{
		{ID: "validate/accepts", Demand: "finds nothing wrong with a good configuration", Bare: true, run: validateAccepts},
		{ID: "validate/names-required", Demand: "names a required field that is missing", Bare: true, run: validateRequired},
		{ID: "validate/names-type", Demand: "names a field whose value has the wrong type", Bare: true, run: validateTypes},
		{ID: "validate/names-enum", Demand: "names a field whose value is not among those allowed", Bare: true, run: validateEnums},
		{ID: "validate/names-unknown", Demand: "names a field that it does not know", Bare: true, run: validateUnknown},
		{ID: "validate/names-misplaced-secret", Demand: "names a secret that is given among the values, without repeating it", Bare: true, run: validateMisplaced},
		{ID: "validate/all-at-once", Demand: "reports every problem, not the first", Bare: true, run: validateAll},
		{ID: "validate/not-an-object", Demand: "reports a configuration that is no JSON object", Bare: true, run: validateNotObject},
		{ID: "validate/pure", Demand: "validates without asking the target", Proxy: true, Bare: true, run: validatePure},
		{ID: "configure/accepts", Demand: "takes a good configuration", Bare: true, run: configureGood},
		{ID: "configure/refuses-bad", Demand: "refuses to be configured badly, as invalid and with the field", Bare: true, run: configureBad},
	}
}

// problems validates a configuration.
func (s *Session) problems(ctx context.Context, cfg sdk.RawConfig) ([]sdk.Problem, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	problems, err := s.subject.client.Validate(ctx, cfg)
	return problems, unexpected("ValidateConfig", err)
}

func validateAccepts(ctx context.Context, s *Session) error {
	problems, err := s.problems(ctx, s.config)
	if err != nil || len(problems) == 0 {
		return err
	}
	return differs("no problem with the given configuration", "%s", problemText(problems))
}

func problemText(problems []sdk.Problem) string {
	if len(problems) == 0 {
		return "no problem"
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = fmt.Sprintf("%q: %s", p.Field, p.Message)
	}
	return short(strings.Join(texts, "; "))
}

// names checks that validation names the field.
func (s *Session) names(ctx context.Context, what, field string, cfg sdk.RawConfig) error {
	problems, err := s.problems(ctx, cfg)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(problems, func(p sdk.Problem) bool { return p.Field == field && p.Message != "" }) {
		return nil
	}
	return differs(fmt.Sprintf("a problem with field %q, %s", field, what), "%s", problemText(problems))
}

// without is the configuration without a field.
func (s *Session) without(field string) (sdk.RawConfig, error) {
	cfg, err := s.withValues(map[string]any{field: nil})
	delete(cfg.Secrets, field)
	return cfg, err
}

// eachField asks about every field that a spoiled configuration can be made for.
func (s *Session) eachField(ctx context.Context, none, what string, spoil func(sdk.Field) (sdk.RawConfig, bool, error)) error {
	var problems []error
	asked := false
	for _, f := range s.desc.Config {
		cfg, ok, err := spoil(f)
		if err != nil {
			return err
		}
		if ok {
			asked = true
			problems = append(problems, s.names(ctx, what, f.Name, cfg))
		}
	}
	if !asked {
		return skip(none)
	}
	return errors.Join(problems...)
}

func validateRequired(ctx context.Context, s *Session) error {
	return s.eachField(ctx, "no field is required", "which is missing", func(f sdk.Field) (sdk.RawConfig, bool, error) {
		cfg, err := s.without(f.Name)
		return cfg, f.Required && s.applies(f), err
	})
}

// applies reports whether the good configuration meets the field's condition. A
// value that is not given is the default.
func (s *Session) applies(f sdk.Field) bool {
	values := map[string]any{}
	_ = json.Unmarshal(s.config.Values, &values) // without values the defaults count
	texts := map[string]string{}
	for _, earlier := range s.desc.Config {
		texts[earlier.Name] = earlier.Default
		if v, given := values[earlier.Name]; given {
			texts[earlier.Name] = fmt.Sprint(v)
		}
	}
	return f.When.Holds(texts)
}

func validateTypes(ctx context.Context, s *Session) error {
	return s.eachField(ctx, "there is no field beside secrets", "whose type is wrong", func(f sdk.Field) (sdk.RawConfig, bool, error) {
		cfg, err := s.withValues(map[string]any{f.Name: map[string]any{"not": "this"}})
		return cfg, !f.Secret, err
	})
}

func validateEnums(ctx context.Context, s *Session) error {
	return s.eachField(ctx, "no field has an enum", "whose value is not allowed", func(f sdk.Field) (sdk.RawConfig, bool, error) {
		var value any = "kit-no-such-value"
		if f.Type == sdk.FieldStrings {
			value = []string{"kit-no-such-value"}
		}
		cfg, err := s.withValues(map[string]any{f.Name: value})
		return cfg, len(f.Enum) > 0, err
	})
}

const unknownField = "kit_no_such_field"

func validateUnknown(ctx context.Context, s *Session) error {
	cfg, err := s.withValues(map[string]any{unknownField: "x"})
	if err != nil {
		return err
	}
	return s.names(ctx, "which it does not know", unknownField, cfg)
}

func validateMisplaced(ctx context.Context, s *Session) error {
	canary := "canary" + rand.Text()
	s.watch.forbidText("a misplaced secret", canary)
	return s.eachField(ctx, "no field is a secret", "a secret among the values", func(f sdk.Field) (sdk.RawConfig, bool, error) {
		cfg, err := s.withValues(map[string]any{f.Name: canary})
		delete(cfg.Secrets, f.Name)
		return cfg, f.Secret, err
	})
}

func validateAll(ctx context.Context, s *Session) error {
	const second = unknownField + "_2"
	cfg, err := s.withValues(map[string]any{unknownField: "x", second: "y"})
	if err != nil {
		return err
	}
	return errors.Join(
		s.names(ctx, "one of two that it does not know", unknownField, cfg),
		s.names(ctx, "one of two that it does not know", second, cfg))
}

func validateNotObject(ctx context.Context, s *Session) error {
	for _, bad := range []string{`[]`, `"text"`, `{"cut`} {
		problems, err := s.problems(ctx, sdk.RawConfig{Values: json.RawMessage(bad), Secrets: maps.Clone(s.config.Secrets)})
		if err != nil {
			return err
		}
		if len(problems) == 0 {
			return differs("a problem with the configuration "+bad, "no problem")
		}
	}
	return nil
}

func validatePure(ctx context.Context, s *Session) error {
	before := s.requests()
	for range 2 {
		if _, err := s.problems(ctx, s.config); err != nil {
			return err
		}
	}
	if n := s.requests() - before; n > 0 {
		return differs("ValidateConfig makes no request to the target", "%d requests", n)
	}
	return nil
}

func configureGood(ctx context.Context, s *Session) error {
	ctx, cancel := call(ctx)
	defer cancel()
	_, err := s.target(ctx)
	return err
}

func configureBad(ctx context.Context, s *Session) error {
	cfg, err := s.withValues(map[string]any{unknownField: "x"})
	if err != nil {
		return err
	}
	ctx, cancel := call(ctx)
	defer cancel()
	in := wire.Instance{ID: "kit-bad", Generation: 1}
	err = s.subject.client.Configure(ctx, in, cfg)
	if wrong := refused("Configure with an unknown field", err, sdk.KindInvalid); wrong != nil {
		return wrong
	}
	if field := sdk.AsError(err).Field; field != unknownField {
		return differs(fmt.Sprintf("the failure names field %q", unknownField), "%q", field)
	}
	_, err = s.subject.client.Remote(in).Lookup(ctx, sdk.LookupRequest{Key: "kit", Value: s.run})
	return notConfigured("a verb on the instance that was refused", err)
}

// notConfigured checks that a call was answered with INSTANCE_NOT_CONFIGURED.
func notConfigured(what string, err error) error {
	if errors.Is(err, wire.ErrNotConfigured) {
		return nil
	}
	return differs(what+" answers INSTANCE_NOT_CONFIGURED", "%s", errorText(err))
}
