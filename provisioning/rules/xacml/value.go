package xacml

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// dataType is one of the types of XACML 3.0, appendix B.3.
type dataType uint8

const (
	typeNone dataType = iota
	typeString
	typeBoolean
	typeInteger
	typeDouble
	typeTime
	typeDate
	typeDateTime
	typeDayTimeDuration
	typeYearMonthDuration
	typeAnyURI
	typeHexBinary
	typeBase64Binary
	typeX500Name
	typeRFC822Name
	typeIPAddress
	typeDNSName
)

const xsd = "http://www.w3.org/2001/XMLSchema#"

// id returns the URI of a type.
func (t dataType) id() string {
	switch t {
	case typeX500Name, typeRFC822Name:
		return "urn:oasis:names:tc:xacml:1.0:data-type:" + t.short()
	case typeIPAddress, typeDNSName:
		return "urn:oasis:names:tc:xacml:2.0:data-type:" + t.short()
	default:
		return xsd + t.short()
	}
}

// short returns the name that a type has in the names of its functions.
func (t dataType) short() string {
	if int(t) < len(typeNames()) {
		return typeNames()[t]
	}
	return ""
}

func typeNames() [17]string {
	return [...]string{"", "string", "boolean", "integer", "double", "time", "date", "dateTime",
		"dayTimeDuration", "yearMonthDuration", "anyURI", "hexBinary", "base64Binary", "x500Name",
		"rfc822Name", "ipAddress", "dnsName"}
}

// typeByID returns the type of a URI; typeNone if there is none.
func typeByID(id string) dataType {
	for t := typeString; t <= typeDNSName; t++ {
		if t.id() == id {
			return t
		}
	}
	return typeNone
}

// value is one value of a type. Which fields count depends on the type.
type value struct {
	typ     dataType
	zoned   bool   // times: zone counts
	zone    int16  // times: minutes east of UTC
	nanos   int32  // times and durations: from 0, on top of num
	num     int64  // integer, boolean, seconds, months, the bits of a double
	str     string // what is compared of a text
	lexical string // as written, where str is not or differs
}

func stringValue(s string) value           { return value{typ: typeString, str: s} }
func integerValue(n int64) value           { return value{typ: typeInteger, num: n} }
func doubleValue(f float64) value          { return value{typ: typeDouble, num: int64(math.Float64bits(f))} }
func (v value) float() float64             { return math.Float64frombits(uint64(v.num)) }
func (v value) bool() bool                 { return v.num != 0 }
func textValue(t dataType, s string) value { return value{typ: t, str: s} }

func booleanValue(b bool) value {
	if b {
		return value{typ: typeBoolean, num: 1}
	}
	return value{typ: typeBoolean}
}

// equal compares two values of one type. Times without a zone are taken in the
// zone given, in minutes.
func (v value) equal(o value, zone int16) bool {
	if v.typ != o.typ {
		return false
	}
	switch v.typ {
	case typeDouble:
		f, g := v.float(), o.float()
		return f == g || f != f && g != g // XACML takes xs:double as Java's Double does: NaN equals itself
	case typeTime, typeDate, typeDateTime:
		return v.instant(zone) == o.instant(zone) && v.nanos == o.nanos
	case typeInteger, typeBoolean, typeYearMonthDuration, typeDayTimeDuration:
		return v.num == o.num && v.nanos == o.nanos
	default:
		return v.str == o.str
	}
}

// instant returns the seconds of a time in UTC.
func (v value) instant(zone int16) int64 {
	if v.zoned {
		zone = v.zone
	}
	return v.num - int64(zone)*60
}

// compare orders two values of an ordered type other than NaN.
func (v value) compare(o value, zone int16) int {
	switch v.typ {
	case typeString:
		return strings.Compare(v.str, o.str)
	case typeDouble:
		return compareFloat(v.float(), o.float())
	case typeTime, typeDate, typeDateTime:
		if c := compareInt(v.instant(zone), o.instant(zone)); c != 0 {
			return c
		}
		return compareInt(int64(v.nanos), int64(o.nanos))
	default:
		return compareInt(v.num, o.num)
	}
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// text returns the value as XML Schema writes it.
func (v value) text() string {
	if v.lexical != "" {
		return v.lexical
	}
	switch v.typ {
	case typeBoolean:
		return strconv.FormatBool(v.bool())
	case typeInteger:
		return strconv.FormatInt(v.num, 10)
	case typeDouble:
		return formatDouble(v.float())
	case typeTime, typeDate, typeDateTime:
		return v.formatTime()
	case typeDayTimeDuration:
		return formatDayTime(v.num, v.nanos)
	case typeYearMonthDuration:
		return formatYearMonth(v.num)
	case typeHexBinary:
		return strings.ToUpper(hex.EncodeToString([]byte(v.str)))
	case typeBase64Binary:
		return base64.StdEncoding.EncodeToString([]byte(v.str))
	default:
		return v.str
	}
}

func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	default:
		return strconv.FormatFloat(f, 'G', -1, 64)
	}
}

// parseValue reads a value of a type. White space around it counts in strings
// alone.
func parseValue(t dataType, s string) (value, bool) {
	if t == typeString {
		return stringValue(s), true
	}
	s = strings.Trim(s, " \t\r\n")
	switch t {
	case typeBoolean:
		return booleanValue(s == "true" || s == "1"), s == "true" || s == "1" || s == "false" || s == "0"
	case typeInteger:
		n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 10, 64)
		return integerValue(n), err == nil && !strings.HasPrefix(s, "+-") && !strings.HasPrefix(s, "++")
	case typeDouble:
		return parseDouble(s)
	case typeTime, typeDate, typeDateTime:
		return parseTime(t, s)
	case typeDayTimeDuration:
		return parseDayTime(s)
	case typeYearMonthDuration:
		return parseYearMonth(s)
	case typeHexBinary:
		b, err := hex.DecodeString(s)
		return value{typ: t, str: string(b), lexical: s}, err == nil
	case typeBase64Binary:
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		return value{typ: t, str: string(b), lexical: s}, err == nil
	default:
		return parseName(t, s)
	}
}

func parseDouble(s string) (value, bool) {
	switch s {
	case "INF":
		return doubleValue(math.Inf(1)), true
	case "-INF":
		return doubleValue(math.Inf(-1)), true
	case "NaN":
		return doubleValue(math.NaN()), true
	}
	if s == "" || strings.Trim(s, "+-0123456789.eE") != "" { // what Go reads beyond XML Schema
		return value{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return doubleValue(f), err == nil || math.IsInf(f, 0)
}
