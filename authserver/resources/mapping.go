package resources

import (
	"errors"
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Mapping gives one attribute its value: from source, constant, expression, unique or
// uuid, of which there is one.
type Mapping struct {
	Attribute  string  `yaml:"attribute" json:"attribute"`
	Source     string  `yaml:"source,omitempty" json:"source,omitempty"`
	Constant   any     `yaml:"constant,omitempty" json:"constant,omitempty"`
	Expression string  `yaml:"expression,omitempty" json:"expression,omitempty"`
	Unique     *Unique `yaml:"unique,omitempty" json:"unique,omitempty"`
	UUID       bool    `yaml:"uuid,omitempty" json:"uuid,omitempty"`
	Apply      string  `yaml:"apply,omitempty" json:"apply,omitempty"`
	OnNull     string  `yaml:"on_null,omitempty" json:"on_null,omitempty"`
	Default    any     `yaml:"default,omitempty" json:"default,omitempty"`
	OnError    string  `yaml:"on_error,omitempty" json:"on_error,omitempty"`
}

// Unique lists the expressions for a value that no other account has.
type Unique struct {
	Candidates []string `yaml:"candidates" json:"candidates"`
	Suffix     *Suffix  `yaml:"suffix,omitempty" json:"suffix,omitempty"`
}

// Suffix is a range of numbers. What is left out takes its default.
type Suffix struct {
	Start *int `yaml:"start,omitempty" json:"start,omitempty"`
	Max   *int `yaml:"max,omitempty" json:"max,omitempty"`
}

// checkMapping reports what is wrong whatever the connector; the rest is found when
// the connector is asked.
func (t Target) checkMapping(path string, p *Problems) {
	for i, m := range t.Mapping {
		at := fmt.Sprintf("%s[%d].", path, i)
		if m.Attribute == "" {
			p.add(at+"attribute", "required")
		}
		if text := m.rule().Check(); text != "" {
			p.add(strings.TrimSuffix(at, "."), "%s", text)
		}
	}
}

// addMapping reports what is wrong with a mapping for its connector: of each attribute
// or table by itself.
func addMapping(path string, err error, p *Problems) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			addMapping(path, e, p)
		}
		return
	}
	problem, ok := errors.AsType[*provisioning.MappingProblem](err)
	switch {
	case !ok:
		p.add(path+"mapping", "%v", err)
	case problem.Attribute == "maps" || strings.HasPrefix(problem.Attribute, "maps."):
		p.add(path+problem.Attribute, "%s", problem.Message)
	default:
		p.add(path+"mapping."+problem.Attribute, "%s", problem.Message)
	}
}

func (m Mapping) rule() provisioning.AttributeMapping {
	return provisioning.AttributeMapping{
		Attribute: m.Attribute, Source: m.Source, Constant: m.Constant, Expression: m.Expression, Unique: m.Unique.unique(), UUID: m.UUID,
		Apply: provisioning.When(m.Apply), OnNull: provisioning.OnNull(m.OnNull), Default: m.Default, OnError: provisioning.OnFail(m.OnError),
	}
}

func (u *Unique) unique() *provisioning.Unique {
	if u == nil {
		return nil
	}
	out := &provisioning.Unique{Candidates: u.Candidates}
	if u.Suffix != nil {
		out.Suffix = &provisioning.Suffix{
			Start: orDefault(u.Suffix.Start, provisioning.DefaultSuffixStart), Max: orDefault(u.Suffix.Max, provisioning.DefaultSuffixMax),
		}
	}
	return out
}

func orDefault(n *int, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return *n
}

// exportMapping is the inverse of [Mapping.rule].
func exportMapping(r provisioning.AttributeMapping) Mapping {
	out := Mapping{
		Attribute: r.Attribute, Source: r.Source, Constant: r.Constant, Expression: r.Expression, UUID: r.UUID,
		Apply: string(r.Apply), OnNull: string(r.OnNull), Default: r.Default, OnError: string(r.OnError),
	}
	if r.Unique == nil {
		return out
	}
	out.Unique = &Unique{Candidates: r.Unique.Candidates}
	if s := r.Unique.Suffix; s != nil {
		out.Unique.Suffix = &Suffix{Start: &s.Start, Max: &s.Max}
	}
	return out
}
