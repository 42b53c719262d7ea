package cel

import (
	"cel.dev/cel-go/common/ast"

	"github.com/anteroom-id/anteroom/provisioning/expression"
)

// condition is a checked expression with its place in the document.
type condition struct {
	checked *ast.AST
	source  placedText
	text    string // the document
}

// offset returns where an expression begins in the document.
func (c condition) offset(e ast.Expr) int {
	at, known := expression.Start(c.checked, e)
	if !known {
		at = len(c.source.places)
	}
	return c.source.place(at)
}
