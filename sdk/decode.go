package sdk

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// decodeConfig fills the author's struct and reports everything that is wrong,
// in the order of the struct, then what the struct does not know. No message
// repeats a value: a secret may have been put in the wrong place. A field whose
// condition does not hold keeps its zero value; what was given for it must still
// be of its type.
func decodeConfig(into reflect.Value, fields []configField, cfg RawConfig) []Problem {
	values, problem := objectOf(cfg.Values)
	if problem != "" {
		return []Problem{{Message: problem}}
	}
	var problems []Problem
	report := func(field, message string) {
		if message != "" {
			problems = append(problems, Problem{Field: field, Message: message})
		}
	}
	known, texts := map[string]bool{}, map[string]string{}
	for _, f := range fields {
		known[f.Name] = true
		raw, given := values[f.Name]
		secret, secretGiven := cfg.Secrets[f.Name]
		field := into.Field(f.index)
		if !f.When.Holds(texts) {
			f.Required, f.Default = false, ""
			field = reflect.New(field.Type()).Elem() // checked, and not used
		}
		switch {
		case f.Secret && given:
			report(f.Name, "is a secret and must be given as one, not among the values")
		case f.Secret:
			report(f.Name, setSecret(field, f, secret))
		case secretGiven:
			report(f.Name, "is not a secret and must be given among the values")
		default:
			report(f.Name, setValue(field, f, raw))
		}
		if f.When.Holds(texts) {
			texts[f.Name] = textOf(field)
		}
	}
	for _, name := range unknownNames(known, values, cfg.Secrets) {
		report(name, "is not a field of this connector")
	}
	return problems
}

// objectOf reads a JSON object; nothing at all is an empty one, and a null is a
// value that was not given.
func objectOf(b json.RawMessage) (values map[string]json.RawMessage, problem string) {
	if len(b) == 0 {
		return nil, ""
	}
	if err := json.Unmarshal(b, &values); err != nil || values == nil {
		return nil, "the configuration must be a JSON object"
	}
	maps.DeleteFunc(values, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" })
	return values, ""
}

func unknownNames(known map[string]bool, values map[string]json.RawMessage, secrets map[string]Secret) []string {
	unknown := map[string]bool{}
	for name := range values {
		unknown[name] = !known[name]
	}
	for name := range secrets {
		unknown[name] = !known[name]
	}
	maps.DeleteFunc(unknown, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(unknown))
}

func setSecret(into reflect.Value, f configField, s Secret) (problem string) {
	if f.Required && s == "" {
		return "is required"
	}
	into.Set(reflect.ValueOf(s))
	return ""
}

func setValue(into reflect.Value, f configField, raw json.RawMessage) (problem string) {
	v, given := any(nil), raw != nil
	switch {
	case given:
		v, problem = parseJSON(f.Type, raw)
	case f.Default != "":
		v, problem = parseText(f.Type, f.Default)
	case f.Required:
		return "is required"
	default:
		return ""
	}
	if problem != "" {
		return problem
	}
	if f.Required && isEmpty(v) {
		return "is required"
	}
	if problem := outsideEnum(f.Field, v); problem != "" {
		return problem
	}
	into.Set(reflect.ValueOf(v))
	return ""
}

// isEmpty tells of a text or list that is there but says nothing. false and 0
// do say something.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v) == ""
	case []string:
		return len(v) == 0
	}
	return false
}

func parseJSON(t FieldType, raw json.RawMessage) (v any, problem string) {
	var err error
	switch t {
	case FieldBool:
		v, err = unmarshal[bool](raw)
	case FieldInt:
		v, err = unmarshal[int](raw)
	case FieldStrings:
		v, err = unmarshal[[]string](raw)
	case FieldDuration:
		var s string
		if s, err = unmarshal[string](raw); err == nil {
			v, err = time.ParseDuration(s)
		}
	default:
		v, err = unmarshal[string](raw)
	}
	if err != nil {
		return nil, mustBe(t)
	}
	return v, ""
}

func unmarshal[V any](raw json.RawMessage) (v V, err error) {
	err = json.Unmarshal(raw, &v)
	return v, err
}

// invalidConfig tells of all problems in one error, for callers that did not ask
// [Connector.Validate] first.
func invalidConfig(problems []Problem) *Error {
	if len(problems) == 1 {
		return Invalid(problems[0].Field, problems[0].Message)
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = strings.TrimPrefix(p.Field+": "+p.Message, ": ")
	}
	return Invalid("", strings.Join(texts, "; "))
}
