package xacml

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxYears bounds years, so that arithmetic on seconds never overflows.
const maxYears = 1_000_000

// parseTime reads xs:time, xs:date and xs:dateTime. The seconds are those of the
// wall clock, as if it stood in UTC; those of a time of day are on 1 January 1970.
func parseTime(t dataType, s string) (value, bool) {
	v := value{typ: t, lexical: s}
	year, month, day := int64(1970), 1, 1
	ok := true
	if t != typeTime {
		if year, month, day, s, ok = scanDate(s); !ok {
			return value{}, false
		}
	}
	if t == typeDateTime {
		if s, ok = strings.CutPrefix(s, "T"); !ok {
			return value{}, false
		}
	}
	v.num = epochDays(year, month, day) * 86400
	if t != typeDate {
		seconds, nanos, rest, ok := scanClock(s)
		if !ok {
			return value{}, false
		}
		if t == typeTime {
			seconds %= 86400 // 24:00:00 is midnight
		}
		v.num, v.nanos, s = v.num+seconds, nanos, rest
	}
	v.zoned = s != ""
	v.zone, ok = scanZone(s)
	return v, ok
}

// digits takes n digits off the front.
func digits(s string, n int) (int, string, bool) {
	if len(s) < n {
		return 0, s, false
	}
	out := 0
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return 0, s, false
		}
		out = out*10 + int(s[i]-'0')
	}
	return out, s[n:], true
}

// two reads "NN" after a separator.
func two(s, separator string) (int, string, bool) {
	s, ok := strings.CutPrefix(s, separator)
	if !ok {
		return 0, s, false
	}
	return digits(s, 2)
}

func scanDate(s string) (year int64, month, day int, rest string, ok bool) {
	body, negative := strings.CutPrefix(s, "-")
	n := strings.IndexByte(body, '-')
	if n < 4 || n > 7 || n > 4 && body[0] == '0' {
		return 0, 0, 0, s, false
	}
	y, body, ok := digits(body, n)
	if !ok || y == 0 || y > maxYears {
		return 0, 0, 0, s, false
	}
	if month, body, ok = two(body, "-"); !ok {
		return 0, 0, 0, s, false
	}
	if day, body, ok = two(body, "-"); !ok {
		return 0, 0, 0, s, false
	}
	year = int64(y)
	if negative {
		year = 1 - year // the year before 1 is -1
	}
	return year, month, day, body, month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year int64, month int) int {
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	switch {
	case month == 2 && leap:
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	default:
		return 31
	}
}

func scanClock(s string) (seconds int64, nanos int32, rest string, ok bool) {
	hour, s, ok := digits(s, 2)
	if !ok {
		return 0, 0, s, false
	}
	minute, s, ok := two(s, ":")
	if !ok {
		return 0, 0, s, false
	}
	second, s, ok := two(s, ":")
	if !ok {
		return 0, 0, s, false
	}
	if nanos, s, ok = scanFraction(s); !ok {
		return 0, 0, s, false
	}
	midnight := hour == 24 && minute == 0 && second == 0 && nanos == 0
	ok = (hour < 24 || midnight) && minute < 60 && second < 60
	return int64(hour)*3600 + int64(minute)*60 + int64(second), nanos, s, ok
}

// scanFraction reads ".123"; what is below a nanosecond is dropped.
func scanFraction(s string) (int32, string, bool) {
	body, ok := strings.CutPrefix(s, ".")
	if !ok {
		return 0, s, true
	}
	n := 0
	for n < len(body) && body[n] >= '0' && body[n] <= '9' {
		n++
	}
	if n == 0 {
		return 0, s, false
	}
	nanos, _, _ := digits((body[:n] + "000000000")[:9], 9)
	return int32(nanos), body[n:], true
}

// scanZone reads "", "Z" or "+05:30", up to 14 hours.
func scanZone(s string) (int16, bool) {
	if s == "" || s == "Z" {
		return 0, true
	}
	hour, rest, ok := digits(s[1:], 2)
	if !ok {
		return 0, false
	}
	minute, rest, ok := two(rest, ":")
	total := hour*60 + minute
	if !ok || rest != "" || minute > 59 || total > 14*60 {
		return 0, false
	}
	switch s[0] {
	case '+':
		return int16(total), true
	case '-':
		return int16(-total), true
	default:
		return 0, false
	}
}

// epochDays counts days from 1 January 1970 in the Gregorian calendar, also
// before it was one.
func epochDays(year int64, month, day int) int64 {
	return time.Date(int(year), time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

func (v value) formatTime() string {
	t := time.Unix(v.num, int64(v.nanos)).UTC()
	var out string
	if v.typ != typeTime {
		out = formatYear(int64(t.Year())) + t.Format("-01-02")
	}
	if v.typ == typeDateTime {
		out += "T"
	}
	if v.typ != typeDate {
		out += t.Format("15:04:05.999999999")
	}
	return out + v.formatZone()
}

func formatYear(y int64) string {
	if y <= 0 {
		return fmt.Sprintf("-%04d", 1-y)
	}
	return fmt.Sprintf("%04d", y)
}

func (v value) formatZone() string {
	switch {
	case !v.zoned:
		return ""
	case v.zone == 0:
		return "Z"
	case v.zone < 0:
		return fmt.Sprintf("-%02d:%02d", -v.zone/60, -v.zone%60)
	default:
		return fmt.Sprintf("+%02d:%02d", v.zone/60, v.zone%60)
	}
}

// timeValue makes a typed time out of a moment, in its zone.
func timeValue(typ dataType, t time.Time) value {
	_, offset := t.Zone()
	v := value{typ: typ, zoned: true, zone: int16(offset / 60), num: t.Unix() + int64(offset), nanos: int32(t.Nanosecond())}
	switch typ {
	case typeTime:
		v.num = floorMod(v.num, 86400)
	case typeDate:
		v.num, v.nanos = v.num-floorMod(v.num, 86400), 0
	}
	return v
}

func floorMod(a, b int64) int64 { return (a%b + b) % b }

// maxSeconds bounds durations and times as maxYears does.
const maxSeconds = maxYears * 366 * 86400

// addSeconds moves a time; a date only as whole days.
func (v value) addSeconds(seconds int64, nanos int32) (value, bool) {
	total := int64(v.nanos) + int64(nanos)
	v.num += seconds + (total-floorMod(total, 1e9))/1e9
	v.nanos, v.lexical = int32(floorMod(total, 1e9)), ""
	return v, v.num <= maxSeconds && v.num >= -maxSeconds
}

// addMonths moves a date or a moment by calendar months; the day is the last of
// the month where the month is too short (XML Schema, appendix E).
func (v value) addMonths(months int64) (value, bool) {
	if months > maxYears*12 || months < -maxYears*12 {
		return value{}, false
	}
	t := time.Unix(v.num, 0).UTC()
	index := int64(t.Year())*12 + int64(t.Month()) - 1 + months
	month := int(floorMod(index, 12)) + 1
	year := (index - floorMod(index, 12)) / 12
	if year > maxYears || year < -maxYears {
		return value{}, false
	}
	clock := floorMod(v.num, 86400)
	v.num, v.lexical = epochDays(year, month, min(t.Day(), daysIn(year, month)))*86400+clock, ""
	return v, true
}

// scanUnits reads numbers that are each followed by one of the units, in order.
func scanUnits(s, units string) ([]int64, bool) {
	out := make([]int64, len(units))
	at := 0
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n <= 0 {
			return nil, false
		}
		unit := strings.IndexByte(units[at:], s[n])
		number, err := strconv.ParseInt(s[:n], 10, 64)
		if unit < 0 || err != nil || number > maxSeconds {
			return nil, false
		}
		out[at+unit], at, s = number, at+unit+1, s[n+1:]
	}
	return out, true
}

func parseYearMonth(s string) (value, bool) {
	body, negative := strings.CutPrefix(s, "-")
	body, ok := strings.CutPrefix(body, "P")
	parts, fine := scanUnits(body, "YM")
	if !ok || !fine || body == "" || parts[0] > maxYears || parts[1] > maxYears*12 {
		return value{}, false
	}
	v := value{typ: typeYearMonthDuration, num: parts[0]*12 + parts[1], lexical: s}
	if negative {
		v.num = -v.num
	}
	return v, true
}

func formatYearMonth(months int64) string {
	if months < 0 {
		return "-" + formatYearMonth(-months)
	}
	return fmt.Sprintf("P%dY%dM", months/12, months%12)
}

func parseDayTime(s string) (value, bool) {
	body, negative := strings.CutPrefix(s, "-")
	body, ok := strings.CutPrefix(body, "P")
	day, clock, split := strings.Cut(body, "T")
	var nanos int32
	if dot := strings.IndexByte(clock, '.'); dot >= 0 {
		var rest string
		var fine bool
		if nanos, rest, fine = scanFraction(clock[dot:]); !fine || rest != "S" {
			return value{}, false
		}
		clock = clock[:dot] + "S"
	}
	days, fine := scanUnits(day, "D")
	times, fine2 := scanUnits(clock, "HMS")
	if !ok || !fine || !fine2 || body == "" || split && clock == "" {
		return value{}, false
	}
	v := value{typ: typeDayTimeDuration, nanos: nanos, lexical: s}
	for i, n := range []int64{days[0], times[0], times[1], times[2]} {
		unit := [...]int64{86400, 3600, 60, 1}[i]
		if n > maxSeconds/unit {
			return value{}, false
		}
		v.num += n * unit
	}
	if negative {
		v = v.negate()
	}
	return v, v.num <= maxSeconds && v.num >= -maxSeconds
}

// negate turns a duration around.
func (v value) negate() value {
	v.num, v.lexical = -v.num, ""
	if v.nanos > 0 {
		v.num, v.nanos = v.num-1, 1e9-v.nanos
	}
	return v
}

func formatDayTime(seconds int64, nanos int32) string {
	if seconds < 0 {
		v := value{num: seconds, nanos: nanos}.negate()
		return "-" + formatDayTime(v.num, v.nanos)
	}
	fraction := ""
	if nanos > 0 {
		fraction = strings.TrimRight(fmt.Sprintf(".%09d", nanos), "0")
	}
	return fmt.Sprintf("P%dDT%dH%dM%d%sS", seconds/86400, seconds/3600%24, seconds/60%60, seconds%60, fraction)
}
