package sdk

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
)

// Define makes a connector of a name, a semantic version and the author's
// function that opens a target with a decoded configuration.
//
// C is the author's configuration struct. Every exported field has a tag:
//
//	type Config struct {
//		BaseURL string        `config:"base_url,required" help:"Root of the API."`
//		Auth    string        `config:"auth" enum:"basic,bearer" default:"bearer"`
//		Token   sdk.Secret    `config:"token,required" when:"auth=bearer"`
//		Timeout time.Duration `config:"timeout" default:"10s" group:"Limits" order:"10"`
//		Cache   *cache        `config:"-"`
//	}
//
// A field is a string, bool, int, [time.Duration], []string or [Secret]; a
// Secret is never shown and arrives apart from the other values. A field with a
// condition ("when" names a field before it and the values it may have, separated
// by commas) is shown, required and used only while that holds, and else keeps
// its zero value; see [Condition]. "group" and "order" are for the form; see
// [Description.Form]. If C or *C has a method Validate() []Problem, it is asked
// once every field by itself is right.
//
// T is the author's target. What it can do beyond [Target] is read from its
// type, so open must return the concrete type. open should not call the target
// system; [Checker] is for that. If T is an io.Closer, it is closed when the
// configuration is replaced and its last call has ended.
//
// Define panics when the definition itself is wrong: that is a mistake in the
// program, and the first start shows it.
func Define[C any, T Target](name, version string, open func(context.Context, C) (T, error), options ...Option) Connector {
	if !connectorName.MatchString(name) {
		panic(fmt.Sprintf("sdk.Define: name %q: use lower-case letters, digits, - and _, starting with a letter", name))
	}
	if !semanticVersion.MatchString(version) {
		panic(fmt.Sprintf("sdk.Define: version %q is no semantic version such as 1.2.3", version))
	}
	if reflect.TypeFor[T]().Kind() == reflect.Interface {
		panic(fmt.Sprintf("sdk.Define: open returns the interface %s, which hides what the target can do: return your concrete type", reflect.TypeFor[T]()))
	}
	fields := configFields(reflect.TypeFor[C]())
	d := Description{Name: name, Version: version, DisplayName: name, Capabilities: capabilitiesOf[T]()}
	for _, f := range fields {
		d.Config = append(d.Config, f.Field)
	}
	for _, option := range options {
		option(&d)
	}
	if problems := d.attributeProblems(true); len(problems) > 0 {
		panic("sdk.Define: " + problems[0].Message)
	}
	return &definition[C, T]{description: d, fields: fields, open: open}
}

var (
	connectorName   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	semanticVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

// Option adds to what [Define] knows of a connector.
type Option func(*Description)

// DisplayName is what people read instead of the name.
func DisplayName(s string) Option {
	return func(d *Description) { d.DisplayName = s }
}

// WithAttributes declares the attributes an account of this kind can carry. An
// attribute without a type is a string.
func WithAttributes(attributes ...Attribute) Option {
	return func(d *Description) {
		for _, a := range attributes {
			if a.Type == "" {
				a.Type = AttributeString
			}
			d.Attributes = append(d.Attributes, a)
		}
	}
}

// capabilitiesOf reads the optional interfaces off the type itself.
func capabilitiesOf[T Target]() []Capability {
	var (
		zero T
		have []Capability
	)
	add := func(c Capability, ok bool) {
		if ok {
			have = append(have, c)
		}
	}
	_, ok := any(zero).(Getter)
	add(CapabilityGet, ok)
	_, ok = any(zero).(ActiveSetter)
	add(CapabilitySetActive, ok)
	_, ok = any(zero).(Deleter)
	add(CapabilityDelete, ok)
	_, ok = any(zero).(Lister)
	add(CapabilityList, ok)
	_, ok = any(zero).(GroupSetter)
	add(CapabilitySetGroups, ok)
	_, ok = any(zero).(Checker)
	add(CapabilityCheck, ok)
	return have
}

// definition is the Connector behind [Define].
type definition[C any, T Target] struct {
	description Description
	fields      []configField
	open        func(context.Context, C) (T, error)
}

func (d *definition[C, T]) Describe() Description { return d.description }

func (d *definition[C, T]) Validate(cfg RawConfig) []Problem {
	_, problems := d.decode(cfg)
	return problems
}

// Open implements [Connector]. A bad configuration is [KindInvalid].
func (d *definition[C, T]) Open(ctx context.Context, cfg RawConfig) (Target, error) {
	decoded, problems := d.decode(cfg)
	if len(problems) > 0 {
		return nil, invalidConfig(problems)
	}
	target, err := d.open(ctx, decoded)
	if err != nil {
		return nil, err
	}
	if v := reflect.ValueOf(&target).Elem(); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, &Error{Kind: KindInternal, Effect: EffectNone, Message: "the connector opened no target"}
	}
	return target, nil
}

func (d *definition[C, T]) decode(cfg RawConfig) (C, []Problem) {
	var decoded C
	problems := decodeConfig(reflect.ValueOf(&decoded).Elem(), d.fields, cfg)
	if len(problems) > 0 {
		return decoded, problems
	}
	if v, ok := any(&decoded).(interface{ Validate() []Problem }); ok {
		problems = v.Validate()
	}
	return decoded, problems
}
