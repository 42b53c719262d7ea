package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Matrix is servers × cases as docs/connector-contract.md has it.
type Matrix struct {
	servers []string
	cells   map[string]Results // by server
}

// NewMatrix returns a matrix without outcomes. The servers are its columns.
func NewMatrix(servers ...Server) *Matrix {
	m := &Matrix{cells: map[string]Results{}}
	for _, s := range servers {
		m.servers = append(m.servers, s.Name)
	}
	return m
}

// Set notes the outcomes of a server. Those of a run that left cases out are not
// taken.
func (m *Matrix) Set(server string, r Results) {
	if len(r) == len(Cases()) {
		m.cells[server] = r
	}
}

// Keep takes the outcomes of the servers that did not run from the document.
func (m *Matrix) Keep(document string) {
	old := parse(document)
	for _, s := range m.servers {
		if _, ran := m.cells[s]; !ran && old[s] != nil {
			m.cells[s] = old[s]
		}
	}
}

const (
	passed   = "yes"
	excluded = "–"
	failed   = "no"
	unknown  = "?"
)

const head = `# What every connector keeps

The cases of one suite, run with the engine and its ledger against every server through a proxy that fails as told. This page is written by the suite:
` + "`CI=true go test ./e2e/contract -update`" + `; without ` + "`-update`" + ` the run fails when a server does otherwise than the page says.

`

// Markdown returns the document.
func (m *Matrix) Markdown() string {
	var b strings.Builder
	b.WriteString(head)
	fmt.Fprintf(&b, "| case | %s |\n|---|%s\n", strings.Join(m.servers, " | "), strings.Repeat("---|", len(m.servers)))
	for _, c := range Cases() {
		row := []string{c.Name}
		for _, s := range m.servers {
			row = append(row, m.cell(s, c.Name))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n## What is not tried, and why\n\n")
	for _, s := range m.servers {
		for _, c := range slices.Sorted(maps.Keys(m.cells[s])) {
			if reason := m.cells[s][c].Reason; reason != "" {
				fmt.Fprintf(&b, "- **%s** · %s · %s\n", s, c, reason)
			}
		}
	}
	return b.String()
}

func (m *Matrix) cell(server, name string) string {
	o, known := m.cells[server][name]
	switch {
	case !known:
		return unknown
	case o.Reason != "":
		return excluded
	case o.Passed:
		return passed
	default:
		return failed
	}
}

// parse reads a document's outcomes by server and case.
func parse(document string) map[string]Results {
	out := map[string]Results{}
	var servers []string
	for line := range strings.Lines(document) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| case |"):
			servers = cellsOf(line)[1:]
		case strings.HasPrefix(line, "| ") && servers != nil:
			row := cellsOf(line)
			for i, cell := range row[1:] {
				if i < len(servers) && cell != unknown {
					note(out, servers[i], row[0], Outcome{Passed: cell == passed})
				}
			}
		case strings.HasPrefix(line, "- **"):
			parts := strings.SplitN(strings.TrimPrefix(line, "- **"), " · ", 3)
			if len(parts) == 3 {
				note(out, strings.TrimSuffix(parts[0], "**"), parts[1], Outcome{Reason: parts[2]})
			}
		}
	}
	return out
}

func note(to map[string]Results, server, name string, o Outcome) {
	if to[server] == nil {
		to[server] = Results{}
	}
	to[server][name] = o
}

func cellsOf(line string) []string {
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}
