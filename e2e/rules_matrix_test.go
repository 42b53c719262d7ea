package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// Everything rule sets can say, with every option and policy that matters: what the
// application receives at the end of a real authorization request, what page comes
// before, whether there is an account and what is recorded. What is to be expected
// is read from the documentation.
func TestRulesDecideWhatTheApplicationReceives(t *testing.T) {
	long(t)
	t.Parallel()
	documented := receivedTable(t)
	for name, c := range map[string]struct {
		language rules.Language
		database func(testing.TB) string
		all      bool
	}{ // below the gate nothing knows the language, and nothing above the stores the database
		"CEL, SQLite":       {rules.LanguageCEL, func(testing.TB) string { return "" }, true},
		"XACML, PostgreSQL": {rules.LanguageXACML, sqldbtest.PostgresURL, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMatrix(t, c.database(t))
			cells := m.cells(t, c.language, documented, c.all)
			m.walk(t, cells)
			if t.Failed() {
				return
			}
			m.left(t, cells)
			if c.all {
				m.explains(t, cells)
			}
		})
	}
}

// documentedRow is a row of the table: what a saying comes to, and what follows, by
// the heading of the column.
type documentedRow struct {
	outcome provisioning.RuleOutcome
	follows map[string]string
}

// The headings of the table's columns.
const (
	columnSkip   = "blocking, policy `skip`"
	columnRefuse = "blocking, policy `refuse`"
	columnOpen   = "not blocking"
	columnReport = "`report_only: true`"
)

// receivedTable reads the table from docs/decisions.md.
func receivedTable(t *testing.T) map[string]documentedRow {
	t.Helper()
	raw, err := os.ReadFile("../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(raw), "### What the application receives\n")
	if !found {
		t.Fatal("docs/decisions.md has no section on what the application receives")
	}
	out := map[string]documentedRow{}
	var head []string
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---"):
		case head == nil:
			head = cells
		default:
			row := documentedRow{provisioning.RuleOutcome(cells[1]), map[string]string{}}
			for i, cell := range cells[2:] {
				row.follows[head[i+2]] = cell
			}
			out[cells[0]] = row
		}
	}
	return out
}

// column is the heading of the column that a binding's options lead to.
func (r documentedRow) column(b provisioning.Binding) string {
	policy := b.OnRuleDeny
	if r.outcome == provisioning.RuleError {
		policy = b.OnRuleError
	}
	switch {
	case b.ReportOnly:
		return columnReport
	case !b.Blocking:
		return columnOpen
	case policy == provisioning.RuleRefuse:
		return columnRefuse
	default:
		return columnSkip
	}
}

// matrix is a stack with an application for every cell.
type matrix struct {
	*stack
	rp        *relyingParty
	directory *directory.Directory
	rows      *sqldb.DB
}

func newMatrix(t *testing.T, database string) *matrix {
	t.Helper()
	up, d := startElimity(t)
	m := &matrix{startStack(t, up, stackOptions{database: database}), nil, d, nil}
	m.rp, m.rows = newRelyingParty(t, m.issuer), m.db(t)
	m.Users.Hasher = user.NewHasher(user.Params{MemoryKiB: 8, Passes: 1, Threads: 1}) // hundreds of people sign in
	return m
}

// matrixCell is one combination, with an application and a person of its own.
type matrixCell struct {
	name      string
	said      saying
	row       documentedRow
	binding   provisioning.Binding
	login     string
	reference string // of the sign-in, once it was
}

func (c *matrixCell) expected() string { return c.row.follows[c.row.column(c.binding)] }

// cells sets every combination up. Unless all is set it leaves out those that
// differ only in what the documentation says makes no difference.
func (m *matrix) cells(t *testing.T, language rules.Language, documented map[string]documentedRow, all bool) []*matrixCell {
	t.Helper()
	said := sayings(language)
	if len(said) != len(documented) {
		t.Fatalf("the documentation has %d rows, want the %d of this test", len(documented), len(said))
	}
	var out []*matrixCell
	for i, s := range said {
		row, ok := documented[s.name]
		if !ok {
			t.Fatalf("the documentation does not speak of %q", s.name)
		}
		seen := map[string]bool{}
		for j := range 16 {
			b := combination(j)
			if !all && seen[row.column(b)] {
				continue
			}
			seen[row.column(b)] = true
			c := &matrixCell{said: s, row: row, binding: b, login: fmt.Sprintf("person-%d-%d", i, j)}
			c.name = fmt.Sprintf("%s, blocking %t, on_rule_deny %s, on_rule_error %s, report_only %t", s.name, b.Blocking, b.OnRuleDeny, b.OnRuleError, b.ReportOnly)
			c.binding.Client = provisioning.ClientID("app-" + c.login)
			m.prepare(t, c, fmt.Sprintf("set-%d", i))
			out = append(out, c)
		}
	}
	m.spoil(t, said)
	return out
}

func combination(i int) provisioning.Binding {
	policies := []provisioning.RulePolicy{provisioning.RuleSkip, provisioning.RuleRefuse}
	b := provisioning.NewBinding("", "directory")
	b.EnableRules, b.Blocking, b.ReportOnly = true, i&1 > 0, i&2 > 0
	b.OnRuleDeny, b.OnRuleError = policies[i>>2&1], policies[i>>3]
	return b
}

func (m *matrix) prepare(t *testing.T, c *matrixCell, set string) {
	t.Helper()
	app := application.New(c.binding.Client, "The application")
	app.RedirectURIs, app.SecretHash = []string{appCallback}, application.HashSecret(appSecret)
	app.Scopes, app.IDTokenAlg = append(app.Scopes, "provisioning"), application.AlgES256
	_, err := m.Applications.Put(t.Context(), app)
	check(t, err)
	if c.said.set.Source != "" {
		c.said.set.Name, c.binding.RuleSets = set, []string{set}
		_, err = m.RuleSets.Put(t.Context(), c.said.set, m.Now())
		check(t, err)
	}
	check(t, m.Bindings.Put(t.Context(), c.binding))
	person := user.User{Login: c.login, Email: c.login + "@example.com", GivenName: "Ada", FamilyName: "Example"}
	if strings.Contains(c.said.name, "steps") {
		person.Claims = map[string][]string{"many": manyValues("a"), "others": manyValues("b")}
	}
	_, err = m.Users.Import(t.Context(), person, password)
	check(t, err)
}

func manyValues(prefix string) []string {
	out := make([]string, rules.MaxListValues)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

// spoil removes rule sets that bindings name, as no command would.
func (m *matrix) spoil(t *testing.T, said []saying) {
	t.Helper()
	for i, s := range said {
		if s.gone {
			_, err := m.rows.Exec(t.Context(), "UPDATE rule_set SET deleted = TRUE WHERE name = $1", fmt.Sprintf("set-%d", i))
			check(t, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// walk lets every cell's person sign in to its application.
func (m *matrix) walk(t *testing.T, cells []*matrixCell) {
	t.Run("sign-in", func(t *testing.T) {
		for _, c := range cells {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				if got := m.signIn(t, c); got != c.expected() {
					t.Errorf("%s; documented is: %s", got, c.expected())
				}
			})
		}
	})
}

// signIn returns what happens, in the words of the documentation.
func (m *matrix) signIn(t *testing.T, c *matrixCell) string {
	rp := *m.rp
	rp.config.ClientID = string(c.binding.Client)
	r, b, atRedirect := rp.request(), newBrowser(), false
	stop := b.Stop
	b.Stop = func(u *url.URL) bool {
		atRedirect = atRedirect || stop(u) && m.has(c.login)
		return stop(u)
	}
	page := signIn(t, b, r.url, c.login)
	for page.Location == nil && page.Refresh > 0 && reference(page) == "" {
		page = m.get(t, b, page.URL.String())
	}
	if page.Location == nil {
		return m.turnedAway(t, b, page, c)
	}
	if _, err := rp.exchange(t.Context(), r, page.Location); err != nil {
		return fmt.Sprintf("no tokens: %v", err)
	}
	c.reference = m.referenceOf(t, c)
	switch {
	case atRedirect && c.binding.Blocking && !c.binding.ReportOnly:
		return "account, code"
	case atRedirect, c.expected() == "code, account" && m.follows(t, c):
		return "code, account"
	default:
		return "code, no account"
	}
}

func (m *matrix) get(t *testing.T, b *browser.Browser, address string) *browser.Page {
	page, err := b.Get(t.Context(), address)
	check(t, err)
	return page
}

// turnedAway reads the page and goes back to the application.
func (m *matrix) turnedAway(t *testing.T, b *browser.Browser, page *browser.Page, c *matrixCell) string {
	c.reference = reference(page)
	key := ""
	for _, k := range []string{provisioning.TextRules, provisioning.TextRuleDenied} {
		if strings.Contains(page.Text, web.English().T(k)) {
			key = k
		}
	}
	told := leave(t, b, page).Query()
	if text := told.Get("error_description"); !strings.Contains(text, c.reference) || strings.Contains(text, "rule") {
		return fmt.Sprintf("the application is told %q, want the reference %s and nothing of rules", text, c.reference)
	}
	account := "no account"
	if m.has(c.login) {
		account = "account"
	}
	return fmt.Sprintf("page `%s`, `%s`, %s", key, told.Get("error"), account)
}

func (m *matrix) has(login string) bool {
	return slices.ContainsFunc(m.directory.Accounts(), func(a directory.Account) bool { return a.UserName == login })
}

func (m *matrix) follows(t *testing.T, c *matrixCell) bool {
	eventually(t, c.name+": an account", func() bool { return m.has(c.login) })
	return true
}

func (m *matrix) referenceOf(t *testing.T, c *matrixCell) string {
	var out string
	err := m.rows.QueryRow(t.Context(), "SELECT reference FROM sign_ins WHERE user_id = $1", m.user(t, c.login).ID).Scan(&out)
	check(t, err)
	return out
}

// left looks, when everything is over, at who has an account and at what was
// recorded of every sign-in.
func (m *matrix) left(t *testing.T, cells []*matrixCell) {
	t.Helper()
	for _, c := range cells {
		if want := !strings.Contains(c.expected(), "no account"); m.has(c.login) != want {
			t.Errorf("%s: has an account: %t, want %t", c.name, !want, want)
		}
		decisions, err := m.Decisions.ByReference(t.Context(), c.reference)
		check(t, err)
		if len(decisions) == 0 {
			t.Errorf("%s: no decision is recorded of %s", c.name, c.reference)
		}
		for _, d := range decisions {
			c.recorded(t, d)
		}
	}
}

// recorded checks the record of one decision.
func (c *matrixCell) recorded(t *testing.T, d provisioning.Decision) {
	t.Helper()
	if len(d.Findings) != 1 || d.Findings[0].Rule != c.row.outcome {
		t.Errorf("%s: recorded is %+v, want that rules %s", c.name, d.Findings, c.row.outcome)
		return
	}
	f := d.Findings[0]
	if len(f.Rules) != len(c.binding.RuleSets) {
		t.Errorf("%s: %d rule sets are recorded, want %d", c.name, len(f.Rules), len(c.binding.RuleSets))
		return
	}
	for _, trace := range f.Rules {
		silent := trace.Message == "" && trace.Status == ""
		decides := strings.HasPrefix(c.said.name, trace.Decision)
		if c.row.outcome == provisioning.RuleError && silent || c.row.outcome != provisioning.RuleError && !decides {
			t.Errorf("%s: recorded is %+v", c.name, trace)
		}
	}
	refuses := strings.HasPrefix(c.row.follows[columnRefuse], "page")
	policy := documentedRow{c.row.outcome, nil}
	strict := c.binding
	strict.ReportOnly = false
	if would := c.binding.ReportOnly && refuses && policy.column(strict) == columnRefuse; (f.Would == provisioning.VerdictDeny) != would {
		t.Errorf("%s: would have been %q", c.name, f.Would)
	}
}

// explains asks the command about a sign-in of each saying.
func (m *matrix) explains(t *testing.T, cells []*matrixCell) {
	t.Helper()
	d := &deployment{dir: t.TempDir(), issuer: m.issuer, database: m.database}
	keys, err := os.ReadFile(m.keys)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(d.dir, "keys.json"), keys, 0o600))
	perSaying := map[string]*matrixCell{}
	for _, c := range cells {
		perSaying[c.said.name] = c
	}
	for _, name := range slices.Sorted(maps.Keys(perSaying)) {
		c := perSaying[name]
		var told struct {
			Decisions []struct{ Findings []provisioning.Finding }
		}
		check(t, json.Unmarshal([]byte(d.command(t, "signin", "explain", c.reference, "-o", "json")), &told))
		if len(told.Decisions) == 0 {
			t.Errorf("%s: signin explain knows no decision", name)
		}
		for _, decision := range told.Decisions {
			c.recorded(t, provisioning.Decision{Findings: decision.Findings})
		}
	}
}
