package cel

import (
	"strings"

	"cel.dev/cel-go/common/ast"
)

// condition is a checked expression with its place in the document.
type condition struct {
	checked *ast.AST
	source  placedText
	text    string // the document
}

// offset returns where an expression begins in the document.
func (c condition) offset(e ast.Expr) int { return c.source.place(c.start(e)) }

// start returns the first character of an expression within the condition. The
// library says of an operator where the operator stands, between its operands, and of
// a call where the parenthesis does.
func (c condition) start(e ast.Expr) int {
	first := len(c.source.places)
	info := c.checked.SourceInfo()
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(sub ast.Expr) {
		if r, ok := info.GetOffsetRange(sub.ID()); ok {
			first = min(first, int(r.Start)-nameLength(sub))
		}
	}))
	return first
}

// find returns the part of the condition with an id.
func (c condition) find(id int64) (ast.Expr, bool) {
	var found ast.Expr
	ast.PreOrderVisit(c.checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id {
			found = e
		}
	}))
	return found, found != nil
}

// nameLength returns the length of the name of a call: 0 for operators, and for what
// is called on something, which begins with that.
func nameLength(e ast.Expr) int {
	if e.Kind() != ast.CallKind || e.AsCall().IsMemberFunction() {
		return 0
	}
	name := e.AsCall().FunctionName()
	if strings.ContainsAny(name, "_@!") { // no name that is called as such has one of these
		return 0
	}
	return len(name)
}
