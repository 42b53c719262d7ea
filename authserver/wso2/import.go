package wso2

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/resources"
)

// Line is what became of one key of the file.
type Line struct {
	Target  string  `json:"target,omitempty"` // "" for what concerns the whole provider
	Key     string  `json:"key"`
	Verdict Verdict `json:"verdict"`
	To      string  `json:"to,omitempty"` // such as "config.base_url"
	Note    string  `json:"note,omitempty"`
}

// Result is what Import made of a file.
type Result struct {
	Document resources.Document `json:"resources"`
	Bindings []Proposal         `json:"bindings,omitempty"`
	Report   []Line             `json:"report"`
}

// YAML returns the document as a resources file, with the proposed bindings as
// comments at its end.
func (r Result) YAML() ([]byte, error) {
	out, err := r.Document.YAML()
	if err != nil || len(r.Bindings) == 0 {
		return out, err
	}
	out = append(out, "# Bindings that the policies are about. Put each into outbound_provisioning of its application:\n"...)
	for _, p := range r.Bindings {
		out = append(out, "#   "+p.String()+"\n"...)
	}
	return out, nil
}

// made is a target that was made of a connector, with its switches.
type made struct {
	name            string
	rules, blocking bool
}

type importer struct {
	out     Result
	targets []made
}

// Import reads an identity provider as WSO2 exports it, or one connector of it, and
// the policies that say whom it provisions. An error means that the file cannot be
// read; whatever it says is in the report.
func Import(raw []byte, policies ...Policy) (Result, error) {
	root, err := parse(raw)
	if err != nil {
		return Result{}, err
	}
	p, err := read(root)
	if err != nil {
		return Result{}, err
	}
	b := &importer{}
	for _, c := range p.connectors {
		name := cmp.Or(slug(p.name), slug(c.kind), "wso2")
		if len(p.connectors) > 1 {
			name = strings.Trim(slug(p.name)+"-"+slug(c.kind), "-")
		}
		for n := 2; slices.ContainsFunc(b.out.Document.Targets, func(t resources.Target) bool { return t.Name == name }); n++ {
			name = fmt.Sprintf("%s-%d", strings.TrimRight(name, "-0123456789"), n)
		}
		b.add(name, p.name, c)
	}
	for _, part := range p.parts {
		b.out.Report = append(b.out.Report, partLine(part))
	}
	b.policies(p, policies)
	b.flags()
	return b.out, nil
}

// add appends a connector's target, if there is one, and its lines.
func (b *importer) add(name, provider string, c connector) {
	kind := kinds()[c.kind]
	if kind == "" {
		b.out.Report = append(b.out.Report, Line{
			Target: name, Key: show(c.kind), Verdict: Decide,
			Note: "there is no connector for this type: use webhook, sql or ldap, or write one",
		})
		return
	}
	t := target{
		Target:    resources.Target{Name: name, Connector: kind, Config: map[string]any{}, Secrets: map[string]resources.SecretRef{}},
		connector: c,
	}
	t.makeLogin(provider)
	for _, p := range c.properties {
		t.property(p)
	}
	t.settle()
	for _, o := range c.options {
		t.option(o)
	}
	b.out.Document.Targets = append(b.out.Document.Targets, t.Target)
	b.out.Report = append(b.out.Report, t.lines...)
	b.targets = append(b.targets, made{name, t.rules, t.blocking})
}

// partLine is what becomes of a part of the provider that is no connector.
func partLine(part *node) Line {
	line := Line{Key: show(part.name), Verdict: NotNeeded, Note: "not part of outbound provisioning"}
	decide := func(note string) { line.Verdict, line.Note = Decide, note }
	switch {
	case part.is("JustInTimeProvisioningConfig", "jit"):
		decide("when accounts are made is a binding's: jit_outbound, blocking")
	case part.is("ProvisioningRole", "roles", "groups"):
		decide("who gets accounts is a rule set's: enable_rules on the binding; what they get there is the target's groups")
	case part.is("ClaimConfig", "claims", "claimConfig"):
		decide("which attributes are sent, and defaults for missing ones (ProfileId of Salesforce, say), are the target's mapping")
	case part.is("PermissionAndRoleConfig"):
		decide("names of roles in the target are the target's groups")
	case part.is("DefaultProvisioningConnectorConfig"):
		line.Note = "a binding names its target; there is no default one"
	case part.is(ignoredParts()...):
	default:
		decide("this part is not known")
	}
	return line
}

// ignoredParts are a provider's parts that say nothing of outbound provisioning.
func ignoredParts() []string {
	return []string{
		"FederatedAuthenticatorConfigs", "federatedAuthenticators", "DefaultAuthenticatorConfig", "IdentityProviderDescription", "description",
		"Alias", "IsPrimary", "primary", "IsEnabled", "Enable", "enabled", "IsFederationHub", "federationHub", "HomeRealmId", "homeRealmIdentifier", "Certificate",
		"certificateInfo", "certificateInfoArray", "DisplayName", "id", "resourceId", "image", "imageUrl", "templateId", "idpProperties", "IdpProperties", "IdentityProviderProperties", "trustedTokenIssuer",
		"implicitAssociation",
	}
}

// show makes a name of the file fit for a terminal.
func show(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	if len(name) > 60 {
		name = name[:60] + "…"
	}
	return name
}
