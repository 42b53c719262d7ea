package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// configField is a field of the author's configuration struct.
type configField struct {
	Field
	index int
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
)

// configFields reads the tags of a configuration struct; see [Define].
func configFields(t reflect.Type) []configField {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("sdk.Define: the configuration %s is not a struct", t))
	}
	var fields []configField
	var earlier []Field
	seen := map[string]string{}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, tagged := sf.Tag.Lookup("config")
		if tag == "-" || !tagged && !sf.IsExported() {
			continue
		}
		f, wrong := readField(sf, tag)
		if wrong == "" && seen[f.Name] != "" {
			wrong = fmt.Sprintf("the name %q is taken by field %s", f.Name, seen[f.Name])
		}
		if wrong == "" {
			wrong = f.When.contradiction(earlier)
		}
		if wrong != "" {
			panic(fmt.Sprintf("sdk.Define: %s.%s: %s", t, sf.Name, wrong))
		}
		seen[f.Name] = sf.Name
		fields, earlier = append(fields, configField{Field: f, index: i}), append(earlier, f)
	}
	return fields
}

// readField returns the field, or what is wrong with it.
func readField(sf reflect.StructField, tag string) (f Field, wrong string) {
	name, options, _ := strings.Cut(tag, ",")
	typ, known := fieldType(sf.Type)
	switch {
	case !sf.IsExported():
		return f, "it is not exported, so it cannot be set"
	case name == "":
		return f, "it needs a tag such as `config:\"base_url\"`, or `config:\"-\"` to be left out"
	case !known:
		return f, fmt.Sprintf("the type %s is not supported: use string, bool, int, time.Duration, []string or sdk.Secret", sf.Type)
	}
	f = Field{
		Name: name, Type: typ, Help: sf.Tag.Get("help"), Group: sf.Tag.Get("group"),
		Default: sf.Tag.Get("default"), Secret: sf.Type == secretType,
	}
	if enum := sf.Tag.Get("enum"); enum != "" {
		f.Enum = strings.Split(enum, ",")
	}
	if order := sf.Tag.Get("order"); order != "" {
		n, err := strconv.ParseInt(order, 10, 32)
		if err != nil {
			return f, fmt.Sprintf("the order %q is not a whole number", order)
		}
		f.Order = int(n)
	}
	if f.When, wrong = readCondition(sf.Tag.Get("when")); wrong != "" {
		return f, wrong
	}
	wrong = readOptions(&f, options)
	return f, wrong
}

// readOptions reads what stands after the name: "required" and "secret".
func readOptions(f *Field, options string) (wrong string) {
	for _, option := range strings.Split(options, ",") {
		switch option {
		case "":
		case "required":
			f.Required = true
		case "secret":
			if !f.Secret {
				return "a secret must have the type sdk.Secret, or it would show itself in logs"
			}
		default:
			return fmt.Sprintf("the option %q is unknown: use required or secret", option)
		}
	}
	return contradiction(*f)
}

// contradiction says which parts of a field's tags exclude each other, "" if
// none.
func contradiction(f Field) string {
	switch {
	case f.Secret && (f.Default != "" || f.Enum != nil):
		return "a secret has neither default nor enum"
	case f.Required && f.Default != "":
		return "a required field has no default"
	case f.Enum != nil && f.Type != FieldString && f.Type != FieldStrings:
		return "only a string or a list of strings has an enum"
	case f.Default == "":
		return ""
	}
	v, problem := parseText(f.Type, f.Default)
	if problem == "" {
		problem = outsideEnum(f, v)
	}
	if problem != "" {
		return fmt.Sprintf("the default %q %s", f.Default, problem)
	}
	return ""
}

func fieldType(t reflect.Type) (FieldType, bool) {
	switch t {
	case reflect.TypeFor[string](), secretType:
		return FieldString, true
	case reflect.TypeFor[bool]():
		return FieldBool, true
	case reflect.TypeFor[int]():
		return FieldInt, true
	case durationType:
		return FieldDuration, true
	case reflect.TypeFor[[]string]():
		return FieldStrings, true
	}
	return "", false
}

// parseText reads a value from its text form, as defaults are written. A list is
// separated by commas.
func parseText(t FieldType, s string) (v any, problem string) {
	var err error
	switch t {
	case FieldBool:
		v, err = strconv.ParseBool(s)
	case FieldInt:
		v, err = strconv.Atoi(s)
	case FieldDuration:
		v, err = time.ParseDuration(s)
	case FieldStrings:
		v = strings.Split(s, ",")
	default:
		v = s
	}
	if err != nil {
		return nil, mustBe(t)
	}
	return v, ""
}

// mustBe says what a value of the type looks like.
func mustBe(t FieldType) string {
	switch t {
	case FieldBool:
		return "must be true or false"
	case FieldInt:
		return "must be a whole number"
	case FieldDuration:
		return `must be a duration such as "5s" or "1m30s"`
	case FieldStrings:
		return "must be a list of strings"
	default:
		return "must be a string"
	}
}

// outsideEnum says that v is not among the allowed values, "" if it is.
func outsideEnum(f Field, v any) string {
	if f.Enum == nil {
		return ""
	}
	values, ok := v.([]string)
	if s, single := v.(string); single {
		values, ok = []string{s}, true
	}
	for _, s := range values {
		ok = ok && slices.Contains(f.Enum, s)
	}
	if ok {
		return ""
	}
	return "must be one of " + strings.Join(f.Enum, ", ")
}
