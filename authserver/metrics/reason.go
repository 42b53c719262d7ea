package metrics

import (
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
)

// The reasons of decisions that no binding has a part in.
const (
	reasonExempt     = "exempt"      // the admin application
	reasonNoUser     = "no_user"     // the application acts for itself
	reasonNoBindings = "no_bindings" // the application needs no accounts
	reasonDisabled   = "user_disabled"
)

// reason says why, in one word out of few: what the gate said of the binding that
// decided. Where all permit, it is the first of them that did not because the
// account is in sync.
func reason(d provisioning.Decision) string {
	if len(d.Findings) == 0 {
		return bare(d)
	}
	for _, f := range d.Findings {
		decides := f.Verdict == d.Verdict && f.Failure == d.Failure.Code && f.Text == d.Failure.Text
		if decides && (f.Verdict != provisioning.VerdictPermit || f.Reason != inSync) {
			return code(f.Reason)
		}
	}
	return code(d.Findings[0].Reason)
}

// inSync is what the gate says of an account that needs nothing.
const inSync = "in sync"

func bare(d provisioning.Decision) string {
	switch {
	case d.Verdict != provisioning.VerdictPermit:
		return reasonDisabled
	case d.Request.Exempt:
		return reasonExempt
	case d.Request.User == "":
		return reasonNoUser
	default:
		return reasonNoBindings
	}
}

// code makes a label of the gate's constant text: "rules_deny_skipped_by_policy".
func code(text string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ':
			return '_'
		case ',', ':':
			return -1
		}
		return r
	}, text)
}
