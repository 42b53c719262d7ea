package provisioning

import (
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

var zeroTime time.Time

const (
	slowRetry = 15 * time.Minute
	maxRetry  = time.Hour
	// giveUpAfter is how long work is tried before the account is failed.
	giveUpAfter = 7 * 24 * time.Hour
	maxDetail   = 500 // bytes of a connector's message that are kept
)

// backoff returns the pause after the n-th failure, n from 1.
func backoff(n int) time.Duration {
	switch n {
	case 0, 1:
		return time.Second
	case 2:
		return 5 * time.Second
	case 3:
		return 30 * time.Second
	case 4:
		return 2 * time.Minute
	case 5:
		return 10 * time.Minute
	case 6:
		return 30 * time.Minute
	default:
		return maxRetry
	}
}

// failed returns the account after a failure: due again later, or failed.
func (r *run) failed(a Account, e *sdk.Error) Account {
	now := r.Now()
	if a.FirstFailedAt.IsZero() {
		a.FirstFailedAt = now
	}
	a.Kind, a.Detail, a.Field = e.Kind, clip(e.Message), e.Field
	mode := policyOf(e.Kind).retry
	if mode == retryNone || now.Sub(a.FirstFailedAt) >= giveUpAfter {
		a.State, a.NextAttemptAt = StateFailed, zeroTime
		return a
	}
	a.State, a.NextAttemptAt = StateRetrying, now.Add(pauseFor(mode, a.Attempts, e.RetryAfter, r.Random()))
	return a
}

// pauseFor is how long to wait. A target that says when to come back is obeyed,
// up to maxRetry; otherwise the pause varies by a fifth, so that accounts that
// failed together do not come back together.
func pauseFor(mode retryMode, attempts int, told time.Duration, random float64) time.Duration {
	pause := backoff(attempts)
	if mode == retrySlow {
		pause = slowRetry
	}
	pause = time.Duration(float64(pause) * (0.8 + 0.4*random))
	if told > 0 && (mode == retryAfter || told > pause) {
		pause = told
	}
	return min(pause, maxRetry)
}

func clip(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return s[:maxDetail] + "…"
}
