package xacml

import (
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// call is the body of a function. Its arguments have the kinds of the signature
// and are only lent. What it returns without a place gets that of the Apply.
type call func(e *evaluation, args []result) (result, *rules.Status)

// function is a function of XACML 3.0, appendix A.3.
type function struct {
	id       string
	params   []kind
	variadic bool // the last parameter may come any number of times
	least    int  // arguments
	out      kind
	equality bool // true for equal values alone: what a name may be compared with
	call     call
	// prepare makes a body for arguments that are known at compile time; nil where
	// there is nothing to gain.
	prepare func(args []expression) (call, error)
}

// accepts reports whether the function may be called with n arguments.
func (f *function) accepts(n int) bool {
	return n >= f.least && (f.variadic || n <= len(f.params))
}

// param is the kind of the n-th argument.
func (f *function) param(n int) kind {
	return f.params[min(n, len(f.params)-1)]
}

const (
	fn1 = "urn:oasis:names:tc:xacml:1.0:function:"
	fn2 = "urn:oasis:names:tc:xacml:2.0:function:"
	fn3 = "urn:oasis:names:tc:xacml:3.0:function:"
)

// library is every function by its identifier.
type library map[string]*function

func newLibrary() library {
	l := library{}
	l.addComparisons()
	l.addNumbers()
	l.addTimes()
	l.addTexts()
	l.addConversions()
	l.addPatterns()
	l.addBags()
	return l
}

func (l library) add(id string, out kind, params []kind, c call) *function {
	equality := strings.HasSuffix(id, "-equal") && !strings.HasSuffix(id, "-or-equal") || strings.HasSuffix(id, "-is-in")
	f := &function{id: id, params: params, least: len(params), out: out, equality: equality, call: c}
	l[id] = f
	return f
}

// version is the prefix of the functions of a type: those that came with 3.0 say
// so.
func version(t dataType) string {
	if t == typeDayTimeDuration || t == typeYearMonthDuration {
		return fn3
	}
	return fn1
}

func pair(t dataType) []kind { return []kind{one(t), one(t)} }

func (l library) addComparisons() {
	for t := typeString; t <= typeRFC822Name; t++ {
		l.add(version(t)+t.short()+"-equal", one(typeBoolean), pair(t), func(e *evaluation, a []result) (result, *rules.Status) {
			return truth(a[0].value.equal(a[1].value, e.zone))
		})
	}
	l.add(fn3+"string-equal-ignore-case", one(typeBoolean), pair(typeString), func(_ *evaluation, a []result) (result, *rules.Status) {
		return truth(strings.ToLower(a[0].value.str) == strings.ToLower(a[1].value.str))
	})
	for _, t := range []dataType{typeString, typeInteger, typeDouble, typeTime, typeDate, typeDateTime} {
		l.addOrder(t, "-greater-than", func(c int) bool { return c > 0 })
		l.addOrder(t, "-greater-than-or-equal", func(c int) bool { return c >= 0 })
		l.addOrder(t, "-less-than", func(c int) bool { return c < 0 })
		l.addOrder(t, "-less-than-or-equal", func(c int) bool { return c <= 0 })
	}
	l.add(fn1+"not", one(typeBoolean), []kind{one(typeBoolean)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return truth(!a[0].value.bool())
	})
}

// addOrder adds a comparison. Nothing is greater or less than NaN.
func (l library) addOrder(t dataType, name string, holds func(int) bool) {
	l.add(fn1+t.short()+name, one(typeBoolean), pair(t), func(e *evaluation, a []result) (result, *rules.Status) {
		x, y := a[0].value, a[1].value
		if t == typeDouble && (x.float() != x.float() || y.float() != y.float()) {
			return truth(false)
		}
		return truth(holds(x.compare(y, e.zone)))
	})
}
