package mapping

// Rule gives one attribute of an account its value. Exactly one of Source, Constant,
// Expression, Unique and UUID is set.
type Rule struct {
	Attribute string `json:"attribute"`
	// Source is a profile field: "user.email", "claims.department".
	Source   string `json:"source,omitempty"`
	Constant any    `json:"constant,omitempty"`
	// Expression is CEL over user and maps, see package expression.
	Expression string `json:"expression,omitempty"`
	// Unique is a value that no other account of the target has.
	Unique *Unique `json:"unique,omitempty"`
	// UUID is a random one (RFC 9562, version 4).
	UUID bool `json:"uuid,omitempty"`

	Apply   When   `json:"apply,omitempty"`    // "" is always; on_create for Unique and UUID
	OnNull  OnNull `json:"on_null,omitempty"`  // "" is fail for a required attribute, else clear
	Default any    `json:"default,omitempty"`  // instead of no value
	OnError OnFail `json:"on_error,omitempty"` // of an expression; "" is fail
}

// Unique says which values are tried when an account is made. The first that is free
// is the account's for as long as it exists.
type Unique struct {
	// Candidates are expressions, tried in order. One that gives no value is passed
	// over.
	Candidates []string `json:"candidates"`
	// Suffix is tried on the last candidate when all are taken; nil for none.
	Suffix *Suffix `json:"suffix,omitempty"`
}

// Suffix is a range of numbers, put at the end of a candidate or, of an address,
// before the @.
type Suffix struct {
	Start int `json:"start"`
	Max   int `json:"max"`
}

// The suffixes that are taken where a rule says nothing.
const (
	DefaultSuffixStart = 2
	DefaultSuffixMax   = 99
)

// Limits of a unique value.
const (
	MaxCandidates = 10
	MaxSuffix     = 9999
	maxSuffixes   = 999
	maxUnique     = 256 // bytes of the value
)

// When says in which writes an attribute is sent.
type When string

// The writes.
const (
	Always   When = "always"
	OnCreate When = "on_create" // never changed afterwards
	OnUpdate When = "on_update"
)

// OnNull says what becomes of an attribute for which the user has no value. An empty
// text is no value, and neither is an empty list.
type OnNull string

// What becomes of it.
const (
	NullFail    OnNull = "fail"    // the account is not made or updated
	NullOmit    OnNull = "omit"    // what the target has stays
	NullClear   OnNull = "clear"   // what the target has is removed
	NullDefault OnNull = "default" // Rule.Default is taken
)

// OnFail says what follows when an expression cannot be evaluated for a user.
type OnFail string

// What follows.
const (
	ErrorFail OnFail = "fail"
	ErrorOmit OnFail = "omit" // as NullOmit; a candidate is passed over
)

// Kind is how a rule makes its value.
type Kind string

// The kinds, by the keys of their rules.
const (
	KindSource     Kind = "source"
	KindConstant   Kind = "constant"
	KindExpression Kind = "expression"
	KindUnique     Kind = "unique"
	KindUUID       Kind = "uuid"
)

// Kinds returns what the rule says its kind is: one, if it is as it should be.
func (r Rule) Kinds() []Kind {
	var out []Kind
	for _, k := range []struct {
		kind Kind
		set  bool
	}{
		{KindSource, r.Source != ""}, {KindConstant, r.Constant != nil}, {KindExpression, r.Expression != ""},
		{KindUnique, r.Unique != nil}, {KindUUID, r.UUID},
	} {
		if k.set {
			out = append(out, k.kind)
		}
	}
	return out
}

// From says what the value is made of: the profile field, the expression, the
// candidates, or the kind alone.
func (r Rule) From() string {
	switch {
	case r.Source != "":
		return r.Source
	case r.Expression != "":
		return r.Expression
	case r.Unique != nil && len(r.Unique.Candidates) > 0:
		return "the first free of " + quoted(r.Unique.Candidates)
	case r.UUID:
		return string(KindUUID)
	}
	return string(KindConstant)
}

// kept reports whether the value is made once and never computed again.
func (r Rule) kept() bool { return r.Unique != nil || r.UUID }

// Tables are the look-up tables of a target: expressions know them as maps.<name>.
type Tables map[string]map[string]string
