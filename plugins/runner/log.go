package runner

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	linesPerSecond = 200
	maxLine        = 16 << 10
	// slack is read beyond what is shown, so that a secret at the cut is still
	// whole when it is looked for.
	slack       = 4 << 10
	tailLines   = 200
	maxTailLine = 1 << 10
)

// Log is where everything a child prints goes. It trusts nothing of it: a line
// is cut at 16 KiB, control characters and known secrets are taken out, 200
// lines a second are logged and the rest is counted. A line of JSON as loggers
// write it becomes a record with its level, its message and, in a group of their
// own, its attributes; the child decides neither the time nor the other fields.
// The last 200 lines are kept for a crash report, logged or not.
type Log struct {
	redact func(string) string
	now    func() time.Time

	mu      sync.Mutex
	logger  *slog.Logger
	tokens  float64
	filled  time.Time
	dropped int
	tail    [][]byte // a ring; raw, since redacting a flood would cost too much
	next    int
}

// NewLog returns a Log that writes to logger, which carries the fixed fields; the
// child's pid is added when it is known. redact takes known secrets out of a line.
func NewLog(logger *slog.Logger, redact func(string) string, now func() time.Time) *Log {
	return &Log{logger: logger, redact: redact, now: now, tokens: linesPerSecond, filled: now()}
}

// Writer returns a writer for one stream of the child; "stdout" or "stderr".
// It is for one goroutine, never fails and never blocks on the child.
func (l *Log) Writer(stream string) io.Writer { return l.lines(stream) }

// Copy reads r to its end.
func (l *Log) Copy(stream string, r io.Reader) {
	w := l.lines(stream)
	_, _ = io.Copy(w, r) // the child closed it, or we did: either is the end
	w.flush()
}

// Tail returns the last lines, oldest first, sanitised.
func (l *Log) Tail() []string {
	l.mu.Lock()
	raw := append(append([][]byte{}, l.tail[l.next:]...), l.tail[:l.next]...)
	l.mu.Unlock()
	out := make([]string, len(raw))
	for i, line := range raw {
		out[i] = l.sanitise(line, maxTailLine, 0)
	}
	return out
}

// Redact takes control characters and known secrets out of a text.
func (l *Log) Redact(text string) string { return l.sanitise([]byte(text), maxLine, 0) }

// Flush logs how many lines were dropped since the last one was logged.
func (l *Log) Flush() {
	l.mu.Lock()
	n, logger := l.dropped, l.logger
	l.dropped = 0
	l.mu.Unlock()
	if n > 0 {
		logger.Warn("connector output dropped", "lines", n)
	}
}

// Logger returns the logger with the fixed fields.
func (l *Log) Logger() *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logger
}

func (l *Log) setPID(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logger = l.logger.With("pid", pid)
}

func (l *Log) lines(stream string) *lineWriter {
	return &lineWriter{max: maxLine + slack, emit: func(line []byte, dropped int) { l.line(stream, line, dropped) }}
}

func (l *Log) line(stream string, line []byte, cut int) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	if !l.admit(line) {
		return
	}
	l.Flush()
	if r, ok := parseRecord(line); ok {
		l.log(l.Logger(), stream, r)
		return
	}
	l.Logger().Info("connector output", "stream", stream, "line", l.sanitise(line, maxLine, cut))
}

// admit keeps the line for the tail and reports whether it may be logged.
func (l *Log) admit(line []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(line)
	now := l.now()
	l.tokens = min(linesPerSecond, l.tokens+now.Sub(l.filled).Seconds()*linesPerSecond)
	l.filled = now
	if l.tokens < 1 {
		l.dropped++
		return false
	}
	l.tokens--
	return true
}

func (l *Log) keep(line []byte) {
	line = bytes.Clone(line[:min(len(line), maxTailLine+slack)])
	if len(l.tail) < tailLines {
		l.tail = append(l.tail, line)
		return
	}
	l.tail[l.next] = line
	l.next = (l.next + 1) % tailLines
}

// sanitise makes a line safe to store and to show in a terminal.
func (l *Log) sanitise(line []byte, limit, cut int) string {
	text := l.redact(string(line))
	if len(text) > limit {
		cut += len(text) - limit
		text = text[:limit]
	}
	text = strings.Map(printable, strings.ToValidUTF8(text, "\uFFFD"))
	if cut > 0 {
		text += fmt.Sprintf(" … (%d bytes cut)", cut)
	}
	return text
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '\uFFFD'
	}
	return r
}
