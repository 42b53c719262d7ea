package xacml

import (
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// scope is the variables of one policy.
type scope struct {
	definitions map[string]*definition
	order       []*definition
}

type definition struct {
	at   *element
	v    *variable
	busy bool
}

func newScope() *scope { return &scope{definitions: map[string]*definition{}} }

// declare notes the variables of a policy, so that one may be used before it is
// defined.
func (c *compiler) declare(e *element) error {
	for _, child := range e.children {
		if child.name != "VariableDefinition" {
			continue
		}
		if err := child.expect("!VariableId"); err != nil {
			return err
		}
		id := strings.TrimSpace(child.attrs["VariableId"])
		if c.scope.definitions[id] != nil {
			return child.errorf("variable %s is defined twice", id)
		}
		if len(child.children) != 1 {
			return child.errorf("%s wants one expression, not %d", child.name, len(child.children))
		}
		d := &definition{at: child}
		c.scope.definitions[id] = d
		c.scope.order = append(c.scope.order, d)
	}
	return nil
}

// defined compiles the variables that nothing uses: they must be right too.
func (c *compiler) defined() error {
	for _, d := range c.scope.order {
		if _, err := c.variable(d); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) variable(d *definition) (*variable, error) {
	id := strings.TrimSpace(d.at.attrs["VariableId"])
	if d.busy {
		return nil, d.at.errorf("variable %s refers to itself", id)
	}
	if d.v != nil {
		return d.v, nil
	}
	d.busy = true
	x, err := c.expression(d.at.children[0])
	d.busy = false
	if err != nil {
		return nil, err
	}
	d.v = &variable{id: id, expr: x, slot: c.variables}
	c.variables++
	return d.v, nil
}

func (c *compiler) expression(e *element) (expression, error) {
	switch e.name {
	case "AttributeValue":
		v, err := literal(e)
		return v, err
	case "AttributeDesignator":
		return c.designator(e)
	case "Apply":
		return c.apply(e)
	case "VariableReference":
		if err := e.expect("!VariableId"); err != nil {
			return nil, err
		}
		d := c.scope.definitions[strings.TrimSpace(e.attrs["VariableId"])]
		if d == nil {
			return nil, e.errorf("variable %s is not defined in this policy", e.attrs["VariableId"])
		}
		return c.variable(d)
	case "AttributeSelector":
		return nil, e.errorf("AttributeSelector is not supported: requests have no XML content")
	case "Function":
		return nil, e.errorf("a Function stands only in a function that applies it")
	default:
		return nil, e.errorf("%s is not an expression", e.name)
	}
}

func literal(e *element) (constant, error) {
	if err := e.expect("!DataType"); err != nil {
		return constant{}, err
	}
	typ := typeByID(e.attrs["DataType"])
	if typ == typeNone {
		return constant{}, e.errorf("data type %q is not supported", e.attrs["DataType"])
	}
	text, err := e.leaf()
	if err != nil {
		return constant{}, err
	}
	v, ok := parseValue(typ, text)
	if !ok {
		return constant{}, e.errorf("%q is not a value of type %s", clip(text), typ.short())
	}
	return constant{of: one(typ), val: result{value: v}, at: e.place}, nil
}

// clip shortens a text for an error.
func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}

func (c *compiler) designator(e *element) (expression, error) {
	if err := e.expect("!Category", "!AttributeId", "!DataType", "!MustBePresent", "Issuer"); err != nil {
		return nil, err
	}
	typ := typeByID(e.attrs["DataType"])
	if typ == typeNone {
		return nil, e.errorf("data type %q is not supported", e.attrs["DataType"])
	}
	must, err := e.boolean("MustBePresent")
	if err != nil {
		return nil, err
	}
	if _, err := e.leaf(); err != nil {
		return nil, err
	}
	a := rules.Attribute{
		Category: strings.TrimSpace(e.attrs["Category"]), ID: strings.TrimSpace(e.attrs["AttributeId"]),
		Type: typ.id(), Issuer: e.attrs["Issuer"],
	}
	slot, ok := c.slots[a]
	if !ok {
		slot = len(c.attributes)
		c.slots[a], c.attributes = slot, append(c.attributes, a)
	}
	return &designator{attribute: a, typ: typ, mustBePresent: must, slot: slot, at: e.place}, nil
}

func (c *compiler) apply(e *element) (expression, error) {
	if err := e.expect("!FunctionId"); err != nil {
		return nil, err
	}
	children := e.children
	if len(children) > 0 && children[0].name == "Description" {
		children = children[1:]
	}
	id := strings.TrimSpace(e.attrs["FunctionId"])
	if name := higherOrder(id); name != "" {
		return c.higher(e, name, children)
	}
	args := make([]expression, len(children))
	for i, child := range children {
		var err error
		if args[i], err = c.expression(child); err != nil {
			return nil, err
		}
	}
	switch id {
	case fn1 + "and", fn1 + "or":
		return logical{args: args, decide: id == fn1+"or", at: e.place}, c.booleans(children, args)
	case fn1 + "n-of":
		if len(args) == 0 || args[0].kind() != one(typeInteger) {
			return nil, e.errorf("n-of wants an integer first")
		}
		return nOf{count: args[0], args: args[1:], at: e.place}, c.booleans(children[1:], args[1:])
	}
	return c.call(e, id, children, args)
}

func (c *compiler) booleans(at []*element, args []expression) error {
	for i, x := range args {
		if x.kind() != one(typeBoolean) {
			return at[i].errorf("the argument is to be one boolean, but is %s", x.kind())
		}
	}
	return nil
}

func (c *compiler) call(e *element, id string, at []*element, args []expression) (expression, error) {
	fn, ok := c.library[id]
	if !ok {
		return nil, e.errorf("unknown function %q", id)
	}
	if !fn.accepts(len(args)) {
		return nil, e.errorf("function %s does not take %d arguments", id, len(args))
	}
	constants := true
	for i, x := range args {
		if x.kind() != fn.param(i) {
			return nil, at[i].errorf("argument %d of %s is to be %s, but is %s", i+1, id, fn.param(i), x.kind())
		}
		v, ok := x.(constant)
		constants = constants && ok && !zoneless(v)
	}
	body, err := prepared(fn, args, e)
	if err != nil {
		return nil, err
	}
	a := &apply{fn: fn, call: body, args: args, at: e.place}
	if !constants {
		return a, nil
	}
	return fold(a)
}

// zoneless holds of constants that mean something else in another time zone.
func zoneless(c constant) bool {
	t := c.of.typ
	if t != typeTime && t != typeDate && t != typeDateTime {
		return false
	}
	for _, v := range c.val.bag {
		if !v.zoned {
			return true
		}
	}
	return !c.of.bag && !c.val.value.zoned
}

// fold evaluates a call of constants once, and refuses one that can only fail.
func fold(a *apply) (expression, error) {
	r, status := a.eval(&evaluation{})
	if status != nil {
		return nil, a.at.errorf("this can only fail: %s", status.Message)
	}
	return constant{of: a.fn.out, val: r, at: a.at}, nil
}

// higher compiles a function that applies another one.
func (c *compiler) higher(e *element, name string, children []*element) (expression, error) {
	if len(children) < 2 || children[0].name != "Function" {
		return nil, e.errorf("%s wants a Function and at least one argument", name)
	}
	if err := children[0].expect("!FunctionId"); err != nil {
		return nil, err
	}
	id := strings.TrimSpace(children[0].attrs["FunctionId"])
	fn, ok := c.library[id]
	if !ok {
		return nil, children[0].errorf("unknown function %q, or one that cannot be applied", id)
	}
	args := make([]expression, len(children)-1)
	bags := 0
	if !fn.accepts(len(args)) {
		return nil, e.errorf("function %s does not take %d arguments", id, len(args))
	}
	for i, child := range children[1:] {
		var err error
		if args[i], err = c.expression(child); err != nil {
			return nil, err
		}
		if args[i].kind().bag {
			bags++
		}
		if want := fn.param(i); want.bag || args[i].kind().typ != want.typ {
			return nil, child.errorf("argument %d of %s is %s, which %s does not take", i+1, name, args[i].kind(), id)
		}
	}
	if fn.out.bag || name != "map" && fn.out.typ != typeBoolean {
		return nil, children[0].errorf("%s cannot apply a function that returns %s", name, fn.out)
	}
	if problem := wrongBags(name, len(args), bags); problem != "" {
		return nil, e.errorf("%s %s", name, problem)
	}
	body, err := prepared(fn, args, e)
	return &higher{name: name, fn: fn, call: body, args: args, at: e.place}, err
}

func wrongBags(name string, args, bags int) string {
	switch name {
	case "any-of", "all-of", "map":
		if bags != 1 {
			return "wants exactly one bag"
		}
	case "any-of-any":
	default:
		if args != 2 || bags != 2 {
			return "wants two bags"
		}
	}
	return ""
}
