package xacml

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// compilePattern turns a regular expression of XPath (fn:matches, as XACML 3.0
// has it: not anchored) into one of Go. What the two write differently is
// translated; what Go does not have (subtraction of classes, blocks of Unicode)
// is an error. Matching takes linear time, whatever the pattern.
func compilePattern(s string) (*regexp.Regexp, error) {
	if len(s) > MaxPattern {
		return nil, fmt.Errorf("a regular expression of more than %d bytes", MaxPattern)
	}
	var out strings.Builder
	class := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			translated, err := translateEscape(s[i], class)
			if err != nil {
				return nil, err
			}
			out.WriteString(translated)
			continue
		case class && s[i] == '[':
			return nil, errors.New("subtraction of character classes is not supported")
		case s[i] == '[':
			class = true
		case s[i] == ']':
			class = false
		case !class && s[i] == '(' && i+1 < len(s) && s[i+1] == '?':
			return nil, errors.New("groups with options are not part of XPath's regular expressions")
		}
		out.WriteByte(s[i])
	}
	re, err := regexp.Compile(out.String())
	if err != nil {
		return nil, errors.New("not a regular expression")
	}
	return re, nil
}

const (
	nameStart = `:A-Z_a-z\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{2FF}\x{370}-\x{37D}\x{37F}-\x{1FFF}\x{200C}-\x{200D}\x{2070}-\x{218F}\x{2C00}-\x{2FEF}\x{3001}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFFD}`
	nameChar  = nameStart + `\-.0-9\x{B7}\x{300}-\x{36F}\x{203F}-\x{2040}`
)

// translateEscape writes the escape of a character as Go does.
func translateEscape(c byte, class bool) (string, error) {
	set := func(chars string, negated bool) (string, error) {
		switch {
		case class && negated:
			return "", fmt.Errorf(`\%c within a character class is not supported`, c)
		case class:
			return chars, nil
		case negated:
			return "[^" + chars + "]", nil
		default:
			return "[" + chars + "]", nil
		}
	}
	switch c {
	case 'i', 'I':
		return set(nameStart, c == 'I')
	case 'c', 'C':
		return set(nameChar, c == 'C')
	case 'd':
		return `\p{Nd}`, nil
	case 'D':
		return `\P{Nd}`, nil
	case 'w', 'W':
		return set(`\pL\pM\pN\pS`, c == 'W')
	case 's', 'S', 'n', 'r', 't', 'p', 'P':
		return `\` + string(c), nil
	}
	if strings.IndexByte(`\|.-^?*+{}()[]$`, c) < 0 {
		return "", fmt.Errorf(`\%c is not part of XPath's regular expressions`, c)
	}
	return `\` + string(c), nil
}
