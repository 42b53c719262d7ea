package xacml

import (
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

const urn = "urn:oasis:names:tc:xacml:"

// algorithmByID returns a combining algorithm of appendix C; false if there is
// none, or none for what is to be combined. For rules the algorithms of XACML 1.x
// are those of 3.0: a rule can only fail towards its own effect, and there they
// agree.
func algorithmByID(id string, policies bool) (rules.Algorithm, bool) {
	rest, ok := strings.CutPrefix(id, urn)
	version, rest, found := strings.Cut(rest, ":")
	kind, name, found2 := strings.Cut(rest, ":")
	if !ok || !found || !found2 || (kind == "policy-combining-algorithm") != policies ||
		!policies && kind != "rule-combining-algorithm" {
		return "", false
	}
	plain, ordered := strings.CutPrefix(name, "ordered-")
	switch {
	case version == "3.0" && (plain == "deny-overrides" || plain == "permit-overrides"):
		return rules.Algorithm(plain), true
	case version == "3.0" && (name == "deny-unless-permit" || name == "permit-unless-deny"):
		return rules.Algorithm(name), true
	case version == "1.0" && name == "first-applicable":
		return rules.FirstApplicable, true
	case version == "1.0" && name == "only-one-applicable" && policies:
		return rules.OnlyOneApplicable, true
	case version == "1.0" && !ordered, version == "1.1" && ordered:
		return legacy(plain, policies)
	default:
		return "", false
	}
}

func legacy(name string, policies bool) (rules.Algorithm, bool) {
	switch {
	case name == "deny-overrides" && policies:
		return rules.LegacyDenyOverrides, true
	case name == "permit-overrides" && policies:
		return rules.LegacyPermitOverrides, true
	case name == "deny-overrides", name == "permit-overrides":
		return rules.Algorithm(name), true
	default:
		return "", false
	}
}
