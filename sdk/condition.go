package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Condition says when a configuration field applies: when another field, which
// comes before it, has one of these values. The zero Condition always holds.
type Condition struct {
	Field  string   `json:"field"`
	Values []string `json:"values"` // in text form; "true" or "false" for a bool
}

// String is the condition as its tag is written: "auth=basic,bearer".
func (c Condition) String() string {
	if c.Field == "" {
		return ""
	}
	return c.Field + "=" + strings.Join(c.Values, ",")
}

// Holds reports whether the condition holds for the values of the other fields,
// in text form.
func (c Condition) Holds(values map[string]string) bool {
	return c.Field == "" || slices.Contains(c.Values, values[c.Field])
}

// readCondition reads a tag such as "auth=basic,bearer".
func readCondition(tag string) (c Condition, wrong string) {
	if tag == "" {
		return c, ""
	}
	field, values, ok := strings.Cut(tag, "=")
	if !ok || field == "" || values == "" {
		return c, fmt.Sprintf("the condition %q is not written as `when:\"field=value\"`", tag)
	}
	return Condition{Field: field, Values: strings.Split(values, ",")}, ""
}

// contradiction says why the condition can never be told, "" if it can. earlier
// are the fields before it, so that there are no circles.
func (c Condition) contradiction(earlier []Field) string {
	if c.Field == "" {
		return ""
	}
	at := slices.IndexFunc(earlier, func(f Field) bool { return f.Name == c.Field })
	if at < 0 {
		return fmt.Sprintf("the condition %q names no field that comes before", c)
	}
	on := earlier[at]
	switch {
	case on.Secret || on.Type != FieldString && on.Type != FieldBool:
		return fmt.Sprintf("the condition %q is about a field that is no plain string or bool", c)
	case on.Type == FieldBool:
		on.Enum = []string{"true", "false"}
	}
	for _, v := range c.Values {
		if on.Enum != nil && !slices.Contains(on.Enum, v) {
			return fmt.Sprintf("the condition %q can never hold: %s is one of %s", c, c.Field, strings.Join(on.Enum, ", "))
		}
	}
	return ""
}

// textOf is a decoded value as conditions compare it; "" for types they are not
// about.
func textOf(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
