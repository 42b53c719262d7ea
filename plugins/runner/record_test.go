package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestLogLevels is trap 24 of docs/connector-traps.md.
func TestLogLevels(t *testing.T) {
	cases := map[string]slog.Level{
		`{"@level":"warn","@message":"x"}`:             slog.LevelWarn,
		`{"level":"ERROR","msg":"x"}`:                  slog.LevelError,
		`{"level":30,"msg":"pino"}`:                    slog.LevelInfo,
		`{"level":50,"msg":"pino"}`:                    slog.LevelError,
		`{"level":20,"msg":"pino"}`:                    slog.LevelDebug,
		`{"@level":{"a":1},"level":"debug","msg":"x"}`: slog.LevelDebug,
		`{"level":[],"msg":"x"}`:                       slog.LevelInfo,
		`{"msg":"x"}`:                                  slog.LevelInfo,
	}
	for line, want := range cases {
		r, ok := parseRecord([]byte(line))
		if !ok || r.level != want {
			t.Errorf("level of %s = %v, %v; want %v", line, r.level, ok, want)
		}
	}
	for _, line := range []string{`{"@level":"warn"`, `plain`, `{}`, `{"level":"error"}`, `{"msg":7}`, `{"msg":"x"} y`, `[]`, `null`} {
		if r, ok := parseRecord([]byte(line)); ok {
			t.Errorf("%s was taken for the record %+v", line, r)
		}
	}
}

// TestRecordsBecomeRecords logs as a connector does, and reads what the host
// wrote: neither the time nor the host's own fields are the child's to decide.
func TestRecordsBecomeRecords(t *testing.T) {
	var out bytes.Buffer
	host := slog.New(slog.NewJSONHandler(&out, nil)).With("connector", "acme")
	log := NewLog(host, redactToken, time.Now)
	child := slog.New(slog.NewJSONHandler(log.Writer("stderr"), &slog.HandlerOptions{Level: slog.LevelDebug}))

	child.With("instance", "one").WithGroup("http").Warn("slow\nanswer with hunter2-hunter2",
		"status", 503, "token", "hunter2-hunter2", "connector", "forged", "none", nil)
	child.Debug("not at the host's level")
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if at, err := time.Parse(time.RFC3339, got["time"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("time %v", got["time"])
	}
	delete(got, "time")
	want := map[string]any{
		"level": "WARN", "msg": "connector: slow\uFFFDanswer with ***", "connector": "acme", "stream": "stderr",
		"record": map[string]any{
			"http.connector": "forged", "http.none": "null", "http.status": "503", "http.token": "***", "instance": "one",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	rec := &records{}
	log := NewLog(slog.New(rec), keep, time.Now)
	line := map[string]any{"msg": strings.Repeat("m", 9000), strings.Repeat("k", 900): strings.Repeat("v", 3000)}
	for i := range 100 {
		line[fmt.Sprintf("a%03d", i)] = i
	}
	nested := any("leaf")
	for range 10 {
		nested = map[string]any{"g": nested}
	}
	line["a"] = nested
	b, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := parseRecord(b)
	if !ok || len(r.attributes) != maxAttributes {
		t.Fatalf("%d attributes, want %d", len(r.attributes), maxAttributes)
	}
	if a := r.attributes[0]; strings.Count(a.name, ".") != maxNesting || !strings.HasPrefix(a.text, "{") {
		t.Errorf("the nested attribute is %+v", a)
	}
	_, _ = log.Writer("stderr").Write(append(b, '\n'))
	if out := rec.String(); len(out) > 4*maxValue || !strings.Contains(out, "bytes cut") {
		t.Errorf("logged %d bytes: %.200s", len(out), out)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"level":30,"msg":"x","a":{"b":[1,{"c":null}]}}`))
	f.Add([]byte(`{"@message":"hunter2-hunter2","@level":{}}`))
	f.Add([]byte(`{"msg":"","":1e999}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		log := NewLog(slog.New(slog.NewTextHandler(&out, nil)), redactToken, time.Now)
		_, _ = log.Writer("stderr").Write(append(bytes.ReplaceAll(b, []byte("\n"), nil), '\n'))
		if !utf8.Valid(out.Bytes()) || strings.Contains(out.String(), "hunter2-hunter2") || strings.Count(out.String(), "\n") > 1 {
			t.Errorf("logged %q", out.String())
		}
	})
}
