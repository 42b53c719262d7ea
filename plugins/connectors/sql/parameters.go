package sql

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parsed is a statement as the server takes it, with $1, $2, … where the named
// parameters were.
type parsed struct {
	text  string
	names []string // of $1, $2, …
}

// parse replaces named parameters. It reads SQL just well enough to know what is
// quoted or a comment (PostgreSQL, 4.1), with standard_conforming_strings on, and
// refuses what could be understood in two ways.
func parse(statement string) (parsed, error) {
	l := lexer{rest: statement}
	for l.rest != "" && l.err == nil {
		l.step()
	}
	text := strings.TrimSpace(l.out.String())
	switch {
	case l.err != nil:
		return parsed{}, l.err
	case strings.ContainsRune(statement, 0):
		return parsed{}, errors.New("must not contain a zero byte")
	case !l.content:
		return parsed{}, errors.New("is empty")
	}
	return parsed{text: text, names: l.names}, nil
}

type lexer struct {
	rest    string
	out     strings.Builder
	names   []string
	content bool // something was said that is no comment
	ended   bool // a semicolon was seen after it
	word    bool // the byte before belongs to an identifier or number
	escaped bool // the string before, if nothing else came since, was an E'…' one
	err     error
}

// step takes one token.
func (l *lexer) step() {
	c := l.rest[0]
	comment := strings.HasPrefix(l.rest, "--") || strings.HasPrefix(l.rest, "/*")
	space := strings.IndexByte(" \t\r\n\f\v", c) >= 0
	switch {
	case space:
		l.take(1)
	case comment:
		l.take(l.comment())
	case l.ended:
		l.err = errors.New("must be one statement: something comes after a semicolon")
	case c == ';':
		l.rest, l.ended = l.rest[1:], true
	default:
		l.content = true
		l.token(c)
		return
	}
	l.word = false
}

func (l *lexer) token(c byte) {
	word, escaped := false, false
	switch {
	case c == '\'':
		escaped = l.escaped || l.escapes() // a string goes on after white space
		l.take(l.quoted('\'', escaped))
	case c == '"':
		l.take(l.quoted('"', false))
	case c == '$' && !l.word:
		l.take(l.dollar())
	case c == ':':
		l.colon()
	default:
		word = isWord(c)
		l.take(1)
	}
	l.word, l.escaped = word, escaped
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// take copies n bytes.
func (l *lexer) take(n int) {
	l.out.WriteString(l.rest[:n])
	l.rest = l.rest[n:]
}

// escapes reports whether the string that begins here is an E'…' one, in which a
// backslash escapes.
func (l *lexer) escapes() bool {
	before := l.out.String()
	n := len(before)
	return n > 0 && (before[n-1] == 'e' || before[n-1] == 'E') && (n == 1 || !isWord(before[n-2]))
}

// quoted is the length of what begins with a quote; two of them stand for one.
func (l *lexer) quoted(quote byte, escapes bool) int {
	for i := 1; i < len(l.rest); i++ {
		switch {
		case escapes && l.rest[i] == '\\':
			i++
		case l.rest[i] != quote:
		case i+1 < len(l.rest) && l.rest[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	l.err = errors.New("a quote is not closed")
	return len(l.rest)
}

// comment is the length of a comment; those between /* and */ nest.
func (l *lexer) comment() int {
	if l.rest[1] == '-' {
		if end := strings.IndexAny(l.rest, "\r\n"); end >= 0 {
			return end
		}
		return len(l.rest)
	}
	depth := 0
	for i := 0; i+1 < len(l.rest); i++ {
		switch l.rest[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	l.err = errors.New("a comment is not closed")
	return len(l.rest)
}

// dollar is the length of what is quoted by $tag$. Positional parameters would be
// taken for ours.
func (l *lexer) dollar() int {
	end := strings.IndexByte(l.rest[1:], '$') + 1
	tag := l.rest[:end+1]
	if end > 0 && (end == 1 || !isDigit(tag[1])) && strings.IndexFunc(tag[1:end], func(r rune) bool { return r < 0x80 && !isWord(byte(r)) }) < 0 {
		if closed := strings.Index(l.rest[end+1:], tag); closed >= 0 {
			return end + 1 + closed + len(tag)
		}
		l.err = errors.New("a dollar quote is not closed")
		return len(l.rest)
	}
	l.err = errors.New("a dollar sign is not allowed here: name parameters, as in :login")
	return 1
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// colon takes a cast, an assignment, a slice or a parameter.
func (l *lexer) colon() {
	if strings.HasPrefix(l.rest, "::") || strings.HasPrefix(l.rest, ":=") {
		l.take(2)
		return
	}
	end := 1
	for end < len(l.rest) && isWord(l.rest[end]) && l.rest[end] != '$' {
		end++
	}
	name := l.rest[1:end]
	if name == "" || isDigit(name[0]) {
		l.take(1)
		return
	}
	at := slices.Index(l.names, name)
	if at < 0 {
		l.names = append(l.names, name)
		at = len(l.names) - 1
	}
	l.rest = l.rest[end:]
	if l.rest != "" && isWord(l.rest[0]) || l.word {
		l.err = fmt.Errorf("parameter :%s must be parted from the word beside it", name)
	}
	l.out.WriteString("$" + strconv.Itoa(at+1))
}
