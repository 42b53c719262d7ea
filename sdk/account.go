package sdk

// Account is an account as the downstream system has it.
type Account struct {
	// ID is the system's own immutable id. Never a name that can change, never
	// invented: without one the verb has failed.
	ID string
	// Attributes holds what the connector read, by declared name. Attributes the
	// connector could not read are absent, which is not the same as empty.
	Attributes Attributes
	// Active is nil when the system does not say.
	Active *bool
	// Version is an entity tag or the like for conditional updates, "" if none.
	Version string
}

// Attributes are values by declared attribute name. A value is what
// encoding/json decodes into an any: string, bool, float64, []any,
// map[string]any. nil and absent mean "no value".
type Attributes map[string]any

// String returns the attribute as a string: the string itself, or the first
// element of a list of strings; "" when absent or of another type.
func (a Attributes) String(name string) string {
	switch v := a[name].(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			s, _ := v[0].(string)
			return s
		}
	}
	return ""
}

// Bool returns the attribute as a boolean; ok is false when absent or of
// another type.
func (a Attributes) Bool(name string) (value, ok bool) {
	value, ok = a[name].(bool)
	return value, ok
}

// Strings returns a multi-valued attribute's strings. A single string is a list
// of one; elements that are not strings are left out.
func (a Attributes) Strings(name string) []string {
	switch v := a[name].(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
