package wire

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// fill sets everything reachable from v to something that is not zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("text of " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint('7')
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.Interface:
		v.Set(reflect.ValueOf("any"))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("fill does not know %s: teach it", v.Type())
	}
}

func filled[V any](t *testing.T) V {
	t.Helper()
	var v V
	fill(t, reflect.ValueOf(&v).Elem())
	return v
}

// checkPopulated fails for every field of the message, at any depth, that the
// conversion left empty.
func checkPopulated(t *testing.T, m protoreflect.Message) {
	t.Helper()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.ContainingOneof() != nil && !f.HasOptionalKeyword():
		case !m.Has(f):
			t.Errorf("%s is empty", f.FullName())
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			checkPopulated(t, m.Get(f).List().Get(0).Message())
		default:
			checkPopulated(t, m.Get(f).Message())
		}
	}
}

// TestConversionsHaveAllFields catches the field somebody adds to a struct or to
// the protocol and forgets in between.
func TestConversionsHaveAllFields(t *testing.T) {
	ref := filled[Instance](t).toProto()
	checkPopulated(t, ref.ProtoReflect())

	survives(t, func(v sdk.Description) (proto.Message, error) { return descriptionToProto(v), nil },
		func(m proto.Message) sdk.Description { return descriptionFromProto(m.(*connectorv1.DescribeResponse)) })
	survives(t, func(v sdk.RawConfig) (proto.Message, error) { return configToProto(v), nil },
		func(m proto.Message) sdk.RawConfig { return configFromProto(m.(*connectorv1.Config)) })
	survives(t, func(v sdk.Problem) (proto.Message, error) { return problemToProto(v), nil },
		func(m proto.Message) sdk.Problem {
			return problemsFromProto([]*connectorv1.Problem{m.(*connectorv1.Problem)})[0]
		})
	survives(t, func(v sdk.Account) (proto.Message, error) { return accountToProto(v) },
		func(m proto.Message) sdk.Account {
			a, err := accountFromProto(m.(*connectorv1.Account))
			if err != nil {
				t.Error(err)
			}
			return a
		})
	survives(t, func(v sdk.LookupRequest) (proto.Message, error) { return lookupToProto(ref, v), nil },
		func(m proto.Message) sdk.LookupRequest { return lookupFromProto(m.(*connectorv1.LookupRequest)) })
	survives(t, func(v sdk.GetRequest) (proto.Message, error) { return getToProto(ref, v), nil },
		func(m proto.Message) sdk.GetRequest { return getFromProto(m.(*connectorv1.GetRequest)) })
	survives(t, func(v sdk.CreateRequest) (proto.Message, error) { return createToProto(ref, v) },
		func(m proto.Message) sdk.CreateRequest { return createFromProto(m.(*connectorv1.CreateRequest)) })
	survives(t, func(v sdk.UpdateRequest) (proto.Message, error) { return updateToProto(ref, v) },
		func(m proto.Message) sdk.UpdateRequest { return updateFromProto(m.(*connectorv1.UpdateRequest)) })
	survives(t, func(v sdk.SetActiveRequest) (proto.Message, error) { return setActiveToProto(ref, v), nil },
		func(m proto.Message) sdk.SetActiveRequest {
			return setActiveFromProto(m.(*connectorv1.SetActiveRequest))
		})
	survives(t, func(v sdk.DeleteRequest) (proto.Message, error) { return deleteToProto(ref, v), nil },
		func(m proto.Message) sdk.DeleteRequest { return deleteFromProto(m.(*connectorv1.DeleteRequest)) })
	survives(t, func(v sdk.ListRequest) (proto.Message, error) { return listToProto(ref, v), nil },
		func(m proto.Message) sdk.ListRequest { return listFromProto(m.(*connectorv1.ListRequest)) })
	survives(t, func(v sdk.SetGroupsRequest) (proto.Message, error) { return setGroupsToProto(ref, v), nil },
		func(m proto.Message) sdk.SetGroupsRequest {
			return setGroupsFromProto(m.(*connectorv1.SetGroupsRequest))
		})
}

// survives sends a filled value through the wire's bytes and back.
func survives[V any](t *testing.T, to func(V) (proto.Message, error), from func(proto.Message) V) {
	t.Helper()
	want := filled[V](t)
	t.Run(reflect.TypeFor[V]().Name(), func(t *testing.T) {
		m, err := to(want)
		if err != nil {
			t.Fatal(err)
		}
		checkPopulated(t, m.ProtoReflect())
		if diff := cmp.Diff(want, from(overTheWire(t, m))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// overTheWire encodes and decodes m, with a field from the future added.
func overTheWire(t *testing.T, m proto.Message) proto.Message {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	b = protowire.AppendTag(b, 1999, protowire.BytesType)
	b = protowire.AppendString(b, "from the future")
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCheckStepSurvives(t *testing.T) {
	for got, want := range map[sdk.CheckStatus]sdk.CheckStatus{
		sdk.CheckPassed: sdk.CheckPassed, sdk.CheckSkipped: sdk.CheckSkipped,
		sdk.CheckFailed: sdk.CheckFailed, "maybe": sdk.CheckFailed, "": sdk.CheckFailed,
	} {
		step := filled[sdk.CheckStep](t)
		step.Status = got
		m := stepToProto(step)
		step.Status = want
		if diff := cmp.Diff([]sdk.CheckStep{step}, stepsFromProto([]*connectorv1.CheckStep{m})); diff != "" {
			t.Errorf("status %q (-want +got):\n%s", got, diff)
		}
	}
}

func TestErrorSurvives(t *testing.T) {
	want := sdk.Error{
		Kind: sdk.KindRateLimited, Effect: sdk.EffectApplied, Message: "slow down", Field: "mail",
		RetryAfter: 90 * time.Second, Err: io.EOF,
	}
	for i := range reflect.TypeFor[sdk.Error]().NumField() {
		if reflect.ValueOf(want).Field(i).IsZero() {
			t.Fatalf("sdk.Error.%s is new: carry it", reflect.TypeFor[sdk.Error]().Field(i).Name)
		}
	}
	got := decodeError(encodeError(&want), true, true)
	want.Err = nil // the cause stays in the connector
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKindHasItsCode(t *testing.T) {
	for kind, code := range map[sdk.Kind]codes.Code{
		sdk.KindTransient: codes.Unavailable, sdk.KindRateLimited: codes.ResourceExhausted,
		sdk.KindUnauthorized: codes.Unauthenticated, sdk.KindForbidden: codes.PermissionDenied,
		sdk.KindInvalid: codes.InvalidArgument, sdk.KindConflict: codes.AlreadyExists,
		sdk.KindAmbiguous: codes.FailedPrecondition, sdk.KindQuota: codes.FailedPrecondition,
		sdk.KindNotFound: codes.NotFound, sdk.KindUnsupported: codes.Unimplemented,
		sdk.KindOutcomeUnknown: codes.Unknown, sdk.KindInternal: codes.Internal,
		"from_the_future": codes.Internal,
	} {
		err := encodeError(&sdk.Error{Kind: kind, Effect: sdk.EffectNone})
		if got := status.Code(err); got != code {
			t.Errorf("code of %s = %v, want %v", kind, got, code)
		}
		want := kind
		if kind == "from_the_future" {
			want = sdk.KindInternal
		}
		if got := decodeError(err, true, true); got.Kind != want || errors.Is(got, ErrProcessGone) {
			t.Errorf("%s came back as %s: %v", kind, got.Kind, got)
		}
	}
}

// TestDecodeWithoutTheConnectorsWord is the table of what is certain when the
// connector said nothing.
func TestDecodeWithoutTheConnectorsWord(t *testing.T) {
	for _, test := range []struct {
		code        codes.Code
		write, sent bool
		kind        sdk.Kind
		effect      sdk.Effect
		gone        bool
	}{
		{codes.Unavailable, true, true, sdk.KindOutcomeUnknown, sdk.EffectUnknown, true},
		{codes.Unavailable, true, false, sdk.KindTransient, sdk.EffectNone, true},
		{codes.Unavailable, false, true, sdk.KindTransient, sdk.EffectNone, true},
		{codes.Unavailable, false, false, sdk.KindTransient, sdk.EffectNone, true},
		{codes.DeadlineExceeded, true, true, sdk.KindOutcomeUnknown, sdk.EffectUnknown, false},
		{codes.DeadlineExceeded, true, false, sdk.KindTransient, sdk.EffectNone, false},
		{codes.DeadlineExceeded, false, true, sdk.KindTransient, sdk.EffectNone, false},
		{codes.Canceled, true, true, sdk.KindOutcomeUnknown, sdk.EffectUnknown, false},
		{codes.Canceled, false, true, sdk.KindTransient, sdk.EffectNone, false},
		{codes.Unimplemented, true, true, sdk.KindUnsupported, sdk.EffectNone, false},
		{codes.AlreadyExists, true, true, sdk.KindInternal, sdk.EffectUnknown, false},
		{codes.ResourceExhausted, true, true, sdk.KindInternal, sdk.EffectUnknown, false},
		{codes.Internal, true, false, sdk.KindInternal, sdk.EffectNone, false},
		{codes.Internal, false, true, sdk.KindInternal, sdk.EffectNone, false},
	} {
		e := decodeError(status.Error(test.code, "x"), test.write, test.sent)
		if e.Kind != test.kind || e.Effect != test.effect || errors.Is(e, ErrProcessGone) != test.gone {
			t.Errorf("%v write=%v sent=%v = %s, effect %s, gone %v; want %+v",
				test.code, test.write, test.sent, e.Kind, e.Effect, errors.Is(e, ErrProcessGone), test)
		}
	}
}

func TestAnothersDetailsAreNotTheConnectorsWord(t *testing.T) {
	p := status.Convert(encodeError(sdk.Conflict("taken"))).Proto()
	p.Details = p.GetDetails()[1:] // a Failure alone
	e := decodeError(status.FromProto(p).Err(), true, true)
	if e.Kind != sdk.KindInternal || e.Effect != sdk.EffectUnknown {
		t.Errorf("without ErrorInfo = %s, effect %s; want internal, unknown", e.Kind, e.Effect)
	}
}

func TestTextsAreBounded(t *testing.T) {
	e := decodeError(encodeError(&sdk.Error{
		Kind: sdk.KindInvalid, Message: strings.Repeat("é", 9000) + "\xff", Field: "\xffmail",
	}), true, true)
	if len(e.Message) > maxMessage || len(e.Message) < maxMessage-4 || !utf8.ValidString(e.Message) {
		t.Errorf("message of %d bytes, valid %v; want just under %d", len(e.Message), utf8.ValidString(e.Message), maxMessage)
	}
	if e.Field != "\uFFFDmail" {
		t.Errorf("field %q, want the bad byte replaced", e.Field)
	}
}

func TestAttributesTakeTypedValues(t *testing.T) {
	type text string
	name := "ada"
	in := sdk.Attributes{
		"strings": []string{"a", "b"}, "int": 3, "uint": uint8(4), "float32": float32(0.5), "text": text("t"),
		"pointer": &name, "none": (*string)(nil), "nil": nil, "nested": map[string][]int{"a": {1}},
	}
	want := sdk.Attributes{
		"strings": []any{"a", "b"}, "int": 3.0, "uint": 4.0, "float32": 0.5, "text": "t",
		"pointer": "ada", "none": nil, "nil": nil, "nested": map[string]any{"a": []any{1.0}},
	}
	m, err := attributesToProto(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, attributesFromProto(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAttributesRefuseWhatCannotBeSent(t *testing.T) {
	loop := map[string]any{}
	loop["loop"] = loop
	for name, v := range map[string]any{
		"secret": sdk.Secret("hunter2"), "list of secrets": []any{sdk.Secret("hunter2")}, "channel": make(chan int),
		"time": time.Unix(0, 0), "keys": map[int]string{1: "a"}, "not UTF-8": "hunter2\xff", "loop": loop,
	} {
		_, err := attributesToProto(sdk.Attributes{name: v})
		var attribute *attributeError
		if !errors.As(err, &attribute) || attribute.name != name || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want an error that names the attribute and no value", name, err)
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add(`{"a":"b","c":[1,true,null,{"d":1e300}],"e":{}}`)
	f.Add(`{"":"","\u0000":-0.0}`)
	f.Fuzz(func(t *testing.T, text string) {
		var want sdk.Attributes
		if json.Unmarshal([]byte(text), &want) != nil {
			t.Skip("not an object")
		}
		m, err := attributesToProto(want)
		if err != nil {
			if strings.Count(text, "[")+strings.Count(text, "{") <= maxDepth {
				t.Fatalf("attributes from JSON cannot be sent: %v", err)
			}
			return
		}
		if want == nil {
			return
		}
		got := attributesFromProto(overTheWire(t, m).(*structpb.Struct))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzDecodeStatus(f *testing.F) {
	for _, e := range []*sdk.Error{errNotConfigured(), sdk.RateLimited(time.Minute), {Kind: "?", Effect: "?"}} {
		b, err := proto.Marshal(status.Convert(encodeError(e)).Proto())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, write, sent bool) {
		var p spb.Status
		if proto.Unmarshal(b, &p) != nil || p.GetCode() == 0 {
			t.Skip("no failed status")
		}
		e := decodeError(status.FromProto(&p).Err(), write, sent)
		if _, known := CodeOf(e.Kind); !known {
			t.Errorf("unknown kind %q", e.Kind)
		}
		if e.Effect != sdk.EffectNone && e.Effect != sdk.EffectApplied && e.Effect != sdk.EffectUnknown {
			t.Errorf("unknown effect %q", e.Effect)
		}
		if len(e.Message) > maxMessage || !utf8.ValidString(e.Message) || e.RetryAfter < 0 {
			t.Errorf("unbounded: %d bytes, after %v", len(e.Message), e.RetryAfter)
		}
	})
}

func TestUnknownDetailsAreIgnored(t *testing.T) {
	p := status.Convert(encodeError(sdk.Conflict("taken"))).Proto()
	future := &anypb.Any{TypeUrl: "type.googleapis.com/anteroom.connector.v9.Hint", Value: []byte("?")}
	p.Details = append([]*anypb.Any{future}, p.GetDetails()...)
	e := decodeError(status.FromProto(p).Err(), true, true)
	if e.Kind != sdk.KindConflict || e.Effect != sdk.EffectNone || e.Message != "taken" {
		t.Errorf("decoded %#v, want the conflict", e)
	}
}
