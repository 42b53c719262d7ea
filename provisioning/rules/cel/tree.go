package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// fields hands the values of a mapping to those who read them, and returns its keys;
// nil if it is no mapping.
func (r *reader) fields(n ast.Node, what string, read map[string]func(ast.Node)) []string {
	entries := r.entries(n, what)
	if entries == nil {
		return nil
	}
	given := []string{}
	for _, e := range entries {
		key := r.text(e.Key)
		f, ok := read[key]
		if !ok {
			known := strings.Join(slices.Sorted(maps.Keys(read)), ", ")
			r.node(e.Key, "unknown field %q; %s has %s", key, what, known)
			continue
		}
		given = append(given, key)
		f(e.Value)
	}
	return given
}

// entries returns the entries of a mapping; nil if it is none.
func (r *reader) entries(n ast.Node, what string) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.Values == nil {
			return []*ast.MappingValueNode{}
		}
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	r.node(n, "%s must be a mapping", what)
	return nil
}

func (r *reader) items(n ast.Node, what string) []ast.Node {
	if list, ok := n.(*ast.SequenceNode); ok {
		return list.Values
	}
	r.node(n, "%s must be a list", what)
	return nil
}

// text returns a scalar that is a string, and reports anything else. Anchors,
// aliases, tags and merge keys are something else: a reader of a rule set must not
// have to look for what it says.
func (r *reader) text(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	r.node(n, "must be a text; put it in quotes")
	return ""
}

// start returns where the text of a scalar begins: behind the quote, or on the line
// after the header of a block.
func (r *reader) start(n ast.Node) int {
	at := r.place(n)
	if _, block := n.(*ast.LiteralNode); block {
		if i := strings.IndexByte(r.src[at:], '\n'); i >= 0 {
			return at + i + 1
		}
	}
	return at
}

func (r *reader) place(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	p := n.GetToken().Position
	return r.offset(p.Line, p.Column)
}

// beginning returns where a mapping begins: its own token may be the first colon.
func (r *reader) beginning(n ast.Node) int {
	switch m := n.(type) {
	case *ast.MappingValueNode:
		return r.place(m.Key)
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return r.place(m.Values[0].Key)
		}
	}
	return r.place(n)
}

func (r *reader) node(n ast.Node, format string, args ...any) {
	r.at(r.place(n), format, args...)
}

// at reports a problem at an offset of the source. One message per place is enough.
func (r *reader) at(offset int, format string, args ...any) {
	line, column := position(r.src, offset)
	for _, p := range r.problems {
		if p.Line == line && p.Column == column {
			return
		}
	}
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, &rules.Error{Line: line, Column: column, Text: fmt.Sprintf(format, args...)})
	}
}

// offset turns a line and a column in characters, both from 1, into bytes.
func (r *reader) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(r.src[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	for i := range r.src[at:] {
		if column <= 1 || r.src[at+i] == '\n' {
			return at + i
		}
		column--
	}
	return len(r.src)
}
