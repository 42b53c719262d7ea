package runner

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// TestLogLimitsTheRate is trap 24 of docs/connector-traps.md.
func TestLogLimitsTheRate(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rec := &records{}
	log := NewLog(slog.New(rec), keep, func() time.Time { return clock })
	w := log.Writer("stderr")
	for i := range linesPerSecond + 50 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if got := strings.Count(rec.String(), "connector output\""); got != linesPerSecond {
		t.Errorf("logged %d lines at once, want %d", got, linesPerSecond)
	}
	clock = clock.Add(100 * time.Millisecond)
	for range 50 {
		fmt.Fprintln(w, "again")
	}
	if got := strings.Count(rec.String(), "again"); got != linesPerSecond/10 {
		t.Errorf("logged %d lines after 100 ms, want %d", got, linesPerSecond/10)
	}
	log.Flush()
	for _, want := range []string{"lines=50", "lines=30"} {
		if !strings.Contains(rec.String(), want) {
			t.Errorf("no report of dropped %s", want)
		}
	}
	if tail := log.Tail(); len(tail) != tailLines || tail[tailLines-1] != "again" || tail[0] != "line 100" {
		t.Errorf("tail of %d lines from %q to %q", len(tail), tail[0], tail[len(tail)-1])
	}
}

// TestLogSanitises is trap 24 of docs/connector-traps.md.
func TestLogSanitises(t *testing.T) {
	rec := &records{}
	log := NewLog(slog.New(rec), redactToken, time.Now)
	cases := []struct{ name, in, want string }{
		{"control characters", "a\x1b[31mred\x00\tb\r\n", "a\uFFFD[31mred\uFFFD b"},
		{"bad UTF-8", "a\xffb\n", "a\uFFFDb"},
		{"secret", "token hunter2-hunter2!\n", "token ***!"},
		{"line separator", "a\u2028b\n", "a\uFFFDb"},
		{"direction override", "a\u202eb\n", "a\uFFFDb"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _ = log.Writer("stdout").Write([]byte(c.in))
			if got := log.Tail(); got[len(got)-1] != c.want {
				t.Errorf("kept %q, want %q", got[len(got)-1], c.want)
			}
		})
	}
	before := len(log.Tail())
	_, _ = log.Writer("stdout").Write([]byte("\n  \n"))
	if len(log.Tail()) != before {
		t.Error("blank lines were kept")
	}
}

// TestLogSecretAtTheCut puts a secret across the place where a line is cut.
//
// It is trap 24 of docs/connector-traps.md.
func TestLogSecretAtTheCut(t *testing.T) {
	rec := &records{}
	log := NewLog(slog.New(rec), redactToken, time.Now)
	fmt.Fprintln(log.Writer("stderr"), strings.Repeat("x", maxLine-5)+"hunter2-hunter2"+strings.Repeat("y", 1<<20))
	if out := rec.String(); strings.Contains(out, "hunt") || !strings.Contains(out, "bytes cut") || len(out) > maxLine+200 {
		t.Errorf("logged %d bytes, ending in %q", len(out), out[max(0, len(out)-80):])
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte("{\"@level\":30}\n\xff\x1b[0m\nno newline"), 3)
	f.Add([]byte("hunter2-hunter2"), 7)
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		rec := &records{}
		log := NewLog(slog.New(rec), redactToken, time.Now)
		w := log.lines("stderr")
		step := max(1, min(chunk, len(b)))
		for rest := b; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			_, _ = w.Write(rest[:min(step, len(rest))])
		}
		w.flush()
		for _, line := range log.Tail() {
			if strings.Contains(line, "hunter2-hunter2") {
				t.Errorf("secret in %q", line)
			}
			if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("unsafe line %q", line)
			}
		}
	})
}
