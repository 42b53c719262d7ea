package cel

import (
	"strings"
	"unicode/utf8"
)

// placedText is the text of a condition, and where it stands.
type placedText struct {
	text   string
	at     int   // its first byte in the source
	places []int // of each character of the text, in the source
}

// place returns the offset in the source of a character of the text.
func (e placedText) place(char int) int {
	if char < 0 || len(e.places) == 0 {
		return e.at
	}
	return e.places[min(char, len(e.places)-1)] // the end of the text is not in it
}

// index returns which character of the text a line (from 1) and column (from 0) is.
func (e placedText) index(line, column int) int {
	chars := 0
	for _, l := range strings.SplitAfter(e.text, "\n") {
		if line <= 1 {
			return chars + column
		}
		line--
		chars += utf8.RuneCountInString(l)
	}
	return chars
}

// align finds each character of a scalar's value in the source it was read from,
// whatever the style: plain, quoted with escapes, or a block, folded or not. What
// cannot be found is put where the last one was.
func align(src string, at int, value string) []int {
	a := aligner{src: src, p: at}
	if at < len(src) && (src[at] == '"' || src[at] == '\'') {
		a.quote = src[at]
		a.p++
	}
	places := make([]int, 0, utf8.RuneCountInString(value))
	for _, c := range value {
		places = append(places, a.find(c))
	}
	return places
}

type aligner struct {
	src   string
	p     int
	quote byte
}

func (a *aligner) find(c rune) int {
	a.joined()
	if a.p >= len(a.src) {
		return len(a.src)
	}
	switch {
	case a.quote == '"' && a.src[a.p] == '\\':
		return a.take(escapeLength(a.src[a.p:]))
	case a.quote == '\'' && c == '\'':
		return a.take(2)
	case c == ' ' && a.src[a.p] == '\n': // folded
		return a.take(blanks(a.src[a.p:]))
	case c != ' ' && c != '\t' && c != '\n':
		a.p += blanks(a.src[a.p:])
	}
	if got, size := utf8.DecodeRuneInString(a.src[a.p:]); got == c {
		return a.take(size)
	}
	return min(a.p, len(a.src))
}

// joined passes a line break that a backslash takes away.
func (a *aligner) joined() {
	if a.quote == '"' && strings.HasPrefix(a.src[min(a.p, len(a.src)):], "\\\n") {
		a.p++
		a.p += blanks(a.src[a.p:])
	}
}

func (a *aligner) take(n int) int {
	at := a.p
	a.p += n
	return at
}

func blanks(s string) int { return len(s) - len(strings.TrimLeft(s, " \t\n")) }

// escapeLength returns the length of an escape of a double-quoted scalar (YAML 1.2,
// section 5.7).
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
