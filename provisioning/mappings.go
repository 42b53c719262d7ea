package provisioning

import (
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// AttributeMapping gives one attribute of a target its value; the other types are of
// its keys.
type (
	AttributeMapping = mapping.Rule
	When             = mapping.When
	OnNull           = mapping.OnNull
	OnFail           = mapping.OnFail
	Unique           = mapping.Unique
	Suffix           = mapping.Suffix
	Candidate        = mapping.Candidate
	MappingProblem   = mapping.Problem
)

// The suffixes of a unique value where nothing else is said.
const (
	DefaultSuffixStart = mapping.DefaultSuffixStart
	DefaultSuffixMax   = mapping.DefaultSuffixMax
)

// NewCandidate returns a value as a candidate for a unique attribute.
func NewCandidate(value string) Candidate { return mapping.NewCandidate(value) }

// CompileMapping checks the target's mapping against the attributes its connector
// declares. The error joins [*mapping.Problem]s.
func (t Target) CompileMapping(declared []sdk.Attribute) (*mapping.Mapping, error) {
	return mapping.Compile(t.Mapping, t.Maps, declared)
}

// mappings keeps the mapping of each target as it was last compiled, which takes
// longer than most runs.
type mappings struct {
	mu       sync.Mutex
	compiled map[TargetName]compiled
}

// compiled remembers what it was made of. The revision of a target does not tell: one
// that was deleted and made anew counts from 1 again.
type compiled struct {
	rules    []AttributeMapping
	maps     map[string]map[string]string
	declared []sdk.Attribute
	mapping  *mapping.Mapping
}

func (c compiled) of(t Target, declared []sdk.Attribute) bool {
	return c.mapping != nil && slices.Equal(c.declared, declared) && reflect.DeepEqual(c.rules, t.Mapping) && reflect.DeepEqual(c.maps, t.Maps)
}

// of returns the target's mapping, or an [*sdk.Error].
func (m *mappings) of(t Target, declared []sdk.Attribute) (*mapping.Mapping, error) {
	m.mu.Lock()
	have := m.compiled[t.Name]
	m.mu.Unlock()
	if have.of(t, declared) {
		return have.mapping, nil
	}
	fresh, err := t.CompileMapping(declared)
	if err != nil {
		return nil, configurationError(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.compiled == nil {
		m.compiled = map[TargetName]compiled{}
	}
	m.compiled[t.Name] = compiled{t.Mapping, t.Maps, slices.Clone(declared), fresh}
	return fresh, nil
}

// configurationError is a mapping that no longer fits its connector: no retry
// will help before somebody changes the target.
func configurationError(err error) error {
	e := &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: err.Error()}
	var p *mapping.Problem
	if errors.As(err, &p) {
		e.Field = p.Attribute
	}
	return e
}

// mapped returns the profile as mappings see it.
func (p Profile) mapped() mapping.Profile {
	return mapping.Profile{
		ID: string(p.ID), Login: p.Login, Email: p.Email, EmailVerified: p.EmailVerified, GivenName: p.GivenName,
		FamilyName: p.FamilyName, Name: p.Name, Locale: p.Locale, PhoneNumber: p.PhoneNumber, Active: p.Active,
		Groups: p.Groups, Claims: p.Claims,
	}
}
