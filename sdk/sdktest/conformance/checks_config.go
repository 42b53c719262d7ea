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
		return cfg, f.Required, err
	})
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

func instanceChecks() []Check {
	return []Check{
		{ID: "instance/unknown", Demand: "answers a call for an instance it does not have with INSTANCE_NOT_CONFIGURED", run: instanceUnknown},
		{ID: "instance/same-generation", Demand: "takes the same generation twice", run: instanceSame},
		{ID: "instance/newer-generation", Demand: "replaces an older generation by a newer one", run: instanceNewer},
		{ID: "instance/older-generation", Demand: "refuses a generation older than the one it has", run: instanceOlder},
		{ID: "instance/running-call-ends", Demand: "lets calls of the replaced generation end", Proxy: true, run: instanceRunning},
		{ID: "instance/release", Demand: "forgets a released instance, and does not mind releasing what it does not have", run: instanceRelease},
		{ID: "instance/many", Demand: "keeps several instances apart", run: instanceMany},
	}
}

// stage is an instance of its own for one check.
type stage struct {
	s   *Session
	ctx context.Context
	id  string
}

func (g stage) at(generation int64) wire.Instance {
	return wire.Instance{ID: g.id, Generation: generation}
}

func (g stage) configure(generation int64) error {
	return g.s.subject.client.Configure(g.ctx, g.at(generation), g.s.config)
}

// ask makes a harmless call.
func (g stage) ask(generation int64) error {
	key := "kit"
	if keys := g.s.people.keys(); len(keys) > 0 {
		key = keys[0].Name
	}
	_, err := g.s.subject.client.Remote(g.at(generation)).Lookup(g.ctx, sdk.LookupRequest{Key: key, Value: g.s.run + "-nobody"})
	return err
}

func (g stage) release(generation int64) error {
	return g.s.subject.client.Release(g.ctx, g.at(generation))
}

// onStage runs a check on an instance of its own.
func onStage(ctx context.Context, s *Session, id string, run func(stage) error) error {
	ctx, cancel := call(ctx)
	defer cancel()
	g := stage{s, ctx, "kit-" + id}
	err := run(g)
	_ = g.release(1 << 40)
	return err
}

func instanceUnknown(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "unknown", func(g stage) error {
		return notConfigured("Lookup on an instance that was never configured", g.ask(1))
	})
}

func instanceSame(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "same", func(g stage) error {
		for range 2 {
			if err := g.configure(3); err != nil {
				return unexpected("Configure of generation 3, twice", err)
			}
		}
		return unexpected("Lookup afterwards", g.ask(3))
	})
}

func instanceNewer(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "newer", func(g stage) error {
		for _, generation := range []int64{1, 2} {
			if err := g.configure(generation); err != nil {
				return unexpected(fmt.Sprintf("Configure of generation %d", generation), err)
			}
		}
		return errors.Join(
			unexpected("Lookup on generation 2", g.ask(2)),
			notConfigured("Lookup on the replaced generation 1", g.ask(1)))
	})
}

func instanceOlder(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "older", func(g stage) error {
		if err := g.configure(5); err != nil {
			return unexpected("Configure of generation 5", err)
		}
		if err := g.configure(4); err == nil {
			return differs("Configure of generation 4 after 5 fails", "success")
		}
		return unexpected("Lookup on generation 5", g.ask(5))
	})
}

func instanceRunning(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "running", func(g stage) error {
		if err := g.configure(1); err != nil {
			return unexpected("Configure", err)
		}
		ended, err := s.delayed(g.ctx, func() error { return g.ask(1) })
		if err != nil {
			return err
		}
		if err := g.configure(2); err != nil {
			return unexpected("Configure of generation 2 while a call of generation 1 runs", err)
		}
		return errors.Join(unexpected("the call of generation 1 that was running", <-ended), unexpected("Lookup on generation 2", g.ask(2)))
	})
}

func instanceRelease(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "release", func(g stage) error {
		if err := g.configure(1); err != nil {
			return unexpected("Configure", err)
		}
		for range 2 {
			if err := g.release(1); err != nil {
				return unexpected("Release, twice", err)
			}
		}
		if err := notConfigured("Lookup after Release", g.ask(1)); err != nil {
			return err
		}
		if err := g.configure(2); err != nil {
			return unexpected("Configure after Release", err)
		}
		return unexpected("Lookup after that", g.ask(2))
	})
}

func instanceMany(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "one", func(one stage) error {
		return onStage(ctx, s, "two", func(two stage) error {
			for _, g := range []stage{one, two} {
				if err := g.configure(7); err != nil {
					return unexpected("Configure of two instances", err)
				}
			}
			if err := one.release(7); err != nil {
				return unexpected("Release of one", err)
			}
			return errors.Join(
				unexpected("Lookup on the other", two.ask(7)),
				notConfigured("Lookup on the released one", one.ask(7)))
		})
	})
}
