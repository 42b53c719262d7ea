package wso2

import (
	"errors"
	"fmt"
	"strings"
)

// provider is an identity provider as far as outbound provisioning goes.
type provider struct {
	name       string
	connectors []connector
	parts      []*node // what else it has
}

// connector is one outbound connector of an identity provider.
type connector struct {
	kind       string // WSO2's name: "SCIM2", "googleapps"
	properties []property
	options    []*node // Blocking and the like
}

type property struct{ key, value string }

// The names that the forms of the file have for the same thing.
var (
	connectorNames = []string{"ProvisioningConnectorConfig", "ProvisioningConnectorConfigs", "connectors", "OutboundConnector"}
	propertyNames  = []string{"ProvisioningProperties", "properties"}
	wrapperNames   = []string{"ProvisioningConnectorConfigs", "provisioning", "outboundConnectors", "OutboundProvisioning"}
)

// read finds the connectors in a file: of an identity provider, or one alone.
func read(root *node) (provider, error) {
	top := root
	if inner := root.child("IdentityProvider", "ProvisioningConnectorConfigs", "ProvisioningConnectorConfig"); inner != nil && len(root.children) == 1 {
		top = inner
	}
	p := provider{name: top.value("IdentityProviderName")}
	if isConnector(top) {
		p.connectors = append(p.connectors, readConnector(top))
	} else if p.name == "" {
		p.name = top.value("name")
	}
	if len(p.connectors) == 0 {
		p.collect(top, true)
	}
	if len(p.connectors) == 0 {
		return p, errors.New("the file has no outbound provisioning connector")
	}
	for _, c := range p.connectors {
		seen := map[string]bool{}
		for _, prop := range c.properties {
			if seen[prop.key] {
				return p, fmt.Errorf("connector %q has the key %q twice", c.kind, prop.key)
			}
			seen[prop.key] = true
		}
	}
	return p, nil
}

// collect walks through what holds connectors, and keeps the provider's other
// parts for the report.
func (p *provider) collect(n *node, top bool) {
	for _, c := range n.children {
		switch {
		case c.is(connectorNames...) && isConnector(c):
			p.connectors = append(p.connectors, readConnector(c))
		case c.is(wrapperNames...):
			p.collect(c, false)
		case !top && c.is("defaultConnectorId"):
		case top && c.is("IdentityProviderName", "name"):
		default:
			p.parts = append(p.parts, c)
		}
	}
}

// isConnector reports whether a node is a connector and not a list of them.
func isConnector(n *node) bool {
	return n.value("name") != "" && n.child(propertyNames...) != nil
}

func readConnector(n *node) connector {
	c := connector{kind: n.value("name")}
	for _, child := range n.children {
		switch {
		case child.is(propertyNames...):
			c.properties = append(c.properties, properties(child)...)
		case child.is("name"):
		default:
			c.options = append(c.options, child)
		}
	}
	return c
}

// properties reads a property, or a list of them.
func properties(n *node) []property {
	if key := n.value("name", "key"); key != "" {
		return []property{{key, n.value("value")}}
	}
	var out []property
	for _, c := range n.children {
		if key := c.value("name", "key"); key != "" && c.is("property") {
			out = append(out, property{key, c.value("value")})
		}
	}
	return out
}

// has returns a property's value, "" if it is not there.
func (c connector) value(key string) string {
	for _, p := range c.properties {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// slug makes a target's name of a provider's.
func slug(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	for strings.Contains(out, "--") {
		out = strings.ReplaceAll(out, "--", "-")
	}
	return strings.Trim(out[:min(len(out), 40)], "-")
}
