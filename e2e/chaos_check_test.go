package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func (p place) of(login string) []directory.Account {
	return slices.DeleteFunc(p.Accounts(), func(a directory.Account) bool { return a.UserName != login })
}

// accountsOf returns the login's accounts at the first place.
func (c *chaos) accountsOf(login string) []directory.Account { return c.places[0].of(login) }

// awaitQuiet waits until nobody works on an account and none is overdue.
func (c *chaos) awaitQuiet(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), chaosDrain)
	defer cancel()
	db, err := sqldb.Open(ctx, c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const grace = 2 * time.Second // between due and claimed
	for {
		var leased, overdue int
		now := time.Now()
		err := db.QueryRow(t.Context(), `SELECT
			(SELECT count(*) FROM account WHERE lease_until > $1),
			(SELECT count(*) FROM account WHERE next_attempt_at > 0 AND next_attempt_at < $2)`,
			now.UnixMicro(), now.Add(-grace).UnixMicro()).Scan(&leased, &overdue)
		if err != nil {
			t.Fatal(err)
		}
		if leased+overdue == 0 {
			return
		}
		if !pause(ctx, 100*time.Millisecond) {
			c.wrongs("%s after the faults %d accounts are leased and %d overdue", chaosDrain, leased, overdue)
			return
		}
	}
}

// ledgerRow is what `account list` prints of an account.
type ledgerRow struct {
	User, Login, Target, State, Kind, Detail string
	ExternalID                               string `json:"external_id"`
	Working                                  bool
}

// holding names an account by who has it and where.
type holding struct{ login, target string }

func (c *chaos) ledger(t *testing.T) map[holding]ledgerRow {
	t.Helper()
	var rows []ledgerRow
	out := c.command(t, "account", "list", "-o", "json", "--limit", "100000")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	ledger := map[holding]ledgerRow{}
	for _, row := range rows {
		ledger[holding{row.Login, row.Target}] = row
	}
	return ledger
}

// oneAtATime checks what the lease and the fence are for. No worker begins with an
// account while another's lease on it lasts; and of two that overlap all the
// same, because one slept, the result of one was dropped.
func (c *chaos) oneAtATime(t *testing.T) {
	t.Helper()
	const pairs = ` FROM attempt a JOIN attempt b ON b.user_id = a.user_id AND b.target = a.target AND b.id <> a.id AND a.started_at <= b.started_at
		WHERE (a.ended_at = 0 OR a.ended_at > b.started_at)`
	const bothCount = ` AND a.ended_at > 0 AND b.ended_at > 0 AND a.detail NOT LIKE 'lease lost%' AND b.detail NOT LIKE 'lease lost%'`
	if n := c.countRows(t, "SELECT COUNT(*)"+pairs+bothCount); n > 0 {
		c.wrongs("%d times the results of two workers at once were taken", n)
	}
	// An attempt begins somewhat after its lease, on a busy machine.
	tooSoon := fmt.Sprintf(" AND b.started_at - a.started_at < %d", (c.lease / 2).Microseconds())
	if n := c.countRows(t, "SELECT COUNT(*)"+pairs+tooSoon); n > 0 {
		c.wrongs("%d times a worker began while another's lease lasted", n)
	}
}

func (d *deployment) countRows(t *testing.T, query string, args ...any) int {
	t.Helper()
	db, err := sqldb.Open(t.Context(), d.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var n int
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// ledgerAtRest is the ledger at a moment when nobody works: the retry of somebody
// who left, or is refused, may have begun between the look and the list.
func (c *chaos) ledgerAtRest(t *testing.T) map[holding]ledgerRow {
	t.Helper()
	const looks = 20
	for look := 1; ; look++ {
		ledger, working := c.ledger(t), false
		for _, row := range ledger {
			working = working || row.Working
		}
		if !working || look == looks {
			return ledger
		}
		c.awaitQuiet(t)
	}
}

func (c *chaos) check(t *testing.T) {
	t.Helper()
	for _, body := range c.blind {
		c.wrongs("a create of an account that was there: %s", body)
	}
	for _, place := range c.places {
		names, owners := map[string]int{}, map[string]int{}
		for _, a := range place.Accounts() {
			names[a.UserName]++
			owners[a.ExternalID]++
			if names[a.UserName] > 1 || owners[a.ExternalID] > 1 {
				c.wrongs("doubled at %s: %+v", place.name, a)
			}
		}
	}
	ledger := c.ledgerAtRest(t)
	failed := 0
	for _, p := range c.people {
		if !p.known || !p.in && !p.leaves && !p.told {
			c.wrongs("%s is not in after %d failed requests; at last %v, %s", p.login, p.problems, p.last, p.where())
		}
		if p.without != "" {
			c.wrongs("%s got a code with these accounts: %s", p.login, p.without)
		}
		for _, place := range c.places {
			row := ledger[holding{p.login, place.name}]
			c.checkAccount(p, place, row)
			if row.State == string(provisioning.StateFailed) {
				failed++
			}
		}
	}
	t.Logf("%d accounts are listed as failed, with their reason", failed)
	c.oneAtATime(t)
}

// where is the page the person is at.
func (p *person) where() string {
	if p.page == nil {
		return "no page"
	}
	return p.page.URL.Path + ": " + p.page.Text
}

// checkAccount compares what a place has of a person with what the ledger says.
func (c *chaos) checkAccount(p *person, at place, row ledgerRow) {
	found := at.of(p.login)
	if p.in && (len(found) != 1 || !found[0].Active || found[0].ExternalID != p.subject) {
		c.wrongs("%s has a token as %s, and at %s the accounts %+v", p.login, p.subject, at.name, found)
	}
	switch {
	case row.Working:
		c.wrongs("%s: somebody still works on %+v", p.login, row)
	case p.refused:
		// One of the two may wait while the other place has refused them already.
		listed := row.State == string(provisioning.StateFailed) && row.Kind == "invalid" && row.Detail != ""
		if !listed && (p.told == p.leaves || row.State != string(provisioning.StateRetrying)) || len(found) > 0 {
			c.wrongs("%s is refused, the ledger says %+v, %s has %+v", p.login, row, at.name, found)
		}
	case row.State == string(provisioning.StateInSync):
		if len(found) != 1 || found[0].ID != row.ExternalID || found[0].ExternalID != row.User {
			c.wrongs("%s: the ledger says %+v, %s has %+v", p.login, row, at.name, found)
		}
	case row.State == string(provisioning.StateRetrying) && row.Kind != "" && !p.in:
	default: // faults that pass fail no account
		c.wrongs("%s: ledger %+v", p.login, row)
	}
}
