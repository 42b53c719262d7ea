package provisioning

import "time"

// Bucket is a token bucket for runs, shared by every instance. It is kept as the
// time at which it is full again, so taking any number of tokens is one write of
// one number. The zero Bucket is full.
type Bucket struct{ FullAt time.Time }

// TokenEvery returns the time between two tokens at a rate per minute, 0 for no
// limit. It is a whole number of microseconds, rounded up: what is stored must not
// grant more than the rate.
func TokenEvery(perMinute int) time.Duration {
	if perMinute <= 0 {
		return 0
	}
	n := int64(perMinute)
	return time.Duration((time.Minute.Microseconds()+n-1)/n) * time.Microsecond
}

// capacity is what may be taken at once after a rest: a tenth of a minute's worth.
func capacity(perMinute int) int { return max(1, perMinute/10) }

// missing returns how far the bucket is from full, in time. A rate that was
// raised does not make up for what the old one still owes.
func (b Bucket) missing(perMinute int, now time.Time) time.Duration {
	most := time.Duration(capacity(perMinute)) * TokenEvery(perMinute)
	return min(most, max(0, b.FullAt.Sub(now)))
}

// Available returns how many of at most n runs may begin at now.
func (b Bucket) Available(n, perMinute int, now time.Time) int {
	every := TokenEvery(perMinute)
	if every == 0 {
		return n
	}
	most := time.Duration(capacity(perMinute)) * every
	return min(n, int((most-b.missing(perMinute, now))/every))
}

// Take returns the bucket without n tokens, which must be available.
func (b Bucket) Take(n, perMinute int, now time.Time) Bucket {
	every := TokenEvery(perMinute)
	if every == 0 || n == 0 {
		return b
	}
	return Bucket{now.Add(b.missing(perMinute, now) + time.Duration(n)*every)}
}

// ReadyAt returns when the bucket has a token.
func (b Bucket) ReadyAt(perMinute int) time.Time {
	every := TokenEvery(perMinute)
	if every == 0 || b.FullAt.IsZero() {
		return time.Time{}
	}
	return b.FullAt.Add(every - time.Duration(capacity(perMinute))*every)
}
