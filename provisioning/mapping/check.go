package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// Check says what is wrong with the rule's keys whatever its attribute is, as far as
// that can be said without compiling its expressions; "" for nothing.
func (r Rule) Check() string { return r.check(sdk.Attribute{}) }

// check says what is wrong with a rule's keys, whatever it makes its value of; "" for
// nothing.
func (r Rule) check(a sdk.Attribute) string {
	if text := r.checkKind(); text != "" {
		return text
	}
	for _, text := range []string{r.checkWhen(a), r.checkNull(a), r.checkError(a), r.Unique.check()} {
		if text != "" {
			return text
		}
	}
	return ""
}

func (r Rule) checkKind() string {
	switch kinds := r.Kinds(); len(kinds) {
	case 0:
		return "give one of source, constant, expression, unique and uuid"
	case 1:
		return ""
	default:
		return fmt.Sprintf("has both %s and %s: give one", kinds[0], kinds[1])
	}
}

func (r Rule) checkWhen(a sdk.Attribute) string {
	switch {
	case !slices.Contains([]When{"", Always, OnCreate, OnUpdate}, r.Apply):
		return fmt.Sprintf("apply: %q is not one of always, on_create, on_update", r.Apply)
	case r.kept() && r.Apply != "" && r.Apply != OnCreate:
		return fmt.Sprintf("apply: a %s value is made on_create and kept", r.Kinds()[0])
	case a.Owner && r.Apply != "" && r.Apply != Always:
		return "apply: marks whose account it is and is always sent"
	case r.Apply == OnUpdate && a.CreateOnly:
		return "apply: the connector takes this attribute only when it creates an account"
	case r.Apply == OnUpdate && a.Required:
		return "apply: the connector cannot create an account without this attribute"
	}
	return ""
}

func (r Rule) checkNull(a sdk.Attribute) string {
	switch {
	case !slices.Contains([]OnNull{"", NullFail, NullOmit, NullClear, NullDefault}, r.OnNull):
		return fmt.Sprintf("on_null: %q is not one of fail, omit, clear, default", r.OnNull)
	case r.OnNull == NullDefault && r.Default == nil:
		return "on_null: default needs a default"
	case r.Default != nil && r.OnNull != "" && r.OnNull != NullDefault:
		return fmt.Sprintf("default: is never taken, since on_null is %s", r.OnNull)
	case (r.OnNull != "" || r.Default != nil) && (r.kept() || r.Constant != nil):
		return fmt.Sprintf("on_null: a %s is never without a value", r.Kinds()[0])
	case a.Owner && (r.OnNull != "" || r.Default != nil):
		return "on_null: marks whose account it is and is never without a value"
	case a.Required && (r.OnNull == NullOmit || r.OnNull == NullClear):
		return fmt.Sprintf("on_null: the connector requires this attribute; %s would leave it out", r.OnNull)
	}
	return ""
}

func (r Rule) checkError(a sdk.Attribute) string {
	switch {
	case !slices.Contains([]OnFail{"", ErrorFail, ErrorOmit}, r.OnError):
		return fmt.Sprintf("on_error: %q is not one of fail, omit", r.OnError)
	case r.OnError != "" && r.Expression == "" && r.Unique == nil:
		return "on_error: only an expression can fail"
	case r.OnError == ErrorOmit && a.Required && r.Unique == nil:
		return "on_error: the connector requires this attribute; omit would leave it out"
	}
	return ""
}

func (u *Unique) check() string {
	if u == nil {
		return ""
	}
	if n := len(u.Candidates); n == 0 || n > MaxCandidates {
		return fmt.Sprintf("unique: candidates: must be 1 to %d expressions", MaxCandidates)
	}
	if s := u.Suffix; s != nil && (s.Start < 0 || s.Max < s.Start || s.Max > MaxSuffix || s.Max-s.Start >= maxSuffixes) {
		return fmt.Sprintf("unique: suffix: must run from 0 or more to %d at most, over %d numbers at most", MaxSuffix, maxSuffixes)
	}
	return ""
}

// when returns the writes in which the attribute is sent.
func (r Rule) when(a sdk.Attribute) When {
	switch {
	case r.kept(), a.CreateOnly:
		return OnCreate
	case r.Apply == "":
		return Always
	}
	return r.Apply
}

// onNull returns what follows when there is no value.
func (r Rule) onNull(a sdk.Attribute) OnNull {
	switch {
	case r.OnNull != "":
		return r.OnNull
	case r.Default != nil:
		return NullDefault
	case a.Required:
		return NullFail
	}
	return NullClear
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}
