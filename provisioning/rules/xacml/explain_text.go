package xacml

import (
	"strconv"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func placeOf(e expression) place {
	switch e := e.(type) {
	case constant:
		return e.at
	case *designator:
		return e.at
	case *apply:
		return e.at
	case *higher:
		return e.at
	case logical:
		return e.at
	case nOf:
		return e.at
	case *variable:
		return placeOf(e.expr)
	default:
		return place{}
	}
}

// maxExpressionText is where the text of an expression ends: no explanation has room
// for more.
const maxExpressionText = 1000

// textOf writes an expression as a call of functions by their short names.
func textOf(e expression) string {
	var b strings.Builder
	writeExpression(&b, e)
	return b.String()
}

func writeExpression(b *strings.Builder, e expression) {
	if b.Len() > maxExpressionText {
		return
	}
	switch e := e.(type) {
	case constant:
		if e.of.bag {
			b.WriteString(showBag(e.val.bag))
			return
		}
		b.WriteString(showValue(e.val.value))
	case *designator:
		b.WriteString("[" + shortID(e.attribute.ID) + "]")
	case *variable:
		b.WriteString("$" + e.id)
	case *apply:
		writeCall(b, shortID(e.fn.id), e.args)
	case *higher:
		writeCall(b, e.name+" "+shortID(e.fn.id), e.args)
	case logical:
		writeCall(b, map[bool]string{true: "or", false: "and"}[e.decide], e.args)
	case nOf:
		writeCall(b, "n-of", argumentsOf(e))
	}
}

func writeCall(b *strings.Builder, name string, args []expression) {
	b.WriteString(name + "(")
	for i, a := range args {
		if b.Len() > maxExpressionText {
			return
		}
		if i > 0 {
			b.WriteString(", ")
		}
		writeExpression(b, a)
	}
	b.WriteByte(')')
}

func (m *match) text() string {
	return shortID(m.fn.id) + "(" + showValue(m.literal) + ", " + textOf(m.from) + ")"
}

// shortID returns the last part of an identifier.
func shortID(id string) string {
	if i := strings.LastIndexAny(id, ":/"); i >= 0 && i < len(id)-1 {
		return id[i+1:]
	}
	return id
}

func showBag(bag []value) string {
	if len(bag) == 0 {
		return rules.Nothing
	}
	return "[" + rules.ShowList(len(bag), func(i int) string { return showValue(bag[i]) }) + "]"
}

// showValue leaves the quotes to what is no number and no truth.
func showValue(v value) string {
	switch v.typ {
	case typeBoolean, typeInteger, typeDouble:
		return v.text()
	case typeTime, typeDate, typeDateTime:
		return strconv.Quote(v.text())
	default:
		return rules.Show(v.text())
	}
}
