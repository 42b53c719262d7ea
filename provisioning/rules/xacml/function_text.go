package xacml

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func (l library) addTexts() {
	l.addText("string-normalize-space", func(s string) string { return strings.Trim(s, " \t\r\n") })
	l.addText("string-normalize-to-lower-case", strings.ToLower)
	l.add(fn2+"string-concatenate", one(typeString), pair(typeString), func(e *evaluation, a []result) (result, *rules.Status) {
		var out strings.Builder
		for _, x := range a {
			out.WriteString(x.value.str)
		}
		if out.Len() > MaxValue {
			return processing("a string of more than %d bytes", MaxValue)
		}
		return single(stringValue(out.String()))
	}).variadic = true
	for _, t := range []dataType{typeString, typeAnyURI} {
		l.addPartOf(t, "-starts-with", strings.HasPrefix)
		l.addPartOf(t, "-ends-with", strings.HasSuffix)
		l.addPartOf(t, "-contains", strings.Contains)
		params := []kind{one(t), one(typeInteger), one(typeInteger)}
		l.add(fn3+t.short()+"-substring", one(typeString), params, func(_ *evaluation, a []result) (result, *rules.Status) {
			return substring(a[0].value.text(), a[1].value.num, a[2].value.num)
		})
	}
	l.addMatch("x500Name-match", typeX500Name, typeX500Name, matchDN)
	l.addMatch("rfc822Name-match", typeString, typeRFC822Name, matchMail)
}

func (l library) addText(name string, f func(string) string) {
	l.add(fn1+name, one(typeString), []kind{one(typeString)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return single(stringValue(f(a[0].value.str)))
	})
}

// addPartOf adds a test whose first argument, a string, is the part.
func (l library) addPartOf(t dataType, name string, holds func(s, part string) bool) {
	l.add(fn3+t.short()+name, one(typeBoolean), []kind{one(typeString), one(t)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return truth(holds(a[1].value.text(), a[0].value.str))
	})
}

func (l library) addMatch(name string, pattern, t dataType, holds func(pattern, s string) bool) {
	l.add(fn1+name, one(typeBoolean), []kind{one(pattern), one(t)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return truth(holds(a[0].value.str, a[1].value.str))
	})
}

// substring takes the characters from one position up to another; -1 is the end.
func substring(s string, from, to int64) (result, *rules.Status) {
	length := int64(utf8.RuneCountInString(s))
	if to == -1 {
		to = length
	}
	if from < 0 || to > length || from > to {
		return processing("substring out of range")
	}
	return single(stringValue(string([]rune(s)[from:to])))
}

// addConversions adds what goes between strings and the other types.
func (l library) addConversions() {
	for t := typeBoolean; t <= typeDNSName; t++ {
		if t == typeHexBinary || t == typeBase64Binary {
			continue
		}
		l.add(fn3+t.short()+"-from-string", one(t), []kind{one(typeString)}, func(_ *evaluation, a []result) (result, *rules.Status) {
			v, ok := parseValue(t, a[0].value.str)
			if !ok {
				return result{}, failed(rules.StatusSyntaxError, "not a value of type %s", t.short())
			}
			return single(v)
		})
		l.add(fn3+"string-from-"+t.short(), one(typeString), []kind{one(t)}, func(_ *evaluation, a []result) (result, *rules.Status) {
			return single(stringValue(a[0].value.text()))
		})
	}
}

func (l library) addPatterns() {
	for _, t := range []dataType{typeString, typeAnyURI, typeIPAddress, typeDNSName, typeRFC822Name, typeX500Name} {
		prefix := fn2
		if t == typeString {
			prefix = fn1
		}
		f := l.add(prefix+t.short()+"-regexp-match", one(typeBoolean), []kind{one(typeString), one(t)}, matchAny)
		f.prepare = prepareMatch
	}
}

// patternSteps is what compiling a pattern costs: fifty of the largest are as
// much work as an evaluation may be.
const patternSteps = MaxSteps / 50

// matchAny matches a pattern that is known only when it is evaluated.
func matchAny(e *evaluation, a []result) (result, *rules.Status) {
	if s := e.charge(patternSteps); s != nil {
		return result{}, s
	}
	re, err := compilePattern(a[0].value.str)
	if err != nil {
		return result{}, failed(rules.StatusProcessingError, "%v", err)
	}
	return matches(e, re, a[1].value.text())
}

// matches takes steps as the length of the text: the time that it takes.
func matches(e *evaluation, re *regexp.Regexp, s string) (result, *rules.Status) {
	if status := e.charge(len(s) / 8); status != nil {
		return result{}, status
	}
	return truth(re.MatchString(s))
}

// prepareMatch compiles a constant pattern once.
func prepareMatch(args []expression) (call, error) {
	c, ok := args[0].(constant)
	if !ok {
		return matchAny, nil
	}
	re, err := compilePattern(c.val.value.str)
	if err != nil {
		return nil, err
	}
	return func(e *evaluation, a []result) (result, *rules.Status) {
		return matches(e, re, a[1].value.text())
	}, nil
}
