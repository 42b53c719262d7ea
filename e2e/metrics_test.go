package e2e

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
)

// TestDocsMetrics holds the table of docs/operations-metrics.md against what a
// server says after two sign-ins: every name, its type and its labels, both ways.
// And it is said nowhere but on the metrics' own listener.
func TestDocsMetrics(t *testing.T) {
	long(t)
	t.Parallel()
	up, _ := startElimity(t)
	address := freeAddress(t)
	s := startStack(t, up, stackOptions{metrics: address})
	firstAndSecondSignIn(t, s, goOIDC(newRelyingParty(t, s.issuer)), "ada")
	eventually(t, "the account is counted", func() bool { // it is read at most every 15 seconds
		_, page := fetch(t, "http://"+address+"/metrics")
		return strings.Contains(page, `anteroom_accounts{state="in_sync",target="directory"} 1`)
	})
	status, page := fetch(t, "http://"+address+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("scrape = %d %s", status, page)
	}
	want, got := documentedMetrics(t), scrapedMetrics(page)
	if len(want) < 15 {
		t.Fatalf("docs/operations-metrics.md has %d metrics", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/operations-metrics.md and the scrape differ (-documented +scraped):\n%s", diff)
	}
	for _, sample := range []string{
		`anteroom_connector_calls_total{connector="scim2",kind="ok",verb="create"} 1`,
		`anteroom_attempts_total{kind="ok",outcome="created",target="directory"} 1`,
		`anteroom_gate_decisions_total{reason="in_sync",verdict="permit"} 4`,
		`anteroom_http_request_duration_seconds_count{route="POST /oauth2/token",status="2xx"} 2`,
		`anteroom_connector_crashes_total{connector="scim2"} 0`,
		`anteroom_target_breaker_state{state="closed",target="directory"} 1`,
	} {
		if !strings.Contains(page, "\n"+sample+"\n") {
			t.Errorf("the scrape has no %s", sample)
		}
	}
	u := s.account(t, "ada", func(provisioning.Account) bool { return true }).User
	for _, word := range []string{string(u), "ada", appID, otherAppID} {
		if regexp.MustCompile(`(?m)^anteroom_.*\b` + word + `\b`).MatchString(page) {
			t.Errorf("the scrape names %s", word)
		}
	}
	if status, _ := fetch(t, s.issuer+"/metrics"); status != http.StatusNotFound {
		t.Errorf("the public listener answers /metrics with %d", status)
	}
	if status, _ := fetch(t, "http://"+address+"/healthz"); status != http.StatusNotFound {
		t.Errorf("the metrics' listener answers /healthz with %d", status)
	}
}

// documentedMetrics returns "type labels" by name, of the docs' table.
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(anteroom_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\|").FindAllStringSubmatch(readDoc(t, "docs/operations-metrics.md"), -1) {
		var labels []string
		for _, label := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		out[m[1]] = fmt.Sprint(m[2], " ", labels)
	}
	return out
}

// scrapedMetrics returns the same of a page. The names that are the library's
// begin with go_ or process_; nothing else may be there.
func scrapedMetrics(page string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(page, -1) {
		name := m[1]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		labels := []string{}
		for _, sample := range regexp.MustCompile(`(?m)^`+name+`(?:_bucket|_sum|_count)?\{(.*)\} \S+$`).FindAllStringSubmatch(page, -1) {
			for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(sample[1], -1) {
				if !slices.Contains(labels, label[1]) && label[1] != "le" {
					labels = append(labels, label[1])
				}
			}
		}
		slices.Sort(labels)
		out[name] = fmt.Sprint(m[2], " ", labels)
	}
	return out
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}
