package e2e

import (
	"testing"
)

// conformanceModule is one test of the OpenID Foundation's conformance suite. What is here
// under its name does what the module does and wants what it wants, against the
// whole server and without the suite, which needs a Java server and the network.
type conformanceModule struct {
	name string
	test func(t *testing.T, s *suite)
}

// unmet says what modules want that the server does not do: they would fail. Their tests
// show what it does instead.
func unmet(module string) string {
	return map[string]string{
		"oidcc-request-uri-unsigned":     "request objects are not supported",
		"oidcc-request-uri-signed-rs256": "request objects are not supported",
		"oidcc-registration-logo-uri":    "logos are kept, and shown to nobody",
	}[module]
}

// conformancePlan is a certification plan with as many modules as the suite (5.2.4) has.
type conformancePlan struct {
	name    string
	count   int
	mode    string // response_mode of its requests
	modules []conformanceModule
}

func conformancePlans() []conformancePlan {
	return []conformancePlan{
		{"oidcc-basic-certification-test-plan", 38, "", basicModules()},
		{"oidcc-config-certification-test-plan", 1, "", configModules()},
		{"oidcc-formpost-basic-certification-test-plan", 38, "form_post", basicModules()},
		{"oidcc-dynamic-certification-test-plan", 23, "", dynamicModules()},
		{"oidcc-rp-initiated-logout-certification-test-plan", 11, "", logoutModules()},
		{"oidcc-backchannel-rp-initiated-logout-certification-test-plan", 2, "", backchannelModules()},
		{"oidcc-frontchannel-rp-initiated-logout-certification-test-plan", 2, "", frontchannelModules()},
	}
}

// TestOIDCC runs every module against one server.
func TestOIDCC(t *testing.T) { runModules(t, "") }

// TestOIDCCFormPost runs those of the plan in which answers are posted.
func TestOIDCCFormPost(t *testing.T) { runModules(t, "form_post") }

func runModules(t *testing.T, mode string) {
	long(t)
	s := startSuite(t)
	s.mode = mode
	for _, p := range conformancePlans() {
		if p.mode != mode {
			continue
		}
		for _, m := range p.modules {
			t.Run(m.name, func(t *testing.T) { m.test(t, s) })
		}
	}
}

// TestOIDCCList prints the modules name by name, and fails when a plan lacks one or
// two have one name.
func TestOIDCCList(t *testing.T) {
	for _, p := range conformancePlans() {
		seen := map[string]bool{}
		for _, m := range p.modules {
			if m.test == nil || seen[m.name] {
				t.Errorf("%s: %s has no test, or is there twice", p.name, m.name)
			}
			seen[m.name] = true
			t.Logf("%s: %s", p.name, m.name)
			if why := unmet(m.name); why != "" {
				t.Logf("    NOT MET: %s", why)
			}
		}
		if len(seen) != p.count {
			t.Errorf("%s has %d modules here, and %d in the suite", p.name, len(seen), p.count)
		}
	}
}
