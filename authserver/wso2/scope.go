package wso2

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The attributes by which a policy says what it is about.
const (
	spName        = "http://wso2.org/identity/sp/sp-name"
	idpName       = "http://wso2.org/identity/idp/idp-name"
	actionName    = "http://wso2.org/identity/identity-action/action-name"
	connectorType = "http://wso2.org/identity/idp/connector-type"
	userName      = "http://wso2.org/identity/user/username"
	claimGroup    = "http://wso2.org/identity/provisioning/claim-group"
	categoryUser  = "http://wso2.org/identity/user"
)

// scope is what a policy says of itself.
type scope struct {
	id      string
	matches []match
	asked   map[string]bool // attributes
	present bool            // something of the user must be there
}

// match is a comparison of an attribute with a text of the policy.
type match struct {
	attribute  string
	value      string
	start, end int // of the text, 0 when it is in pieces
}

// readScope walks through a policy that compiles.
func readScope(text string) (scope, error) {
	s := scope{asked: map[string]bool{}}
	d := xml.NewDecoder(strings.NewReader(text))
	var open *match // the match around
	var inValue bool
	for {
		before := int(d.InputOffset())
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, fmt.Errorf("it cannot be read: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "Policy", "PolicySet":
				if s.id == "" {
					s.id = attribute(t, t.Name.Local+"Id")
				}
			case "Match":
				open = &match{}
			case "AttributeValue":
				inValue = open != nil
			case "AttributeDesignator":
				s.designator(t, open)
			}
		case xml.CharData:
			if inValue {
				open.text(t, before, int(d.InputOffset()))
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "AttributeValue":
				inValue = false
			case "Match":
				s.matches, open = append(s.matches, *open), nil
			}
		}
	}
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

func (s *scope) designator(t xml.StartElement, open *match) {
	id := attribute(t, "AttributeId")
	s.asked[id] = true
	if open != nil {
		open.attribute = id
	}
	must := attribute(t, "MustBePresent")
	ofUser := id == claimGroup || attribute(t, "Category") == categoryUser
	s.present = s.present || ofUser && (must == "true" || must == "1")
}

// text adds a piece of the text: a comment or a CDATA section parts it.
func (m *match) text(piece []byte, start, end int) {
	if m.value == "" {
		m.start, m.end = start, end
	} else {
		m.start, m.end = 0, 0
	}
	m.value += string(piece)
}

// values returns the texts that an attribute is compared with, each once.
func (s scope) values(attribute string) []string {
	var out []string
	for _, m := range s.matches {
		if v := strings.TrimSpace(m.value); m.attribute == attribute && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// rename puts the target's name where the policy has that of the identity
// provider, and leaves everything else as it is.
func (s scope) rename(text, provider, target string) string {
	for _, m := range slices.Backward(s.matches) {
		if m.attribute == idpName && strings.TrimSpace(m.value) == provider && m.end > 0 {
			text = text[:m.start] + target + text[m.end:]
		}
	}
	return text
}

// name is what the rule set of the policy is called.
func (s scope) name(file string) string {
	return cmp.Or(slug(s.id), slug(strings.TrimSuffix(file, ".xml")), "policy")
}

// notes are what an admin has to decide about a policy.
func (s scope) notes() []string {
	var out []string
	if s.present {
		out = append(out, notePresent)
	}
	if s.asked[connectorType] {
		out = append(out, "it asks for the connector's type, which is that of the target here: scim is scim1, SCIM2 scim2, googleapps google")
	}
	if s.asked[userName] {
		out = append(out, "it asks for the user's name, which has no user store in front here")
	}
	return out
}
