package wire

import (
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// list converts a slice element by element; nil stays nil.
func list[A, B any](in []A, convert func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = convert(v)
	}
	return out
}

func descriptionToProto(d sdk.Description) *connectorv1.DescribeResponse {
	return &connectorv1.DescribeResponse{
		Name: d.Name, Version: d.Version, DisplayName: d.DisplayName,
		Capabilities: list(d.Capabilities, func(c sdk.Capability) string { return string(c) }),
		Config:       list(d.Config, fieldToProto),
		Attributes:   list(d.Attributes, attributeToProto),
	}
}

func descriptionFromProto(p *connectorv1.DescribeResponse) sdk.Description {
	return sdk.Description{
		Name: p.GetName(), Version: p.GetVersion(), DisplayName: p.GetDisplayName(),
		Capabilities: list(p.GetCapabilities(), func(s string) sdk.Capability { return sdk.Capability(s) }),
		Config:       list(p.GetConfig(), fieldFromProto),
		Attributes:   list(p.GetAttributes(), attributeFromProto),
	}
}

func fieldToProto(f sdk.Field) *connectorv1.Field {
	return &connectorv1.Field{
		Name: f.Name, Type: string(f.Type), Help: f.Help, Default: f.Default,
		Enum: f.Enum, Required: f.Required, Secret: f.Secret,
		Order: int32(f.Order), Group: f.Group, When: conditionToProto(f.When),
	}
}

func fieldFromProto(p *connectorv1.Field) sdk.Field {
	return sdk.Field{
		Name: p.GetName(), Type: sdk.FieldType(p.GetType()), Help: p.GetHelp(), Default: p.GetDefault(),
		Enum: p.GetEnum(), Required: p.GetRequired(), Secret: p.GetSecret(),
		Order: int(p.GetOrder()), Group: p.GetGroup(),
		When: sdk.Condition{Field: p.GetWhen().GetField(), Values: p.GetWhen().GetValues()},
	}
}

// conditionToProto leaves out a condition that always holds.
func conditionToProto(c sdk.Condition) *connectorv1.Condition {
	if c.Field == "" {
		return nil
	}
	return &connectorv1.Condition{Field: c.Field, Values: c.Values}
}

func attributeToProto(a sdk.Attribute) *connectorv1.Attribute {
	return &connectorv1.Attribute{
		Name: a.Name, Type: string(a.Type), Required: a.Required, MultiValued: a.MultiValued,
		CreateOnly: a.CreateOnly, CaseExact: a.CaseExact, Correlate: int32(a.Correlate),
		Owner: a.Owner, Source: a.Source, Secret: a.Secret, Help: a.Help,
	}
}

func attributeFromProto(p *connectorv1.Attribute) sdk.Attribute {
	return sdk.Attribute{
		Name: p.GetName(), Type: sdk.AttributeType(p.GetType()), Required: p.GetRequired(), MultiValued: p.GetMultiValued(),
		CreateOnly: p.GetCreateOnly(), CaseExact: p.GetCaseExact(), Correlate: int(p.GetCorrelate()),
		Owner: p.GetOwner(), Source: p.GetSource(), Secret: p.GetSecret(), Help: p.GetHelp(),
	}
}

// configToProto is where secrets leave their type, for the connector only.
func configToProto(c sdk.RawConfig) *connectorv1.Config {
	p := &connectorv1.Config{Json: c.Values}
	if c.Secrets != nil {
		p.Secrets = make(map[string][]byte, len(c.Secrets))
	}
	for name, secret := range c.Secrets {
		p.Secrets[name] = []byte(secret.Reveal())
	}
	return p
}

func configFromProto(p *connectorv1.Config) sdk.RawConfig {
	c := sdk.RawConfig{Values: p.GetJson()}
	if p.GetSecrets() != nil {
		c.Secrets = make(map[string]sdk.Secret, len(p.GetSecrets()))
	}
	for name, secret := range p.GetSecrets() {
		c.Secrets[name] = sdk.Secret(secret)
	}
	return c
}

func problemToProto(p sdk.Problem) *connectorv1.Problem {
	return &connectorv1.Problem{Field: clean(p.Field), Message: clean(p.Message)}
}

func problemsFromProto(in []*connectorv1.Problem) []sdk.Problem {
	return list(in, func(p *connectorv1.Problem) sdk.Problem {
		return sdk.Problem{Field: clean(p.GetField()), Message: clean(p.GetMessage())}
	})
}

func stepToProto(s sdk.CheckStep) *connectorv1.CheckStep {
	return &connectorv1.CheckStep{
		Name: clean(s.Name), Status: string(s.Status), Detail: clean(s.Detail), Fix: clean(s.Fix),
	}
}

// stepsFromProto takes a status it does not know for a failure.
func stepsFromProto(in []*connectorv1.CheckStep) []sdk.CheckStep {
	return list(in, func(p *connectorv1.CheckStep) sdk.CheckStep {
		s := sdk.CheckStep{
			Name: clean(p.GetName()), Status: sdk.CheckStatus(p.GetStatus()),
			Detail: clean(p.GetDetail()), Fix: clean(p.GetFix()),
		}
		if s.Status != sdk.CheckPassed && s.Status != sdk.CheckSkipped {
			s.Status = sdk.CheckFailed
		}
		return s
	})
}
