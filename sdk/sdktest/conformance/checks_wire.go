package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func valueChecks() []Check {
	return []Check{
		{ID: "value/odd", Demand: "carries quotes, brackets, other scripts and emoji unharmed", run: valueOdd},
		{ID: "value/huge", Demand: "carries 64 KiB unharmed, or refuses it as invalid", run: valueHuge},
	}
}

// roundTrip creates an account with a value and reads it back.
func (s *Session) roundTrip(ctx context.Context, what, value string) error {
	edited, err := s.people.editable()
	if err != nil {
		return err
	}
	attributes := s.people.next()
	attributes[edited.Name] = value
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	a, err := target.Create(ctx, sdk.CreateRequest{Operation: s.operation(), Attributes: attributes, Active: true})
	if err != nil {
		return refused("Create with "+what+" succeeds or", err, sdk.KindInvalid)
	}
	s.created = append(s.created, a.ID)
	got, err := s.read(ctx, "after Create with "+what, person{a, attributes})
	if err != nil {
		return err
	}
	if have := got.Attributes.String(edited.Name); have != value {
		return differs(fmt.Sprintf("%s of %d bytes come back as they were sent", what, len(value)), "%d bytes: %s", len(have), quoted(have))
	}
	return nil
}

func valueOdd(ctx context.Context, s *Session) error {
	const odd = `O'Brien "q" \ / <b>&amp;</b> %s ${x} {{y}} søren 日本 🎉`
	return s.roundTrip(ctx, "odd characters", odd+" "+s.run)
}

func valueHuge(ctx context.Context, s *Session) error {
	return s.roundTrip(ctx, "a long text", strings.Repeat("long text ", 64<<10/10)+s.run)
}

func wireChecks() []Check {
	return []Check{
		{ID: "wire/unknown-fields", Demand: "ignores fields of messages that it does not know", run: wireUnknownFields},
		{ID: "wire/undeclared-verbs", Demand: "answers unsupported to a verb it does not declare, and not to one it does", run: wireUndeclared},
		{ID: "wire/failures-typed", Demand: "gives every failure its kind and effect", Bare: true, run: wireTyped},
	}
}

// strange adds fields to a message that no version has.
func strange[M proto.Message](m M) M {
	b := protowire.AppendTag(nil, 9001, protowire.BytesType)
	b = protowire.AppendString(b, "a field of the future")
	b = protowire.AppendTag(b, 9002, protowire.VarintType)
	b = protowire.AppendVarint(b, 7)
	m.ProtoReflect().SetUnknown(b)
	return m
}

func wireUnknownFields(ctx context.Context, s *Session) error {
	ctx, cancel := call(ctx)
	defer cancel()
	raw := s.subject.raw
	if _, err := raw.Describe(ctx, strange(&connectorv1.DescribeRequest{})); err != nil {
		return unexpected("Describe with unknown fields", err)
	}
	in := strange(&connectorv1.InstanceRef{InstanceId: "kit-strange", Generation: 1})
	config := strange(&connectorv1.Config{Json: s.config.Values, Secrets: map[string][]byte{}})
	for name, secret := range s.config.Secrets {
		config.Secrets[name] = []byte(secret.Reveal())
	}
	if _, err := raw.Configure(ctx, strange(&connectorv1.ConfigureRequest{Instance: in, Config: config})); err != nil {
		return unexpected("Configure with unknown fields", err)
	}
	attributes, err := structpb.NewStruct(s.people.next())
	if err != nil {
		return err
	}
	operation := strange(&connectorv1.Operation{Id: s.operation().ID, Attempt: 1})
	made, err := raw.Create(ctx, strange(&connectorv1.CreateRequest{Instance: in, Operation: operation, Attributes: attributes, Active: true}))
	if err != nil {
		return unexpected("Create with unknown fields", err)
	}
	s.created = append(s.created, made.GetAccount().GetId())
	_, err = raw.Release(ctx, strange(&connectorv1.ReleaseRequest{Instance: in}))
	return unexpected("Release with unknown fields", err)
}

func wireUndeclared(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	id, err := s.goneID(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for capability, err := range optionalVerbs(ctx, s, target, id) {
		unsupported := sdk.KindOf(err) == sdk.KindUnsupported
		switch declared := s.desc.Has(capability); {
		case declared && unsupported:
			problems = append(problems, differs(fmt.Sprintf("%q is declared and works", capability), "%s", errorText(err)))
		case !declared && !unsupported:
			problems = append(problems, differs(fmt.Sprintf("%q is not declared and answers unsupported", capability), "%s", errorText(err)))
		}
	}
	return errors.Join(problems...)
}

// optionalVerbs is what each optional verb says for an account that is gone.
func optionalVerbs(ctx context.Context, s *Session, t *wire.Remote, id string) map[sdk.Capability]error {
	_, get := t.Get(ctx, sdk.GetRequest{ID: id})
	_, active := t.SetActive(ctx, sdk.SetActiveRequest{Operation: s.operation(), ID: id})
	_, check := t.Check(ctx)
	var list error
	for _, err := range t.List(ctx, sdk.ListRequest{}) {
		list = err
		break
	}
	return map[sdk.Capability]error{
		sdk.CapabilityGet: get, sdk.CapabilitySetActive: active, sdk.CapabilityCheck: check, sdk.CapabilityList: list,
		sdk.CapabilityDelete:    t.Delete(ctx, sdk.DeleteRequest{Operation: s.operation(), ID: id}),
		sdk.CapabilitySetGroups: t.SetGroups(ctx, sdk.SetGroupsRequest{Operation: s.operation(), ID: id}),
	}
}

// wireTyped looks at every failure of the run so far.
func wireTyped(_ context.Context, s *Session) error {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	if bad := s.watch.untyped; len(bad) > 0 {
		return differs("each failure carries ErrorInfo of the domain "+errorDomain, "%d without, the first of %s", len(bad), bad[0])
	}
	return nil
}
