package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/faultpoint"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// byName maps logins of given names: ada, ada2, ada3, …
const byName = `max_concurrency: 16
    on_user_delete: delete
    mapping:
      - {attribute: userName, unique: {candidates: ["user.given_name.slug()"], suffix: {start: 2, max: 99}}}
      - {attribute: name.givenName, source: user.given_name}
      - {attribute: name.familyName, source: user.family_name}
      - {attribute: email, source: user.email}`

// Fifty people of the same name register at the same time: everybody gets in, with a
// login in the directory that nobody else has. The server never sends one that is
// taken, and no later change of the people or of the target renames anybody.
func TestFiftyNamesakesRegisterAtOnce(t *testing.T) {
	long(t)
	eachDatabase(t, func(t *testing.T, database string) {
		up, d := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: true, timeout: 60s", target: byName})
		const people, slots = 50, 16
		crowd, release := held()
		s.proxy.Script(http.MethodPost, "/Users", slices.Repeat([]faultproxy.Fault{crowd}, slots)...)
		rp := newRelyingParty(t, s.issuer)
		pages := inParallel(t, people, func(ctx context.Context, i int) (visit, error) {
			b, r := browserAt(t, i), rp.request(promptCreate)
			page, err := b.Get(ctx, r.url)
			if err != nil {
				return visit{}, err
			}
			page, err = b.Submit(ctx, page, "/register", map[string]string{
				"login": namesake(i), "email": namesake(i) + "@example.com", "given_name": "Ada", "family_name": "Example", "password": password,
			})
			return visit{r, b, page}, err
		})
		eventually(t, "a create in every slot", func() bool { return s.proxy.Count(http.MethodPost, "/Users") == slots })
		release()
		inParallel(t, people, func(ctx context.Context, i int) (*url.URL, error) {
			return follow(ctx, pages[i].browser, pages[i].page)
		})
		if n := s.proxy.Count(http.MethodPost, "/Users"); n != people {
			t.Errorf("%d creates for %d people: a name was sent that another had", n, people)
		}
		logins := loginsOf(t, d, people)

		for i := range people {
			_, err := s.Users.Update(t.Context(), s.user(t, namesake(i)).ID, func(u *user.User) error {
				u.GivenName = "Grace"
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		s.apply(t, stackOptions{target: byName, config: "timeout: 9s"}) // which makes every account due
		for i := range people {
			s.account(t, namesake(i), func(a provisioning.Account) bool { return inSync(a) && a.TargetRev == 2 })
		}
		for id, login := range loginsOf(t, d, people) {
			if logins[id] != login {
				t.Errorf("a later sync renamed %s to %s", logins[id], login)
			}
		}
		if n := s.proxy.Count(http.MethodPost, "/Users"); n != people {
			t.Errorf("%d creates after a later sync", n)
		}
	})
}

func namesake(i int) string { return fmt.Sprintf("person%02d", i) }

// loginsOf returns the logins by account, and checks that they are ada, ada2 and so on
// without a gap: each once.
func loginsOf(t *testing.T, d *directory.Directory, people int) map[string]string {
	t.Helper()
	out := map[string]string{}
	var logins, want []string
	for i, a := range d.Accounts() {
		out[a.ID] = a.UserName
		logins = append(logins, a.UserName)
		if want = append(want, fmt.Sprintf("ada%d", i+1)); i == 0 {
			want[0] = "ada"
		}
	}
	slices.Sort(logins)
	slices.Sort(want)
	if !slices.Equal(logins, want) || len(logins) != people {
		t.Errorf("%d people have the logins %v", people, logins)
	}
	return out
}

// A server is killed at every point between the choice of a name and the record of the
// account that has it. The one that comes after it makes one account, with the name
// that was chosen first.
func TestKilledWhileNaming(t *testing.T) {
	long(t)
	t.Parallel()
	together(t, []testCase{
		{"sqlite", func(t *testing.T) { killWhileNaming(t, "") }},
		{"postgres", func(t *testing.T) { killWhileNaming(t, sqldbtest.PostgresURL(t)) }},
	})
}

func killWhileNaming(t *testing.T, database string) {
	address := freeAddress(t)
	c := faultyDeployment(t, address, database, []string{address})
	c.write(t, "names.yaml", resourcesYAML(c.proxy.URL, stackOptions{target: byName}))
	c.command(t, "apply", "-f", c.path("names.yaml"))
	p := c.prepare(t, address)
	p.start(t)
	points := []faultpoint.Point{
		faultpoint.Before(faultpoint.Reserve), faultpoint.After(faultpoint.Reserve), faultpoint.Before(faultpoint.Creating),
		faultpoint.After(faultpoint.Creating), faultpoint.Before(faultpoint.Create), faultpoint.After(faultpoint.Create),
		faultpoint.Before(faultpoint.Finish), faultpoint.After(faultpoint.Finish),
	}
	for i, at := range points {
		p.env = []string{faultpoint.Env + "=" + string(at) + ":kill"}
		p.restart(t)
		c.through(t, p, func(ctx context.Context) {
			c.command(t, "user", "create", namesake(i), "--given-name", "Ada", "--application", appID, "--no-password")
			for len(c.directory.Accounts()) <= i && pause(ctx, shortLease/100) {
			}
		})
		eventually(t, "the account after a kill at "+string(at), func() bool {
			return c.countRows(t, "SELECT COUNT(*) FROM account WHERE state = 'in_sync' AND lease_until = 0") == i+1
		})
	}
	loginsOf(t, c.directory, len(points))
	if kept := c.countRows(t, "SELECT COUNT(*) FROM reservation"); kept != len(points) {
		t.Errorf("%d names are kept for %d accounts", kept, len(points))
	}
}
