package xacml

import (
	"testing"
)

func TestValues(t *testing.T) {
	tests := []struct {
		typ       dataType
		in, equal string // what is equal to it and how it is written
	}{
		{typeBoolean, "1", "true"}, {typeBoolean, " false ", "false"},
		{typeInteger, "+5", "5"}, {typeInteger, "-0", "0"}, {typeInteger, "007", "7"},
		{typeDouble, "1.50", "1.5"}, {typeDouble, "1E2", "100"}, {typeDouble, "NaN", "NaN"}, {typeDouble, "-INF", "-INF"}, {typeDouble, "1e30", "1E+30"},
		{typeTime, "24:00:00", "00:00:00"}, {typeTime, "09:30:00.50+01:00", "08:30:00.5Z"},
		{typeDate, "2026-03-02", "2026-03-02"}, {typeDate, "-0001-01-01Z", "-0001-01-01Z"},
		{typeDateTime, "2026-03-02T24:00:00Z", "2026-03-03T00:00:00Z"}, {typeDateTime, "2026-03-02T00:30:00-14:00", "2026-03-02T14:30:00Z"},
		{typeDateTime, "12026-01-01T00:00:00", "12026-01-01T00:00:00"},
		{typeDayTimeDuration, "-P1DT2H", "-P1DT2H0M0S"}, {typeDayTimeDuration, "PT36H", "P1DT12H0M0S"}, {typeDayTimeDuration, "-PT0.5S", "-P0DT0H0M0.5S"},
		{typeYearMonthDuration, "P18M", "P1Y6M"}, {typeYearMonthDuration, "-P1Y", "-P1Y0M"},
		{typeHexBinary, "0aFF", "0AFF"}, {typeBase64Binary, "YQ ==", "YQ=="},
		{typeAnyURI, " urn:x ", "urn:x"},
		{typeX500Name, "CN=Ann  Doe, O=Example", "cn=ann doe,o=EXAMPLE"}, {typeX500Name, `2.5.4.3="a,b"+UID=x;C=de`, `uid=x+cn=a\,b, c=DE`},
		{typeX500Name, `cn=\61nn`, "CN=ann"},
		{typeRFC822Name, "Ann@Example.COM", "Ann@example.com"},
		{typeIPAddress, "10.0.0.1/255.0.0.0:80-90", "10.0.0.1/255.0.0.0:80-90"}, {typeIPAddress, "[::1]/[ffff::]:-80", "[::1]/[ffff::]:-80"},
		{typeDNSName, "*.example.com:443", "*.example.com:443"},
	}
	for _, tt := range tests {
		v, ok := parseValue(tt.typ, tt.in)
		w, ok2 := parseValue(tt.typ, tt.equal)
		if !ok || !ok2 || !v.equal(w, 0) || v.compareIfOrdered(w) != 0 {
			t.Errorf("%s %q and %q: %+v %t, %+v %t", tt.typ.short(), tt.in, tt.equal, v, ok, w, ok2)
		}
		again, ok := parseValue(tt.typ, v.text())
		if !ok || !again.equal(v, 0) {
			t.Errorf("%s %q is written %q, which is another one", tt.typ.short(), tt.in, v.text())
		}
		if w.lexical = ""; tt.typ < typeX500Name && !v.zoned && w.text() != tt.equal {
			t.Errorf("%s %q is written %q", tt.typ.short(), tt.equal, w.text())
		}
	}
}

func (v value) compareIfOrdered(w value) int {
	switch v.typ {
	case typeInteger, typeTime, typeDate, typeDateTime:
		return v.compare(w, 0)
	default:
		return 0
	}
}

func TestWrongValues(t *testing.T) {
	for typ, all := range map[dataType][]string{
		typeBoolean:           {"", "TRUE", "yes"},
		typeInteger:           {"", "1.0", "+-1", "++1", "9223372036854775808", "1_000", "0x1"},
		typeDouble:            {"", "inf", "+INF", "nan", "0x1p2", "1_0", "Infinity"},
		typeTime:              {"", "9:00:00", "25:00:00", "24:00:01", "09:60:00", "09:00", "09:00:00+15:00", "09:00:00-14:30", "09:00:00.", "09:00:00 Z"},
		typeDate:              {"", "2026-2-1", "2026-02-29", "2100-02-29", "0000-01-01", "02026-01-01", "2026-13-01", "2026-01-00", "99999999-01-01"},
		typeDateTime:          {"2026-03-02", "2026-03-02 09:00:00", "2026-03-02T"},
		typeDayTimeDuration:   {"", "P", "PT", "P1DT", "P1Y", "PT1S1M", "PT.5S", "PT1.5M", "-", "P-1D", "P99999999999999999999D", "P999999999999D"},
		typeYearMonthDuration: {"", "P", "P1D", "P1M1Y", "1Y", "P99999999Y"},
		typeAnyURI:            {"a b", "<x>"},
		typeHexBinary:         {"0", "xx"},
		typeBase64Binary:      {"?", "YQ"},
		typeX500Name:          {"x", "=x", "cn", "cn=x,,", `cn=x\`, "a b=c"},
		typeRFC822Name:        {"", "ann", "@x", "ann@", "a@b@c"},
		typeIPAddress:         {"", "10.0.0", "10.0.0.1/33:80", "::1", "[::1", "[10.0.0.1]", "10.0.0.1:", "10.0.0.1:-", "[::1]80"},
		typeDNSName:           {"", "a..b", "-a", "a b", "a.*.b", "a:x"},
		typeNone:              {"x"},
	} {
		for _, s := range all {
			if v, ok := parseValue(typ, s); ok {
				t.Errorf("%q is taken for a value of type %s: %+v", s, typ.short(), v)
			}
		}
	}
}

func TestShiftedTimes(t *testing.T) {
	for _, tt := range []struct {
		typ, by            dataType
		from, duration, to string
		sign               int64
	}{
		{typeDate, typeYearMonthDuration, "2024-01-31Z", "P1M", "2024-02-29Z", 1},
		{typeDate, typeYearMonthDuration, "2024-03-31Z", "P1M", "2024-02-29Z", -1},
		{typeDate, typeYearMonthDuration, "2000-01-31Z", "-P1Y11M", "1998-02-28Z", 1},
		{typeDateTime, typeYearMonthDuration, "1969-12-31T23:00:00Z", "P2M", "1970-02-28T23:00:00Z", 1},
		{typeDateTime, typeDayTimeDuration, "2026-03-01T00:00:00.25Z", "PT0.5S", "2026-02-28T23:59:59.75Z", -1},
		{typeDateTime, typeDayTimeDuration, "2026-03-01T00:00:00+02:00", "P1DT1H", "2026-03-02T01:00:00+02:00", 1},
	} {
		from, ok := parseValue(tt.typ, tt.from)
		by, ok2 := parseValue(tt.by, tt.duration)
		if !ok || !ok2 {
			t.Fatalf("%+v cannot be read", tt)
		}
		got, status := shift(from, by, tt.sign)
		if status != nil || got.value.text() != tt.to {
			t.Errorf("%s and %d times %s = %s (%v), want %s", tt.from, tt.sign, tt.duration, got.value.text(), status, tt.to)
		}
	}
	far, _ := parseValue(typeDate, "999999-12-31")
	long, _ := parseValue(typeYearMonthDuration, "P2Y")
	if got, status := shift(far, long, 1); status == nil {
		t.Errorf("beyond the last year = %s", got.value.text())
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{`.*@abc\.com$`, "ann@abc.com", true}, {`.*@abc\.com$`, "ann@abc.com.evil", false},
		{"b", "abc", true}, // not anchored
		{`^\i\c*$`, "_a-1", true}, {`^\i\c*$`, "1a", false}, {`^[\i-[:]]$`, "x", false},
		{`^\d+$`, "٣", true}, {`^\D$`, "3", false}, {`^\w+$`, "é1", true}, {`^[^\d]$`, "x", true}, {`^\W$`, "-", true}, {`a\-b`, "a-b", true},
	} {
		re, err := compilePattern(tt.pattern)
		if tt.pattern == `^[\i-[:]]$` {
			if err == nil {
				t.Errorf("%s compiles, but subtraction is not supported", tt.pattern)
			}
			continue
		}
		if err != nil || re.MatchString(tt.text) != tt.want {
			t.Errorf("%s on %q: %v, want %t", tt.pattern, tt.text, err, tt.want)
		}
	}
	for _, bad := range []string{`\b`, `\A`, `(?i)x`, `\1`, `[\I]`, `(`, `x{1001}`} {
		if _, err := compilePattern(bad); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
}

func TestNameMatches(t *testing.T) {
	dn := func(s string) string { v, _ := canonicalDN(s); return v }
	if !matchDN(dn("O=Example"), dn("cn=Ann, o=example")) || matchDN(dn("o=ample"), dn("cn=Ann,o=example")) || matchDN(dn("cn=a,o=b"), dn("o=b")) {
		t.Error("x500Name-match")
	}
	if !matchDN(dn("o=b"), dn("cn=x,o=b")) || matchDN(dn("o=b"), dn(`cn=x\,o\=b`)) {
		t.Error("x500Name-match takes an escaped comma for one that separates")
	}
	for _, tt := range []struct {
		pattern string
		want    bool
	}{
		{"Ann@sub.example.com", true}, {"ann@sub.example.com", false}, {"Ann@SUB.Example.com", true},
		{"sub.Example.com", true}, {"example.com", false}, {".example.com", true}, {".sub.example.com", false},
	} {
		if got := matchMail(tt.pattern, "Ann@sub.example.com"); got != tt.want {
			t.Errorf("%s matches: %t", tt.pattern, got)
		}
	}
}
