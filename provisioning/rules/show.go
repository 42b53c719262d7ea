package rules

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Hidden stands for a value that is not to be shown.
const Hidden = "•••"

// Personal reports whether an attribute may say something about a person. Whatever is
// not known to be about the application, the target, the time or the kind of request
// may.
func (a Attribute) Personal() bool {
	switch a.Category {
	case "http://wso2.org/identity/sp", "http://wso2.org/identity/idp", "http://wso2.org/identity/identity-action",
		"urn:oasis:names:tc:xacml:3.0:attribute-category:environment":
		return false
	}
	switch a.ID {
	case "http://wso2.org/identity/provisioning/provision-operation", "urn:anteroom:request:trigger", "urn:anteroom:request:scope",
		"urn:anteroom:account:linked":
		return false
	}
	return true
}

// Nothing stands for an attribute that has no value.
const Nothing = "nothing"

const (
	maxShown     = 20  // values of a list
	maxShownText = 200 // bytes of one value
)

// Show writes a text in quotes, shortened.
func Show(s string) string { return shorten(strconv.Quote(s), maxShownText) }

// ShowList writes the n values of a list, shortened.
func ShowList(n int, value func(i int) string) string {
	var parts []string
	for i := range min(n, maxShown) {
		parts = append(parts, shorten(value(i), maxShownText))
	}
	if n > maxShown {
		parts = append(parts, fmt.Sprintf("and %d more", n-maxShown))
	}
	return strings.Join(parts, ", ")
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// printable keeps a text on its line: an identifier may have anything in it.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

// placed returns what stands before a text, "" when the place is not known.
func placed(source string, line, column int) string {
	return (&Error{Source: source, Line: line, Column: column}).Error()
}
