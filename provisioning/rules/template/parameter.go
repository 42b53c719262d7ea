package template

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is what a parameter takes.
type Kind string

// The kinds.
const (
	KindNames    Kind = "names"    // one or more names
	KindClaims   Kind = "claims"   // one or more of claim=value
	KindDomains  Kind = "domains"  // one or more domains of mail addresses
	KindNetworks Kind = "networks" // one or more such as 10.0.0.0/8
	KindClock    Kind = "clock"    // a time of day such as 09:00
	KindZone     Kind = "zone"     // the name of a time zone
)

const (
	maxValues = 20
	maxValue  = 100 // bytes
)

// Parameter is one question of a form.
type Parameter struct {
	Name    string
	Kind    Kind
	Help    string
	Default string // for an empty answer; "" when an answer is required
}

// Several reports whether the parameter takes more than one value.
func (p Parameter) Several() bool { return p.Kind != KindClock && p.Kind != KindZone }

// Values are answers by the names of the parameters.
type Values map[string][]string

// Problems says what is wrong with answers, by the names of the parameters.
type Problems map[string]string

// Error lists the problems, one a line, in the order of the names.
func (p Problems) Error() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		lines = append(lines, name+": "+p[name])
	}
	return strings.Join(lines, "\n")
}

// complete fills in defaults and reports what is wrong.
func (t Template) complete(given Values) (Values, Problems) {
	out, problems := Values{}, Problems{}
	for _, p := range t.Parameters {
		values := given[p.Name]
		if len(values) == 0 && p.Default != "" {
			values = []string{p.Default}
		}
		if text := p.check(values); text != "" {
			problems[p.Name] = text
		}
		out[p.Name] = values
	}
	for name := range given {
		if _, ok := out[name]; !ok {
			problems[name] = "is no parameter of " + t.Name
		}
	}
	if from := out["from"]; len(problems) == 0 && len(from) == 1 {
		switch from[0] {
		case endOfDay:
			problems["from"] = "must be a time of the day"
		case out["until"][0]:
			problems["until"] = "must be another time than from"
		}
	}
	return out, problems
}

func (p Parameter) check(values []string) string {
	switch {
	case len(values) == 0:
		return "required"
	case len(values) > 1 && !p.Several():
		return "takes one value"
	case len(values) > maxValues:
		return fmt.Sprintf("takes %d values at most", maxValues)
	}
	for _, v := range values {
		if text := plain(v); text != "" {
			return text
		}
		if text := p.Kind.check(v); text != "" {
			return fmt.Sprintf("%q %s", v, text)
		}
	}
	return ""
}

// plain refuses what XML cannot carry, and what nobody can have meant.
func plain(v string) string {
	switch {
	case v == "" || strings.TrimSpace(v) != v:
		return "must not be empty or begin or end with a blank"
	case len(v) > maxValue:
		return fmt.Sprintf("must not be longer than %d bytes", maxValue)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f || c >= 0xfffe && c <= 0xffff }):
		return "must be printable text"
	}
	return ""
}

func (k Kind) check(v string) string {
	switch k {
	case KindClaims:
		return checkClaim(v)
	case KindDomains:
		return checkDomain(v)
	case KindNetworks:
		if p, err := netip.ParsePrefix(v); err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return "must be a network such as 10.0.0.0/8"
		}
	case KindClock:
		if _, err := time.Parse("15:04", v); len(v) != len("15:04") || err != nil && v != endOfDay {
			return "must be a time such as 09:00"
		}
	case KindZone:
		if _, err := time.LoadLocation(v); err != nil || v == "Local" {
			return "must be the name of a time zone, such as Europe/Berlin"
		}
	}
	return ""
}

// checkClaim leaves the names under which policies know something else to those.
func checkClaim(v string) string {
	name, value := splitClaim(v)
	_, field := fields()[name]
	switch {
	case plain(name) != "" || plain(value) != "":
		return "must be claim=value"
	case !field && (strings.HasPrefix(name, "http://wso2.org/") || strings.HasPrefix(name, "urn:anteroom:")):
		return "must have the name of the claim itself"
	}
	return ""
}

// splitClaim takes claim=value apart at the last sign of equality: the name of a claim
// may be a URI.
func splitClaim(v string) (name, value string) {
	i := strings.LastIndexByte(v, '=')
	if i < 0 {
		return "", ""
	}
	return v[:i], v[i+1:]
}

func checkDomain(v string) string {
	for label := range strings.SplitSeq(v, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "must be a domain such as example.com, in lower case"
		}
	}
	return ""
}
