package resources

import (
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Mapping gives one attribute its value: from source, constant or expression, of which
// there is one.
type Mapping struct {
	Attribute  string `yaml:"attribute" json:"attribute"`
	Source     string `yaml:"source,omitempty" json:"source,omitempty"`
	Constant   any    `yaml:"constant,omitempty" json:"constant,omitempty"`
	Expression string `yaml:"expression,omitempty" json:"expression,omitempty"`
	Apply      string `yaml:"apply,omitempty" json:"apply,omitempty"`
	OnNull     string `yaml:"on_null,omitempty" json:"on_null,omitempty"`
	Default    any    `yaml:"default,omitempty" json:"default,omitempty"`
	OnError    string `yaml:"on_error,omitempty" json:"on_error,omitempty"`
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

func (m Mapping) rule() provisioning.AttributeMapping {
	return provisioning.AttributeMapping{
		Attribute: m.Attribute, Source: m.Source, Constant: m.Constant, Expression: m.Expression,
		Apply: provisioning.When(m.Apply), OnNull: provisioning.OnNull(m.OnNull), Default: m.Default, OnError: provisioning.OnFail(m.OnError),
	}
}

// exportMapping is the inverse of [Mapping.rule].
func exportMapping(r provisioning.AttributeMapping) Mapping {
	return Mapping{
		Attribute: r.Attribute, Source: r.Source, Constant: r.Constant, Expression: r.Expression,
		Apply: string(r.Apply), OnNull: string(r.OnNull), Default: r.Default, OnError: string(r.OnError),
	}
}
