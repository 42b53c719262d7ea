package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Err returns the problems in the order of the source; nil when there are none.
func (r *Reader) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.Problems, func(a, b *rules.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r.Problems
}

// Fields hands the values of a mapping to those who read them, and returns its keys;
// nil if it is no mapping.
func (r *Reader) Fields(n ast.Node, what string, read map[string]func(ast.Node)) []string {
	entries := r.Entries(n, what)
	if entries == nil {
		return nil
	}
	given := []string{}
	for _, e := range entries {
		key := r.Text(e.Key)
		f, ok := read[key]
		if !ok {
			known := strings.Join(slices.Sorted(maps.Keys(read)), ", ")
			r.Node(e.Key, "unknown field %q; %s has %s", key, what, known)
			continue
		}
		given = append(given, key)
		f(e.Value)
	}
	return given
}

// Entries returns the entries of a mapping; nil if it is none.
func (r *Reader) Entries(n ast.Node, what string) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.Values == nil {
			return []*ast.MappingValueNode{}
		}
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	r.Node(n, "%s must be a mapping", what)
	return nil
}

// Items returns the values of a list; nil if it is none.
func (r *Reader) Items(n ast.Node, what string) []ast.Node {
	if list, ok := n.(*ast.SequenceNode); ok {
		return list.Values
	}
	r.Node(n, "%s must be a list", what)
	return nil
}

// Text returns a scalar that is a string, and reports anything else.
func (r *Reader) Text(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	r.Node(n, "must be a text; put it in quotes")
	return ""
}

// Texts returns a list of them.
func (r *Reader) Texts(n ast.Node, what string) []string {
	var out []string
	for _, item := range r.Items(n, what) {
		out = append(out, r.Text(item))
	}
	return out
}

// Bool returns true or false, and reports anything else.
func (r *Reader) Bool(n ast.Node) bool {
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value
	}
	r.Node(n, "must be true or false")
	return false
}

// Start returns where the text of a scalar begins: behind the quote, or on the line
// after the header of a block.
func (r *Reader) Start(n ast.Node) int {
	at := r.place(n)
	if _, block := n.(*ast.LiteralNode); block {
		if i := strings.IndexByte(r.Source[at:], '\n'); i >= 0 {
			return at + i + 1
		}
	}
	return at
}

func (r *Reader) place(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	p := n.GetToken().Position
	return r.offset(p.Line, p.Column)
}

// Beginning returns where a mapping begins: its own token may be the first colon.
func (r *Reader) Beginning(n ast.Node) int {
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

// Node reports a problem where a node begins.
func (r *Reader) Node(n ast.Node, format string, args ...any) {
	r.At(r.place(n), format, args...)
}

// At reports a problem at an offset of the source. One message per place is enough.
func (r *Reader) At(offset int, format string, args ...any) {
	line, column := Position(r.Source, offset)
	for _, p := range r.Problems {
		if p.Line == line && p.Column == column {
			return
		}
	}
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, &rules.Error{Line: line, Column: column, Text: fmt.Sprintf(format, args...)})
	}
}

// offset turns a line and a column in characters, both from 1, into bytes.
func (r *Reader) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(r.Source[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	for i := range r.Source[at:] {
		if column <= 1 || r.Source[at+i] == '\n' {
			return at + i
		}
		column--
	}
	return len(r.Source)
}

// Position turns an offset into a line and a column in bytes, both from 1.
func Position(src string, offset int) (line, column int) {
	before := src[:min(max(offset, 0), len(src))]
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}
