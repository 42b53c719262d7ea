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
	// To wait for the target is not to fail: the one does not count for the other.
	if waited := a.Kind == sdk.KindPending; a.FirstFailedAt.IsZero() || waited != (e.Kind == sdk.KindPending) {
		a.FirstFailedAt = now
	}
	a.Kind, a.Detail, a.Field = e.Kind, clip(e.Message), e.Field
	mode := policyOf(e.Kind).retry
	if mode == retryNone || now.Sub(a.FirstFailedAt) >= giveUpAfter {
		a.State, a.NextAttemptAt = StateFailed, zeroTime
		return overdue(a)
	}
	a.State, a.NextAttemptAt = StateRetrying, now.Add(pauseFor(mode, a.Attempts, e.RetryAfter, r.Random()))
	return a
}

// overdue is an account that is given up. A pending one is not waited for any
// longer: whoever retries it by hand begins with a lookup, and may create.
func overdue(a Account) Account {
	if a.Kind == sdk.KindPending {
		a.Kind, a.Detail = sdk.KindOutcomeUnknown, clip("accepted by the target and never done: "+a.Detail)
	}
	return a
}

// awaited reports whether the target has accepted a create and not done it yet,
// as far as the last run knew.
func (r *run) awaited() bool {
	return r.account.CreateSent && r.account.Kind == sdk.KindPending
}

// stillPending is what becomes of a create that is awaited and not found. The
// first poll comes when the connector said, so that a pause as long as the wait so
// far keeps to that, and then doubles.
func (r *run) stillPending() error {
	e := &sdk.Error{Kind: sdk.KindPending, Effect: sdk.EffectNone, Message: r.account.Detail}
	if since := r.account.FirstFailedAt; !since.IsZero() {
		e.RetryAfter = max(minPoll, r.Now().Sub(since))
	}
	return e
}

// minPoll is the shortest pause before a pending create is looked for again.
const minPoll = time.Second

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
