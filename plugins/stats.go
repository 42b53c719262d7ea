package plugins

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Stats is what the host knows of one version of a connector that is, or was, in
// use. Counters count from the host's start.
type Stats struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Version string `json:"version,omitempty"`
	State   State  `json:"state"`
	PID     int    `json:"pid,omitempty"`
	// RSS is the resident memory of the process in bytes; 0 where it is not known.
	RSS       int64       `json:"rss_bytes,omitempty"`
	Instances int         `json:"instances"` // connections it serves
	InFlight  int64       `json:"in_flight"`
	Starts    int64       `json:"starts"` // of its process, tries included
	Calls     []CallStats `json:"calls,omitempty"`
	// Problem says why a pinned version does not take over, "" if nothing is wrong.
	Problem string `json:"problem,omitempty"`
}

// CallStats counts the calls of one verb that ended in one way.
type CallStats struct {
	Verb string `json:"verb"`
	// Kind is the failure's kind, "" for success.
	Kind  sdk.Kind `json:"kind,omitempty"`
	Count int64    `json:"count"`
	// Total is how long they took together, waiting for a start included.
	Total time.Duration `json:"total_ns"`
	// Within counts those that took no longer than each of [CallBounds], and longer
	// than the bound before; slower ones are in Count alone.
	Within [callBounds]int64 `json:"-"`
}

// meter counts the calls of a program.
type meter struct {
	mu       sync.Mutex
	inFlight int64
	starts   int64
	crashes  int64
	calls    map[callKey]CallStats
}

type callKey struct {
	verb string
	kind sdk.Kind
}

// begin counts a call; the returned function counts how it ended.
func (m *meter) begin(verb string, now func() time.Time) func(error) {
	began := now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight++
	return func(err error) {
		took := now().Sub(began)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.inFlight--
		if m.calls == nil {
			m.calls = map[callKey]CallStats{}
		}
		key := callKey{verb, sdk.KindOf(err)}
		s := m.calls[key]
		m.calls[key] = s.Plus(CallStats{Verb: verb, Kind: key.kind, Count: 1, Total: took, Within: within(took)})
	}
}

func (m *meter) started() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts++
}

func (m *meter) crashed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashes++
}

func (m *meter) fill(s *Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.InFlight, s.Starts = m.inFlight, m.starts
	s.Calls = sortedCalls(m.calls)
}

// Stats returns what is in use now, by name; during an upgrade there are two of a
// name. A version that was to take over and does not is shown with its problem.
func (h *Host) Stats() []Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Stats
	for _, p := range h.programs {
		s := Stats{Name: p.key.name, Digest: p.key.digest, Version: p.knownDescription().Version, Instances: len(p.open)}
		s.State, _ = p.state()
		s.PID, s.RSS = p.processStats()
		p.record.meter.fill(&s)
		out = append(out, s)
	}
	for name, u := range h.upgrades {
		if err := u.failure(); err != nil && h.serving(choice{name: name}) != nil {
			s := Stats{Name: name, Digest: err.digest, Version: err.version, State: StateFailed, Problem: err.text}
			h.recordOf(programKey{name: name, digest: err.digest}).meter.fill(&s)
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Stats) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest)) })
	return out
}

func (p *program) processStats() (pid int, rss int64) {
	p.mu.Lock()
	proc := p.current
	p.mu.Unlock()
	if proc == nil {
		return 0, 0
	}
	pid, _ = strconv.Atoi(proc.run.ID())
	return pid, residentMemory(pid)
}

// residentMemory reads it where the system tells, and is 0 elsewhere.
func residentMemory(pid int) int64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
