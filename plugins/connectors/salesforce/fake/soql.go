package fake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// selection is a parsed query: SELECT … FROM … [WHERE …] [ORDER BY Id] [LIMIT n].
type selection struct {
	fields []string
	object string
	where  *condition // nil for none
	limit  int        // -1 for none
}

// condition compares a field with values, or joins parts.
type condition struct {
	field  string
	values []any
	not    bool

	parts []*condition
	or    bool
}

// parser reads tokens one after the other.
type parser struct {
	tokens []string
	err    error
}

func parse(soql string) (selection, error) {
	tokens, err := tokenize(soql)
	p := &parser{tokens: tokens, err: err}
	q := selection{limit: -1}
	p.want("SELECT")
	q.fields = p.list()
	p.want("FROM")
	q.object = p.take()
	if p.is("WHERE") {
		q.where = p.or()
	}
	if p.is("ORDER") {
		p.want("BY")
		p.want("Id")
	}
	if p.is("LIMIT") {
		n, err := strconv.Atoi(p.take())
		if err != nil || n < 0 {
			p.fail("unexpected limit")
		}
		q.limit = n
	}
	if p.err == nil && len(p.tokens) > 0 {
		p.fail("unexpected token: '" + p.tokens[0] + "'")
	}
	return q, p.err
}

func (p *parser) fail(message string) {
	if p.err == nil {
		p.err = errors.New(message)
	}
	p.tokens = nil
}

func (p *parser) take() string {
	if len(p.tokens) == 0 {
		p.fail("unexpected end of the query")
		return ""
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

// is takes the next token if it is the keyword.
func (p *parser) is(keyword string) bool {
	if len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0], keyword) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) want(keyword string) {
	if !p.is(keyword) {
		p.fail("expecting " + keyword)
	}
}

func (p *parser) list() []string {
	out := []string{p.take()}
	for p.is(",") {
		out = append(out, p.take())
	}
	return out
}

func (p *parser) or() *condition  { return p.joined("OR", true, p.and) }
func (p *parser) and() *condition { return p.joined("AND", false, p.comparison) }

func (p *parser) joined(keyword string, or bool, part func() *condition) *condition {
	c := &condition{or: or, parts: []*condition{part()}}
	for p.is(keyword) {
		c.parts = append(c.parts, part())
	}
	return c
}

func (p *parser) comparison() *condition {
	if p.is("(") {
		c := p.or()
		p.want(")")
		return c
	}
	c := &condition{field: p.take()}
	switch {
	case p.is("="):
		c.values = []any{p.literal()}
	case p.is("!="):
		c.not, c.values = true, []any{p.literal()}
	case p.is("IN"):
		p.want("(")
		c.values = []any{p.literal()}
		for p.is(",") {
			c.values = append(c.values, p.literal())
		}
		p.want(")")
	default:
		p.fail("unexpected operator")
	}
	return c
}

func (p *parser) literal() any {
	token := p.take()
	switch {
	case strings.HasPrefix(token, "'"):
		return token[1:]
	case strings.EqualFold(token, "true"):
		return true
	case strings.EqualFold(token, "false"):
		return false
	case !strings.EqualFold(token, "null"):
		p.fail("unexpected token: '" + token + "'")
	}
	return nil
}

// tokenize splits a query. A text is the token of its value behind one quote.
func tokenize(s string) ([]string, error) {
	var tokens []string
	for s != "" {
		switch c := s[0]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			s = s[1:]
		case c == '\'':
			value, rest, err := literal(s[1:])
			if err != nil {
				return nil, err
			}
			tokens, s = append(tokens, "'"+value), rest
		case strings.HasPrefix(s, "!="):
			tokens, s = append(tokens, "!="), s[2:]
		case strings.IndexByte("=,()", c) >= 0:
			tokens, s = append(tokens, s[:1]), s[1:]
		default:
			end := strings.IndexAny(s, " \n\t\r=,()'!")
			if end < 0 {
				end = len(s)
			}
			if end == 0 {
				return nil, fmt.Errorf("unexpected character: '%c'", c)
			}
			tokens, s = append(tokens, s[:end]), s[end:]
		}
	}
	return tokens, nil
}

// literal reads a text up to its closing quote, and undoes escapes.
func literal(s string) (value, rest string, err error) {
	escapes := map[byte]byte{'\\': '\\', '\'': '\'', '"': '"', 'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\'':
			return out.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) || escapes[s[i]] == 0 {
				return "", "", errors.New("invalid escape in a string literal")
			}
			out.WriteByte(escapes[s[i]])
		case '\n', '\r':
			return "", "", errors.New("a line break in a string literal")
		default:
			out.WriteByte(s[i])
		}
	}
	return "", "", errors.New("a string literal without an end")
}
