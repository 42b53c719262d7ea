package source

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

const (
	maxNesting  = 32
	maxTokens   = 20_000
	maxProblems = 50
)

// Reader reads one source and collects what is wrong with it.
type Reader struct {
	Source   string // with line feeds alone at the ends of its lines
	Problems rules.Problems
}

// Read parses a source of at most limit bytes and hands its one document to read,
// unless there is nothing to go on with.
func Read(text string, limit int, read func(r *Reader, body ast.Node)) (r *Reader) {
	r = &Reader{Source: strings.ReplaceAll(text, "\r\n", "\n")}
	defer func() {
		if recover() != nil { // of the YAML library: a source must not stop the server
			r.At(0, "cannot be read as YAML")
		}
	}()
	if text := unfit(r.Source, limit); text != "" {
		r.At(0, "%s", text)
		return r
	}
	if !r.guard() {
		return r
	}
	file, err := parser.ParseBytes([]byte(r.Source), 0)
	switch {
	case err != nil:
		r.syntax(err)
	case len(file.Docs) != 1 || file.Docs[0].Body == nil:
		r.At(0, "must be one document, and not empty")
	default:
		read(r, file.Docs[0].Body)
	}
	return r
}

// unfit says why a source is not even parsed.
func unfit(src string, limit int) string {
	switch {
	case len(src) > limit:
		return fmt.Sprintf("is larger than %d bytes", limit)
	case !utf8.ValidString(src) || strings.ContainsRune(src, 0):
		return "is not UTF-8 text"
	}
	return ""
}

// guard looks at the tokens first. The parser of the library recurses, and needs a
// time that grows with the square of the nesting; and what makes a document mean
// something else than it shows is not for rule sets.
func (r *Reader) guard() bool {
	tokens := lexer.Tokenize(r.Source)
	if len(tokens) > maxTokens {
		r.At(0, "has more than %d words and signs", maxTokens)
		return false
	}
	depth, opened, line := 0, 0, 0 // opened: entries one within the other on a line
	for _, t := range tokens {
		if t.Position.Line != line {
			line, opened = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.MappingKeyType, token.DirectiveType:
			r.At(r.offset(line, t.Position.Column), "anchors, aliases, tags, merges, explicit keys and directives are not allowed")
			return false
		case token.SequenceStartType, token.MappingStartType:
			depth, opened = depth+1, 0
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.CollectEntryType:
			opened = 0
		case token.SequenceEntryType, token.MappingValueType:
			opened++
		}
		if max(depth, opened) > maxNesting {
			r.At(r.offset(line, t.Position.Column), "is nested too deeply")
			return false
		}
	}
	return true
}

func (r *Reader) syntax(err error) {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		p := e.GetToken().Position
		r.At(r.offset(p.Line, p.Column), "%s", e.GetMessage())
		return
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	r.At(0, "%s", line)
}
