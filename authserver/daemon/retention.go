package daemon

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// pruneEvery is how often old records are looked for. Each time all that are old
// are walked over, since those that must stay stay at the front.
const pruneEvery = time.Hour

// pruner deletes old records a step at a time: from where the last step ended,
// which "" is the beginning and the end of.
type pruner struct {
	of   string
	keep time.Duration
	step func(ctx context.Context, after string, before time.Time) (next string, deleted int, err error)
}

func (s *System) pruners() []pruner {
	return []pruner{
		{"attempts", s.Config.KeepAttempts, func(ctx context.Context, after string, before time.Time) (string, int, error) {
			next, n, err := s.Attempts.Prune(ctx, provisioning.AttemptID(after), before, cleanBatch)
			return string(next), n, err
		}},
		{"decisions", s.Config.KeepDecisions, func(ctx context.Context, after string, before time.Time) (string, int, error) {
			next, n, err := s.Decisions.Prune(ctx, provisioning.DecisionID(after), before, cleanBatch, s.tokens.LiveDecisions)
			return string(next), n, err
		}},
	}
}

// prune deletes the records that are older than they are kept.
func (s *System) prune(ctx context.Context) {
	for _, p := range s.pruners() {
		if p.keep <= 0 { // a configuration that was not loaded: to keep is safe
			continue
		}
		before, deleted := s.Now().Add(-p.keep), 0
		for after, done := "", false; !done; done = after == "" {
			next, n, err := p.step(ctx, after, before)
			if err != nil {
				if ctx.Err() == nil {
					s.log.WarnContext(ctx, "prune old records", "of", p.of, "error", err)
				}
				break
			}
			after, deleted = next, deleted+n
		}
		if deleted > 0 {
			s.log.InfoContext(ctx, "old records pruned", "of", p.of, "deleted", deleted)
		}
	}
}
