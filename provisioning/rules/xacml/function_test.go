package xacml

import (
	"strings"
	"testing"
)

// mandatory is section 10.2.8 of XACML 3.0 but for what goes over every type: the
// version, a colon, the names.
var mandatory = []string{
	"1.0:function: string-equal boolean-equal integer-equal double-equal date-equal time-equal dateTime-equal anyURI-equal x500Name-equal rfc822Name-equal hexBinary-equal base64Binary-equal",
	"3.0:function: dayTimeDuration-equal yearMonthDuration-equal string-equal-ignore-case",
	"1.0:function: integer-add double-add integer-subtract double-subtract integer-multiply double-multiply integer-divide double-divide integer-mod integer-abs double-abs round floor",
	"1.0:function: string-normalize-space string-normalize-to-lower-case double-to-integer integer-to-double not",
	"1.0:function: integer-greater-than integer-greater-than-or-equal integer-less-than integer-less-than-or-equal double-greater-than double-greater-than-or-equal double-less-than double-less-than-or-equal",
	"1.0:function: string-greater-than string-greater-than-or-equal string-less-than string-less-than-or-equal time-greater-than time-greater-than-or-equal time-less-than time-less-than-or-equal",
	"1.0:function: dateTime-greater-than dateTime-greater-than-or-equal dateTime-less-than dateTime-less-than-or-equal date-greater-than date-greater-than-or-equal date-less-than date-less-than-or-equal",
	"3.0:function: dateTime-add-dayTimeDuration dateTime-add-yearMonthDuration dateTime-subtract-dayTimeDuration dateTime-subtract-yearMonthDuration date-add-yearMonthDuration date-subtract-yearMonthDuration",
	"2.0:function: time-in-range string-concatenate",
	"3.0:function: boolean-from-string string-from-boolean integer-from-string string-from-integer double-from-string string-from-double time-from-string string-from-time date-from-string string-from-date dateTime-from-string string-from-dateTime",
	"3.0:function: anyURI-from-string string-from-anyURI dayTimeDuration-from-string string-from-dayTimeDuration yearMonthDuration-from-string string-from-yearMonthDuration x500Name-from-string string-from-x500Name",
	"3.0:function: rfc822Name-from-string string-from-rfc822Name ipAddress-from-string string-from-ipAddress dnsName-from-string string-from-dnsName",
	"3.0:function: string-starts-with anyURI-starts-with string-ends-with anyURI-ends-with string-substring anyURI-substring string-contains anyURI-contains",
	"1.0:function: x500Name-match rfc822Name-match string-regexp-match",
	"2.0:function: anyURI-regexp-match ipAddress-regexp-match dnsName-regexp-match rfc822Name-regexp-match x500Name-regexp-match",
	"2.0:function: ipAddress-one-and-only ipAddress-bag-size ipAddress-bag dnsName-one-and-only dnsName-bag-size dnsName-bag",
}

func TestMandatoryFunctions(t *testing.T) {
	want := []string{}
	for _, line := range mandatory {
		prefix, names, _ := strings.Cut(line, " ")
		for _, n := range strings.Fields(names) {
			want = append(want, urn+prefix+n)
		}
	}
	for _, typ := range strings.Fields("1.0:function:string 1.0:function:boolean 1.0:function:integer 1.0:function:double 1.0:function:time 1.0:function:date 1.0:function:dateTime 1.0:function:anyURI 1.0:function:hexBinary 1.0:function:base64Binary 1.0:function:x500Name 1.0:function:rfc822Name 3.0:function:dayTimeDuration 3.0:function:yearMonthDuration") {
		for _, f := range strings.Fields("-one-and-only -bag-size -is-in -bag -intersection -at-least-one-member-of -union -subset -set-equals") {
			want = append(want, urn+typ+f)
		}
	}
	l := newLibrary()
	for _, id := range want {
		if l[id] == nil {
			t.Errorf("no function %s", id)
		}
		delete(l, id)
	}
	for id := range l {
		t.Errorf("function %s is not of the standard", id)
	}
}

func TestHigherOrderFunctions(t *testing.T) {
	for _, id := range []string{
		fn3 + "any-of", fn3 + "all-of", fn3 + "any-of-any", fn1 + "all-of-any", fn1 + "any-of-all", fn1 + "all-of-all", fn3 + "map",
		fn1 + "any-of", fn1 + "all-of", fn1 + "any-of-any", fn1 + "map", // of XACML 1.0
	} {
		if higherOrder(id) == "" {
			t.Errorf("no function %s", id)
		}
	}
	for _, id := range []string{fn3 + "all-of-all", fn2 + "map", fn1 + "and", "map"} {
		if name := higherOrder(id); name != "" {
			t.Errorf("%s is taken for %s", id, name)
		}
	}
}
