package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/anteroom-id/anteroom/sdk"
)

// usage is how much of the org's daily allowance of API requests is used, as the
// last answer told.
type usage struct {
	mu        sync.Mutex
	used, max int
	warned    bool
}

// scarce is the share of the allowance, in percent, from which on it is logged.
const scarce = 90

// note reads the header Sforce-Limit-Info, such as
// "api-usage=18/5000, per-app-api-usage=17/250(appName=x)".
func (u *usage) note(ctx context.Context, header http.Header) {
	used, limit, ok := parseLimitInfo(header.Get("Sforce-Limit-Info"))
	if !ok {
		return
	}
	u.mu.Lock()
	u.used, u.max = used, limit
	low := used*100 >= limit*scarce
	warn := low && !u.warned
	u.warned = low
	u.mu.Unlock()
	if warn {
		sdk.Logger(ctx).Warn("the org's daily API requests are nearly used up", "used", used, "allowed", limit)
	}
}

// String says how much is used, "" when the org has not told.
func (u *usage) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.max == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d API requests of the last 24 hours are used", u.used, u.max)
}

func parseLimitInfo(value string) (used, limit int, ok bool) {
	for part := range strings.SplitSeq(value, ",") {
		name, of, _ := strings.Cut(strings.TrimSpace(part), "=")
		if name != "api-usage" {
			continue
		}
		a, b, _ := strings.Cut(of, "/")
		used, errUsed := strconv.Atoi(a)
		limit, errLimit := strconv.Atoi(b)
		return used, limit, errUsed == nil && errLimit == nil && used >= 0 && limit > 0
	}
	return 0, 0, false
}
