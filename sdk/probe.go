package sdk

import (
	"context"
	"slices"
	"strings"
)

// Probe is one thing that a [Checker] tries; see [Probes].
type Probe struct {
	Name string // as in [CheckStep]
	Try  func(ctx context.Context) (detail string, err error)
	Fix  string // what an admin does when it fails
}

// Probes tries one thing after the other and returns the steps after those that
// came before, which may be none. After a failure the rest is skipped: it would
// fail for the same reason. What an admin reads of a failure is the message of
// its [*Error] and the field it names; the text of any other error stays inside,
// since nobody has looked at it for secrets.
func Probes(ctx context.Context, before []CheckStep, probes ...Probe) []CheckStep {
	out := slices.Clone(before)
	failed := slices.ContainsFunc(out, func(s CheckStep) bool { return s.Status == CheckFailed })
	for _, p := range probes {
		step := p.step(ctx, failed)
		failed = failed || step.Status == CheckFailed
		out = append(out, step)
	}
	return out
}

func (p Probe) step(ctx context.Context, skip bool) CheckStep {
	if skip {
		return CheckStep{Name: p.Name, Status: CheckSkipped, Detail: "an earlier step failed"}
	}
	detail, err := p.Try(ctx)
	if err != nil {
		e := AsError(err)
		return CheckStep{Name: p.Name, Status: CheckFailed, Detail: strings.TrimPrefix(e.Field+": "+e.Message, ": "), Fix: p.Fix}
	}
	return CheckStep{Name: p.Name, Status: CheckPassed, Detail: detail}
}
