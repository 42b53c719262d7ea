package wire

import (
	"fmt"
	"reflect"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// accountToProto refuses an account without an id: whoever has none has no
// account.
func accountToProto(a sdk.Account) (*connectorv1.Account, error) {
	if a.ID == "" {
		return nil, broken("the connector returned an account without an id")
	}
	if !utf8.ValidString(a.ID) || !utf8.ValidString(a.Version) {
		return nil, broken("the connector returned an id or version that is not UTF-8")
	}
	attributes, err := attributesToProto(a.Attributes)
	if err != nil {
		return nil, broken("the connector returned an " + err.Error())
	}
	return &connectorv1.Account{Id: a.ID, Attributes: attributes, Active: a.Active, Version: a.Version}, nil
}

func accountFromProto(p *connectorv1.Account) (sdk.Account, error) {
	if p.GetId() == "" {
		return sdk.Account{}, &sdk.Error{
			Kind: sdk.KindInternal, Effect: sdk.EffectNone,
			Message: "the connector returned an account without an id",
		}
	}
	a := sdk.Account{ID: p.GetId(), Attributes: attributesFromProto(p.GetAttributes()), Version: p.GetVersion()}
	if p.Active != nil {
		active := p.GetActive()
		a.Active = &active
	}
	return a, nil
}

func accountsToProto(in []sdk.Account) ([]*connectorv1.Account, error) {
	out := make([]*connectorv1.Account, len(in))
	for i, a := range in {
		p, err := accountToProto(a)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

func accountsFromProto(in []*connectorv1.Account) ([]sdk.Account, error) {
	out := make([]sdk.Account, len(in))
	for i, p := range in {
		a, err := accountFromProto(p)
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}

// broken is a defect of the connector. Its effect is left open: the server's end
// fills in what the verb allows.
func broken(message string) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindInternal, Message: message}
}

// attributeError names the attribute that cannot be sent, never its value.
type attributeError struct {
	name string
	why  string
}

func (e *attributeError) Error() string {
	return fmt.Sprintf("attribute %q that cannot be sent: %s", e.name, e.why)
}

// attributesToProto converts the values encoding/json would decode, and for
// convenience their typed relatives such as []string and int.
func attributesToProto(in sdk.Attributes) (*structpb.Struct, error) {
	if in == nil {
		return nil, nil
	}
	out := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(in))}
	for name, v := range in {
		plain, err := plainValue(reflect.ValueOf(v), 0)
		if err != nil {
			return nil, &attributeError{name: clean(name), why: err.Error()}
		}
		value, err := structpb.NewValue(plain)
		if err != nil || !utf8.ValidString(name) {
			return nil, &attributeError{name: clean(name), why: "not UTF-8"}
		}
		out.Fields[name] = value
	}
	return out, nil
}

func attributesFromProto(p *structpb.Struct) sdk.Attributes {
	if p == nil {
		return nil
	}
	return p.AsMap()
}

// maxDepth is far beyond any directory's attributes and far below what exhausts
// a stack or protobuf's own limit.
const maxDepth = 32

var secretType = reflect.TypeFor[sdk.Secret]()

// plainValue reduces a value to what structpb takes: nil, bool, float64, string,
// []any and map[string]any.
func plainValue(v reflect.Value, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	if !v.IsValid() {
		return nil, nil
	}
	if v.Type() == secretType {
		return nil, fmt.Errorf("a secret is no attribute")
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return plainValue(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return plainSlice(v, depth)
	case reflect.Map:
		return plainMap(v, depth)
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	}
	switch {
	case v.CanInt():
		return float64(v.Int()), nil
	case v.CanUint():
		return float64(v.Uint()), nil
	}
	return nil, fmt.Errorf("values of type %s have no JSON form", v.Type())
}

func plainSlice(v reflect.Value, depth int) (any, error) {
	out := make([]any, v.Len())
	for i := range out {
		e, err := plainValue(v.Index(i), depth+1)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

func plainMap(v reflect.Value, depth int) (any, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("values of type %s have no JSON form", v.Type())
	}
	out := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		e, err := plainValue(it.Value(), depth+1)
		if err != nil {
			return nil, err
		}
		out[it.Key().String()] = e
	}
	return out, nil
}
