package xacml

import (
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Document is one Policy or PolicySet as XML.
type Document struct {
	Name string // stands before the line in errors; "" when there is but one
	XML  []byte
}

// Options are choices of a rule set.
type Options struct {
	// WSO2 gives policies each role a second time as Internal/ROLE, as WSO2 names
	// those it keeps itself.
	WSO2 bool
}

// compiler turns documents into policies.
type compiler struct {
	library    library
	entries    []*entry            // every document, in the order given
	known      map[string][]*entry // the same by the id of their policy
	depth      int                 // of references
	attributes []rules.Attribute
	slots      map[rules.Attribute]int
	variables  int
	scope      *scope // of the policy at hand
}

// entry is a document that may be referred to.
type entry struct {
	root    *element
	version []int
	policy  *policy
	busy    bool
}

// Compile reads a policy and those it refers to. Errors are *rules.Error and name
// the place. Every document must be right, also one that nothing refers to.
func Compile(o Options, root Document, referenced ...Document) (*Set, error) {
	c := &compiler{library: newLibrary(), known: map[string][]*entry{}, slots: map[rules.Attribute]int{}}
	if len(referenced) >= MaxDocuments {
		return nil, &rules.Error{Text: fmt.Sprintf("more than %d documents", MaxDocuments)}
	}
	for _, d := range append([]Document{root}, referenced...) {
		if err := c.register(d); err != nil {
			return nil, err
		}
	}
	for _, e := range c.entries {
		if _, err := c.resolve(e); err != nil {
			return nil, err
		}
	}
	return &Set{options: o, root: c.entries[0].policy, attributes: c.attributes, variables: c.variables}, nil
}

// register reads a document and notes its policy.
func (c *compiler) register(d Document) error {
	root, err := parse(d.Name, d.XML)
	if err != nil {
		return err
	}
	if root.name != "Policy" && root.name != "PolicySet" {
		return root.errorf("%s is neither a Policy nor a PolicySet", root.name)
	}
	version, ok := parseVersion(root.attrs["Version"])
	if !ok {
		return root.errorf("%s has no Version of numbers and dots", root.name)
	}
	id := strings.TrimSpace(root.attrs[root.name+"Id"])
	for _, other := range c.known[id] {
		if compareVersions(other.version, version) == 0 {
			return root.errorf("%s %s of version %s is there twice", root.name, clip(id), root.attrs["Version"])
		}
	}
	e := &entry{root: root, version: version}
	c.entries, c.known[id] = append(c.entries, e), append(c.known[id], e)
	return nil
}

// resolve compiles a document once.
func (c *compiler) resolve(e *entry) (*policy, error) {
	if e.policy != nil {
		return e.policy, nil
	}
	if c.depth >= MaxReferences {
		return nil, e.root.errorf("references are more than %d deep", MaxReferences)
	}
	e.busy = true
	c.depth++
	outer := c.scope
	p, err := c.policy(e.root)
	c.scope = outer
	c.depth--
	e.busy = false
	e.policy = p
	return p, err
}

// policy compiles a Policy or a PolicySet. MaxDelegationDepth is let pass: it
// limits issued policies, and PolicyIssuer is refused.
func (c *compiler) policy(e *element) (*policy, error) {
	isSet := e.name == "PolicySet"
	algorithmName := map[bool]string{false: "RuleCombiningAlgId", true: "PolicyCombiningAlgId"}[isSet]
	if err := e.expect("!"+e.name+"Id", "!Version", "!"+algorithmName, "MaxDelegationDepth"); err != nil {
		return nil, err
	}
	if _, ok := parseVersion(e.attrs["Version"]); !ok {
		return nil, e.errorf("Version of %s is not numbers and dots", e.name)
	}
	algorithm, ok := algorithmByID(strings.TrimSpace(e.attrs[algorithmName]), isSet)
	if !ok {
		return nil, e.errorf("unknown combining algorithm %q for %s", e.attrs[algorithmName], e.name)
	}
	p := &policy{
		place: e.place, isSet: isSet, algorithm: algorithm,
		id: strings.TrimSpace(e.attrs[e.name+"Id"]), version: strings.TrimSpace(e.attrs["Version"]),
	}
	if err := e.noText(); err != nil {
		return nil, err
	}
	outer := c.scope
	defer func() { c.scope = outer }()
	c.scope = newScope()
	if !isSet {
		if err := c.declare(e); err != nil {
			return nil, err
		}
	}
	return p, c.policyParts(p, e)
}

func (c *compiler) policyParts(p *policy, e *element) error {
	once := map[string]bool{}
	ruleIDs := map[string]bool{}
	for _, child := range e.children {
		if once[child.name] && singular(child.name) {
			return child.errorf("a second %s in %s", child.name, e.name)
		}
		once[child.name] = true
		if err := c.policyPart(p, e, child, ruleIDs); err != nil {
			return err
		}
	}
	if !once["Target"] {
		return e.errorf("%s has no Target", e.name)
	}
	return c.defined()
}

func singular(name string) bool {
	switch name {
	case "Description", "PolicyDefaults", "Target", "Condition", "ObligationExpressions", "AdviceExpressions":
		return true
	default:
		return false
	}
}

func (c *compiler) policyPart(p *policy, parent, e *element, ruleIDs map[string]bool) (err error) {
	switch {
	case e.name == "Description":
		_, err = e.leaf()
	case e.name == "PolicyDefaults":
		err = defaults(e)
	case e.name == "Target":
		p.target, err = c.target(e)
	case e.name == "ObligationExpressions" || e.name == "AdviceExpressions":
		err = c.duties(&p.duties, e)
	case p.isSet && (e.name == "Policy" || e.name == "PolicySet"):
		return p.adopt(c.policy(e))
	case p.isSet && (e.name == "PolicyIdReference" || e.name == "PolicySetIdReference"):
		return p.adopt(c.reference(e))
	case !p.isSet && e.name == "VariableDefinition": // declared, and compiled where it is used
	case !p.isSet && e.name == "Rule":
		var r *rule
		if r, err = c.rule(e); err == nil && ruleIDs[r.id] {
			err = e.errorf("a second rule %s", r.id)
		}
		if err == nil {
			ruleIDs[r.id] = true
			p.children = append(p.children, r)
		}
	default:
		err = e.unknown(parent)
	}
	return err
}

func (p *policy) adopt(child *policy, err error) error {
	if err == nil {
		p.children = append(p.children, child)
	}
	return err
}

// defaults takes the one that there is, for XPath, and leaves it alone.
func defaults(e *element) error {
	for _, child := range e.children {
		if child.name != "XPathVersion" {
			return child.unknown(e)
		}
	}
	return e.expect()
}

func (c *compiler) rule(e *element) (*rule, error) {
	if err := e.expect("!RuleId", "!Effect"); err != nil {
		return nil, err
	}
	if err := e.noText(); err != nil {
		return nil, err
	}
	effect, err := effectOf(e, "Effect")
	if err != nil {
		return nil, err
	}
	r := &rule{place: e.place, id: strings.TrimSpace(e.attrs["RuleId"]), effect: effect}
	once := map[string]bool{}
	for _, child := range e.children {
		if once[child.name] {
			return nil, child.errorf("a second %s in Rule", child.name)
		}
		once[child.name] = true
		if err := c.rulePart(r, e, child); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (c *compiler) rulePart(r *rule, parent, e *element) (err error) {
	switch e.name {
	case "Description":
		_, err = e.leaf()
	case "Target":
		r.target, err = c.target(e)
	case "Condition":
		r.condition, err = c.condition(e)
	case "ObligationExpressions", "AdviceExpressions":
		err = c.duties(&r.duties, e)
	default:
		err = e.unknown(parent)
	}
	return err
}

func effectOf(e *element, name string) (rules.Decision, error) {
	switch e.attrs[name] {
	case "Permit":
		return rules.Permit, nil
	case "Deny":
		return rules.Deny, nil
	default:
		return 0, e.errorf("%s of %s is neither Permit nor Deny", name, e.name)
	}
}
