package sqldb

import "time"

// Micros is how a time is stored: microseconds since 1970 UTC, 0 for the zero
// time. Both dialects keep it exactly.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the inverse of [Micros].
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
