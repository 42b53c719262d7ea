package expression

import (
	"strings"

	"cel.dev/cel-go/common/ast"
)

// Start returns the first character, from 0, of a part of an expression. The library
// says of an operator where the operator stands, between its operands, and of a call
// where the parenthesis does. It returns false if the place is not known.
func Start(checked *ast.AST, part ast.Expr) (int, bool) {
	first, known := 0, false
	ast.PreOrderVisit(part, ast.NewExprVisitor(func(e ast.Expr) {
		r, ok := checked.SourceInfo().GetOffsetRange(e.ID())
		if at := int(r.Start) - nameLength(e); ok && (!known || at < first) {
			first, known = at, true
		}
	}))
	return first, known
}

// Find returns the part of an expression with an id.
func Find(checked *ast.AST, id int64) (ast.Expr, bool) {
	var found ast.Expr
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
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

// LineAndColumn turns a character, from 0, into a line and a column in characters,
// both from 1.
func LineAndColumn(text string, character int) (line, column int) {
	line, column = 1, 1
	for _, c := range text {
		if character--; character < 0 {
			break
		}
		if column++; c == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}
