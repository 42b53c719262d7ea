package plugins

import (
	"context"
	"time"
)

// Crash is how a process ended that should not have.
type Crash struct {
	At     time.Time
	Exit   string   // "exit status 2", "signal: killed", or why it did not start
	Output []string // its last lines, at most 200, redacted
}

// Crashes keeps reports of crashes, for those who look later or from elsewhere.
type Crashes interface {
	// Crashed is told of one crash. It bounds what it keeps.
	Crashed(ctx context.Context, name, digest string, c Crash) error
}

const (
	// crashLines is how much of the last output the log record of a crash repeats.
	crashLines = 10
	// crashTimeout bounds the writing of a report.
	crashTimeout = 5 * time.Second
)

// crashed records a crash.
func (p *program) crashed(proc *process, exit string) Crash {
	crash := Crash{At: p.host.opts.Now(), Exit: exit, Output: proc.log.Tail()}
	p.mu.Lock()
	p.crash = &crash
	p.mu.Unlock()
	if p.host.opts.Crashes == nil {
		return crash
	}
	ctx, cancel := context.WithTimeout(context.Background(), crashTimeout) // no caller's
	defer cancel()
	if err := p.host.opts.Crashes.Crashed(ctx, p.key.name, p.key.digest, crash); err != nil {
		proc.log.Logger().Warn("crash report was not kept", "error", err)
	}
	return crash
}
