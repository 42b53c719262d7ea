package cel

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// path is an attribute that an expression reads.
type path struct {
	name  string // such as user.groups; a bare root when an expression takes it whole
	claim string // of user.claims, when it is written out
	expr  ast.Expr
}

// attribute names what the path reads, given what the vocabulary has for it.
func (p path) attribute(a rules.Attribute) rules.Attribute {
	if p.claim != "" {
		a.ID = p.claim
	}
	return a
}

// pathsOf returns the attributes that an expression reads, in the order of the
// source.
func pathsOf(e ast.Expr) []path {
	w := walker{roots: roots()}
	w.walk(e)
	return w.paths
}

func roots() map[string]bool {
	return map[string]bool{"user": true, "app": true, "connector": true, "request": true, "account": true, "env": true}
}

type walker struct {
	roots map[string]bool
	bound []string // variables of the loops around
	paths []path
}

func (w *walker) walk(e ast.Expr) {
	if p, ok := w.path(e); ok {
		w.paths = append(w.paths, p)
		if p.claim == "" && e.Kind() == ast.CallKind && e.AsCall().FunctionName() != funcBetween {
			w.walk(e.AsCall().Args()[1]) // user.claims[...] of something that is read
		}
		return
	}
	switch e.Kind() {
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			w.walk(e.AsCall().Target())
		}
		w.all(e.AsCall().Args())
	case ast.SelectKind:
		w.walk(e.AsSelect().Operand())
	case ast.ListKind:
		w.all(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.walk(entry.AsMapEntry().Key())
			w.walk(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			w.walk(f.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		w.loop(e.AsComprehension())
	}
}

func (w *walker) all(list []ast.Expr) {
	for _, e := range list {
		w.walk(e)
	}
}

func (w *walker) loop(c ast.ComprehensionExpr) {
	w.walk(c.IterRange())
	w.walk(c.AccuInit())
	w.bound = append(w.bound, c.IterVar(), c.IterVar2(), c.AccuVar())
	w.walk(c.LoopCondition())
	w.walk(c.LoopStep())
	w.walk(c.Result())
	w.bound = w.bound[:len(w.bound)-3]
}

// path recognises a root, a field of one, a claim, and env.between.
func (w *walker) path(e ast.Expr) (path, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		return path{name: name, expr: e}, w.roots[name] && !slices.Contains(w.bound, name)
	case ast.SelectKind:
		s := e.AsSelect()
		p, ok := w.path(s.Operand())
		switch {
		case !ok:
			return path{}, false
		case w.roots[p.name]:
			return path{name: p.name + "." + s.FieldName(), expr: e}, true
		case p.name == pathClaims && p.claim == "" && s.Operand().Kind() == ast.SelectKind:
			return path{name: pathClaims, claim: s.FieldName(), expr: e}, true
		}
	case ast.CallKind:
		return w.called(e)
	}
	return path{}, false
}

func (w *walker) called(e ast.Expr) (path, bool) {
	call := e.AsCall()
	if call.FunctionName() == funcBetween && call.IsMemberFunction() {
		root, ok := w.path(call.Target())
		return path{name: pathBetween, expr: e}, ok && root.name == "env" && len(call.Args()) == 2
	}
	if len(call.Args()) != 2 || call.IsMemberFunction() {
		return path{}, false
	}
	of, key := call.Args()[0], call.Args()[1]
	switch call.FunctionName() {
	case "_[_]", "_[?_]", "_?._":
	case "@in":
		of, key = key, of
	default:
		return path{}, false
	}
	p, ok := w.path(of)
	if !ok || p.name != pathClaims || p.claim != "" || of.Kind() != ast.SelectKind {
		return path{}, false
	}
	if key.Kind() != ast.LiteralKind || key.AsLiteral().Type() != types.StringType {
		return path{}, false
	}
	p.claim, _ = literal(key)
	p.expr = e
	return p, p.claim != ""
}
