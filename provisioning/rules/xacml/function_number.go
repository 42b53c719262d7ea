package xacml

import (
	"math"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func (l library) addNumbers() {
	l.addArithmetic("add", true, addInt, func(a, b float64) float64 { return a + b })
	l.addArithmetic("subtract", false, subtractInt, func(a, b float64) float64 { return a - b })
	l.addArithmetic("multiply", true, multiplyInt, func(a, b float64) float64 { return a * b })
	l.addInteger("integer-divide", func(a, b int64) (int64, bool) {
		if b == 0 || a == math.MinInt64 && b == -1 {
			return 0, false
		}
		return a / b, true
	})
	l.addInteger("integer-mod", func(a, b int64) (int64, bool) {
		if b == 0 {
			return 0, false
		}
		if b == -1 {
			return 0, true // MinInt64 % -1 would trap
		}
		return a % b, true
	})
	l.add(fn1+"double-divide", one(typeDouble), pair(typeDouble), func(_ *evaluation, a []result) (result, *rules.Status) {
		if a[1].value.float() == 0 {
			return processing("division by zero")
		}
		return single(doubleValue(a[0].value.float() / a[1].value.float()))
	})
	l.add(fn1+"integer-abs", one(typeInteger), []kind{one(typeInteger)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		n := a[0].value.num
		if n == math.MinInt64 {
			return processing("integer out of range")
		}
		return single(integerValue(max(n, -n)))
	})
	l.addDouble("double-abs", math.Abs)
	l.addDouble("round", math.RoundToEven)
	l.addDouble("floor", math.Floor)
	l.addNumberConversions()
}

func (l library) addNumberConversions() {
	l.add(fn1+"double-to-integer", one(typeInteger), []kind{one(typeDouble)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		f := math.Trunc(a[0].value.float())
		if !(f >= -1<<63 && f < 1<<63) {
			return processing("double out of the range of integers")
		}
		return single(integerValue(int64(f)))
	})
	l.add(fn1+"integer-to-double", one(typeDouble), []kind{one(typeInteger)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return single(doubleValue(float64(a[0].value.num)))
	})
}

func (l library) addDouble(name string, f func(float64) float64) {
	l.add(fn1+name, one(typeDouble), []kind{one(typeDouble)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return single(doubleValue(f(a[0].value.float())))
	})
}

func (l library) addInteger(name string, f func(a, b int64) (int64, bool)) *function {
	return l.add(fn1+name, one(typeInteger), pair(typeInteger), func(_ *evaluation, a []result) (result, *rules.Status) {
		sum := a[0].value.num
		for _, x := range a[1:] {
			var ok bool
			if sum, ok = f(sum, x.value.num); !ok {
				return processing("integer out of range, or division by zero")
			}
		}
		return single(integerValue(sum))
	})
}

// addArithmetic adds a function for both kinds of numbers. Some take more than
// two arguments since XACML 3.0.
func (l library) addArithmetic(name string, variadic bool, ints func(a, b int64) (int64, bool), doubles func(a, b float64) float64) {
	l.addInteger("integer-"+name, ints).variadic = variadic
	l.add(fn1+"double-"+name, one(typeDouble), pair(typeDouble), func(_ *evaluation, a []result) (result, *rules.Status) {
		sum := a[0].value.float()
		for _, x := range a[1:] {
			sum = doubles(sum, x.value.float())
		}
		return single(doubleValue(sum))
	}).variadic = variadic
}

func addInt(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

func subtractInt(a, b int64) (int64, bool) {
	c := a - b
	return c, (c < a) == (b > 0)
}

func multiplyInt(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

func (l library) addTimes() {
	triple := []kind{one(typeTime), one(typeTime), one(typeTime)}
	l.add(fn2+"time-in-range", one(typeBoolean), triple, func(e *evaluation, a []result) (result, *rules.Status) {
		return truth(inRange(a[0].value, a[1].value, a[2].value, e.zone))
	})
	for _, f := range []struct {
		typ, by dataType
		name    string
		sign    int64
	}{
		{typeDateTime, typeDayTimeDuration, "dateTime-add-dayTimeDuration", 1},
		{typeDateTime, typeDayTimeDuration, "dateTime-subtract-dayTimeDuration", -1},
		{typeDateTime, typeYearMonthDuration, "dateTime-add-yearMonthDuration", 1},
		{typeDateTime, typeYearMonthDuration, "dateTime-subtract-yearMonthDuration", -1},
		{typeDate, typeYearMonthDuration, "date-add-yearMonthDuration", 1},
		{typeDate, typeYearMonthDuration, "date-subtract-yearMonthDuration", -1},
	} {
		l.add(fn3+f.name, one(f.typ), []kind{one(f.typ), one(f.by)}, func(_ *evaluation, a []result) (result, *rules.Status) {
			return shift(a[0].value, a[1].value, f.sign)
		})
	}
}

// shift moves a time by a duration, or back by it.
func shift(v, by value, sign int64) (result, *rules.Status) {
	if sign < 0 && by.typ == typeDayTimeDuration {
		by = by.negate()
	} else {
		by.num *= sign
	}
	moved, ok := v.addMonths(by.num)
	if by.typ == typeDayTimeDuration {
		moved, ok = v.addSeconds(by.num, by.nanos)
	}
	if !ok {
		return processing("time out of range")
	}
	return single(moved)
}

// inRange reports whether a time of day lies between two, both included; they
// wrap around midnight. Bounds without a zone are in that of the time.
func inRange(t, low, high value, zone int16) bool {
	if t.zoned {
		zone = t.zone
	}
	nanos := func(v value) int64 { return v.instant(zone)*1e9 + int64(v.nanos) }
	const day = 86400 * 1e9
	return floorMod(nanos(t)-nanos(low), day) <= floorMod(nanos(high)-nanos(low), day)
}
