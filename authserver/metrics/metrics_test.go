package metrics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is everything metrics are made of.
type world struct {
	totals  []plugins.Totals
	counts  []provisioning.AccountCount
	targets []provisioning.TargetState
	err     error
	reads   int
	now     atomic.Int64 // nanoseconds after noon
}

func (w *world) Totals() []plugins.Totals { return w.totals }

func (w *world) Census(context.Context) ([]provisioning.AccountCount, error) {
	w.reads++
	return w.counts, w.err
}

func (w *world) Targets(context.Context) ([]provisioning.TargetState, error) { return w.targets, w.err }

func (w *world) time() time.Time { return noon.Add(time.Duration(w.now.Load())) }

func (w *world) metrics() *Metrics {
	return New(Options{
		Connectors: w, Ledger: w, Skew: func() time.Duration { return -1500 * time.Millisecond }, Now: w.time,
		Version: "v1.2.3", Go: "go1.26", Log: slog.New(slog.DiscardHandler),
	})
}

// busy is a world in which everything has happened.
func busy() *world {
	fast := plugins.CallStats{Verb: "lookup", Count: 3, Total: 3 * time.Second}
	fast.Within[0], fast.Within[7] = 2, 1
	slow := plugins.CallStats{Verb: "lookup", Kind: sdk.KindTransient, Count: 1, Total: time.Minute}
	return &world{
		totals: []plugins.Totals{{Name: "scim2", Starts: 3, Crashes: 2, InFlight: 1, RSS: 1 << 24, Calls: []plugins.CallStats{fast, slow}}},
		counts: []provisioning.AccountCount{
			{Target: "dir", State: provisioning.StateInSync, Count: 5}, {Target: "dir", State: provisioning.StateInSync, Held: true, Count: 2},
			{Target: "dir", State: provisioning.StateFailed, Count: 1},
		},
		targets: []provisioning.TargetState{
			{Target: "dir"}, {Target: "wiki", Health: provisioning.Health{OpenedAt: noon, ProbeUntil: noon.Add(time.Second)}},
		},
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("scrape = %d %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// ours leaves the lines of our metrics that are samples.
func ours(page string) string {
	var out strings.Builder
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "anteroom_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

var update = flag.Bool("update", false, "write testdata/scrape.txt")

// TestScrape compares all of our page. Written by
// go test ./authserver/metrics -run TestScrape -update.
func TestScrape(t *testing.T) {
	m := everything()
	got := ours(scrape(t, m))
	const file = "testdata/scrape.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-%s +got):\n%s", file, diff)
	}
}

// everything returns metrics that were told of everything there is.
func everything() *Metrics {
	m := busy().metrics()
	m.Permit(provisioning.Decision{Verdict: provisioning.VerdictPermit, Request: provisioning.Request{User: "ann"}}, nil, 400*time.Microsecond)
	m.Permit(provisioning.Decision{}, errors.New("no database"), 2*time.Second)
	m.Decided(provisioning.Decision{Verdict: provisioning.VerdictWait, Findings: []provisioning.Finding{{Verdict: provisioning.VerdictWait, Reason: "work is due"}}}, nil)
	m.Attempt(provisioning.Attempt{User: "ann", Target: "dir", Outcome: provisioning.OutcomeCreated})
	m.Attempt(provisioning.Attempt{User: "ann", Target: "dir", Kind: sdk.KindQuota})
	m.Request("GET /authorize", http.StatusSeeOther, 20*time.Millisecond)
	m.Request("", http.StatusNotFound, time.Millisecond)
	return m
}

func TestLint(t *testing.T) {
	m := everything()
	m.ledger.refresh(t.Context())
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// The database is asked now and then, however often somebody scrapes, and also
// when it fails.
func TestDatabaseIsReadEvery15Seconds(t *testing.T) {
	w := busy()
	m := w.metrics()
	steps := []struct {
		at    time.Duration
		err   error
		reads int
		up    bool
	}{
		{0, nil, 1, true},
		{15*time.Second - 1, errors.New("away"), 1, true},
		{15 * time.Second, errors.New("away"), 2, false},
		{20 * time.Second, nil, 2, false},
		{30 * time.Second, nil, 3, true},
	}
	for _, step := range steps {
		w.now.Store(int64(step.at))
		w.err = step.err
		page := scrape(t, m)
		up := strings.Contains(page, "\nanteroom_ledger_up 1\n")
		counts := strings.Contains(page, `anteroom_accounts{state="in_sync",target="dir"} 7`)
		if w.reads != step.reads || up != step.up || counts != step.up {
			t.Errorf("at %s: %d reads, up %v, counts %v, want %+v", step.at, w.reads, up, counts, step)
		}
	}
}

// A scrape whose client is gone reads all the same: the next must not be without
// counts for 15 seconds.
func TestCancelledScrapeReads(t *testing.T) {
	w := busy()
	m := w.metrics()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.ledger.source = heeding{w}
	m.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	if page := scrape(t, m); !strings.Contains(page, "\nanteroom_ledger_up 1\n") {
		t.Error("the cancelled scrape left no counts")
	}
}

// heeding is a ledger whose queries end with their context.
type heeding struct{ *world }

func (h heeding) Census(ctx context.Context) ([]provisioning.AccountCount, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return h.world.Census(ctx)
}

func TestHolds(t *testing.T) {
	open := provisioning.Health{OpenedAt: noon, ProbeAt: noon.Add(time.Minute)}
	probing := open
	probing.ProbeUntil = noon.Add(time.Second)
	dead := open
	dead.ProbeUntil = noon.Add(-time.Second)
	tests := []struct {
		state         provisioning.TargetState
		breaker, hold string
	}{
		{provisioning.TargetState{}, "closed", ""},
		{provisioning.TargetState{Maintenance: true}, "closed", "maintenance"},
		{provisioning.TargetState{Health: provisioning.Health{PausedUntil: noon.Add(time.Second)}}, "closed", "paused"},
		{provisioning.TargetState{Health: open}, "open", "open"},
		{provisioning.TargetState{Health: probing}, "half_open", "open"},
		{provisioning.TargetState{Health: dead}, "open", "open"},
		{provisioning.TargetState{Health: open, Maintenance: true}, "open", "maintenance"},
	}
	for _, tt := range tests {
		tt.state.Target = "dir"
		page := ours(scrape(t, (&world{targets: []provisioning.TargetState{tt.state}}).metrics()))
		for _, state := range []string{"closed", "open", "half_open"} {
			if line := fmt.Sprintf("anteroom_target_breaker_state{state=%q,target=\"dir\"} %v\n", state, one(state == tt.breaker)); !strings.Contains(page, line) {
				t.Errorf("%+v: no %s", tt.state, line)
			}
		}
		for _, reason := range []string{"maintenance", "paused", "open"} {
			if line := fmt.Sprintf("anteroom_target_hold{reason=%q,target=\"dir\"} %v\n", reason, one(reason == tt.hold)); !strings.Contains(page, line) {
				t.Errorf("%+v: no %s", tt.state, line)
			}
		}
	}
}

func TestReasons(t *testing.T) {
	const permit, wait, deny = provisioning.VerdictPermit, provisioning.VerdictWait, provisioning.VerdictDeny
	ok := provisioning.Finding{Verdict: permit, Reason: "in sync"}
	skipped := provisioning.Finding{Verdict: permit, Reason: "rules deny, skipped by policy"}
	report := provisioning.Finding{Verdict: permit, Reason: "report only: out of time"}
	due := provisioning.Finding{Verdict: wait, Reason: "work is due"}
	busy := provisioning.Finding{Verdict: wait, Reason: "waiting for the next try", Failure: provisioning.FailureUnavailable, Text: provisioning.TextBusy}
	late := provisioning.Finding{Verdict: deny, Reason: "out of time", Failure: provisioning.FailureUnavailable, Text: provisioning.TextOutOfTime}
	refused := provisioning.Finding{Verdict: deny, Reason: "failed", Failure: provisioning.FailureRefused, Text: provisioning.TextTaken}
	user := provisioning.Request{User: "ann"}
	tests := []struct {
		d    provisioning.Decision
		want string
	}{
		{provisioning.Decision{Verdict: permit, Request: user}, "no_bindings"},
		{provisioning.Decision{Verdict: permit}, "no_user"},
		{provisioning.Decision{Verdict: permit, Request: provisioning.Request{User: "ann", Exempt: true}}, "exempt"},
		{provisioning.Decision{Verdict: deny, Request: user}, "user_disabled"},
		{provisioning.Decision{Verdict: permit, Findings: []provisioning.Finding{ok}}, "in_sync"},
		{provisioning.Decision{Verdict: permit, Findings: []provisioning.Finding{ok, skipped, report}}, "rules_deny_skipped_by_policy"},
		{provisioning.Decision{Verdict: permit, Findings: []provisioning.Finding{report}}, "report_only_out_of_time"},
		{provisioning.Decision{Verdict: wait, Findings: []provisioning.Finding{ok, due}}, "work_is_due"},
		{provisioning.Decision{Verdict: wait, Failure: provisioning.Failure{Code: busy.Failure, Text: busy.Text}, Findings: []provisioning.Finding{due, busy}}, "waiting_for_the_next_try"},
		{provisioning.Decision{Verdict: deny, Failure: provisioning.Failure{Code: refused.Failure, Text: refused.Text}, Findings: []provisioning.Finding{due, late, refused}}, "failed"},
	}
	for _, tt := range tests {
		if got := reason(tt.d); got != tt.want {
			t.Errorf("reason of %+v = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestClasses(t *testing.T) {
	for status, want := range map[int]string{101: "1xx", 200: "2xx", 299: "2xx", 303: "3xx", 404: "4xx", 503: "5xx", 0: "other", 99: "other", 600: "other"} {
		if got := class(status); got != want {
			t.Errorf("class(%d) = %q, want %q", status, got, want)
		}
	}
}

// Nothing of a person or an application is on the page.
func TestNobodyIsNamed(t *testing.T) {
	m := everything()
	m.Permit(provisioning.Decision{
		ID: "the-decision", Verdict: provisioning.VerdictDeny, Request: provisioning.Request{User: "the-user", Client: "the-client", Reference: "THE-REF", SignIn: "the-sign-in"},
		Findings: []provisioning.Finding{{Target: "dir", Verdict: provisioning.VerdictDeny, Reason: "failed", Detail: "the-detail"}},
	}, nil, time.Millisecond)
	m.Attempt(provisioning.Attempt{ID: "the-attempt", User: "the-user", Target: "dir", OperationID: "the-operation", Kind: sdk.KindInvalid, Detail: "the-detail"})
	page := strings.ToLower(scrape(t, m))
	for _, word := range []string{"the-", "ann"} {
		if strings.Contains(ours(page), word) {
			t.Errorf("the page has %q", word)
		}
	}
}

func BenchmarkScrape(b *testing.B) {
	h := everything().Handler()
	for b.Loop() {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		_, _ = io.Copy(io.Discard, rec.Body)
	}
}
