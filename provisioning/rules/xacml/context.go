package xacml

import (
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Context is a request as XACML writes it.
type Context struct {
	attributes []contextAttribute
}

type contextAttribute struct {
	category, id, issuer string
	values               []value
}

// ParseRequest reads a Request of XACML 3.0 for one decision. Requests for
// several decisions are refused, and XML content is left aside: no expression of
// ours reads it. Errors are *rules.Error.
func ParseRequest(doc []byte) (*Context, error) {
	root, err := parse("", doc)
	if err != nil {
		return nil, err
	}
	if root.name != "Request" {
		return nil, root.errorf("%s is not a Request", root.name)
	}
	if err := root.expect("ReturnPolicyIdList", "CombinedDecision"); err != nil {
		return nil, err
	}
	c := &Context{}
	seen := map[string]bool{}
	for _, child := range root.children {
		switch {
		case child.name == "RequestDefaults":
			err = defaults(child)
		case child.name != "Attributes":
			err = child.unknown(root)
		default:
			err = c.category(child, seen)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Context) category(e *element, seen map[string]bool) error {
	if err := e.expect("!Category"); err != nil {
		return err
	}
	category := strings.TrimSpace(e.attrs["Category"])
	if seen[category] {
		return e.errorf("category %s is there twice: requests for several decisions are not supported", category)
	}
	seen[category] = true
	for _, child := range e.children {
		if child.name == "Content" { // nothing could ask for it
			continue
		}
		if child.name != "Attribute" {
			return child.unknown(e)
		}
		if err := c.attribute(child, category); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) attribute(e *element, category string) error {
	if err := e.expect("!AttributeId", "Issuer", "IncludeInResult"); err != nil {
		return err
	}
	a := contextAttribute{category: category, id: strings.TrimSpace(e.attrs["AttributeId"]), issuer: e.attrs["Issuer"]}
	if len(e.children) == 0 {
		return e.errorf("attribute %s has no value", a.id)
	}
	for _, child := range e.children {
		if child.name != "AttributeValue" {
			return child.unknown(e)
		}
		v, err := literal(child)
		if err != nil {
			return err
		}
		a.values = append(a.values, v.val.value)
	}
	c.attributes = append(c.attributes, a)
	return nil
}

// contextFacts are those of a Context at a time.
type contextFacts struct {
	context *Context
	now     time.Time
}

func (f *contextFacts) values(d *designator) ([]value, *rules.Status) {
	var out []value
	for _, a := range f.context.attributes {
		if a.category != d.attribute.Category || a.id != d.attribute.ID ||
			d.attribute.Issuer != "" && d.attribute.Issuer != a.issuer {
			continue
		}
		for _, v := range a.values {
			if v.typ == d.typ {
				out = append(out, v)
			}
		}
	}
	if len(out) == 0 && d.attribute.Category == categoryEnvironment && d.attribute.Issuer == "" {
		out = currentTime(d, f.now)
	}
	return out, nil
}

const (
	categoryEnvironment = urn + "3.0:attribute-category:environment"
	environment         = urn + "1.0:environment:"
)

// currentTime is what section 10.2.5 wants of every request.
func currentTime(d *designator, now time.Time) []value {
	switch {
	case d.attribute.ID == environment+"current-time" && d.typ == typeTime,
		d.attribute.ID == environment+"current-date" && d.typ == typeDate,
		d.attribute.ID == environment+"current-dateTime" && d.typ == typeDateTime:
		return []value{timeValue(d.typ, now)}
	default:
		return nil
	}
}
