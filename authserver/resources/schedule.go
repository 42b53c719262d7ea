package resources

import (
	"fmt"
	"time"
)

// The bounds of how often a target is compared with the ledger. Each comparison
// lists every account the target has.
const (
	minReconcile = 10 * time.Minute
	maxReconcile = 30 * 24 * time.Hour
)

// CheckReconcile says what is wrong with how often a target is compared.
func CheckReconcile(every time.Duration) error {
	if every < minReconcile || every > maxReconcile {
		return fmt.Errorf("must be a duration from %.0fm to %.0fh", minReconcile.Minutes(), maxReconcile.Hours())
	}
	return nil
}

func checkReconcile(path, every string, p *Problems) {
	if every == "" {
		return
	}
	if err := CheckReconcile(reconcileEvery(every)); err != nil {
		p.add(path, "%v", err)
	}
}

// reconcileEvery reads a checked text; "" is never.
func reconcileEvery(text string) time.Duration {
	d, _ := time.ParseDuration(text) // 0 after an error, which is out of range
	return d
}

func exportReconcile(every time.Duration) string {
	if every == 0 {
		return ""
	}
	return every.String()
}
