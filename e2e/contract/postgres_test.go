package contract_test

import (
	"encoding/json"
	"net"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/anteroom-id/anteroom/e2e/contract"
	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

const (
	noPgDelay   = "PostgreSQL has no answer that asks to come back later"
	noPgRenewal = "PostgreSQL asks for the password when a connection is made; nothing is fetched that could be renewed"
)

func postgres() contract.Server {
	return contract.Server{
		Name: "PostgreSQL", Connector: sql.Connector(), Long: true,
		Changes: "given_name", Clears: "phone", Mapping: withPhone(sql.Connector()),
		Start: func(t *testing.T) contract.System { return newAccountTable(t) },
		Excluded: map[string]string{
			"429, Retry-After in seconds": noPgDelay,
			"429, Retry-After as a date":  noPgDelay,
			"401 once: one new token":     noPgRenewal,
		},
	}
}

// Of machines there are accounts, too, which the statements do not show.
const accountTable = `
	create table account (
		number bigserial primary key, owner text unique, login text not null, email text, given_name text, family_name text,
		name text, phone text, machine boolean not null default false, enabled boolean not null default true
	);
	create unique index on account (lower(login));
	create table team (name text primary key);
	create table member (number bigint references account on delete cascade, name text references team, primary key (number, name))`

const accountColumns = `select number as id, owner as user_id, login, email, given_name, family_name, name, phone,
	enabled as active from account where not machine`

var accountStatements = map[string]any{
	"lookup": accountColumns + ` and (owner = :user_id or lower(login) = lower(:login))`,
	"get":    accountColumns + ` and number = :id`,
	"list":   accountColumns,
	"create": `insert into account (owner, login, email, given_name, family_name, name, phone, enabled)
		values (:user_id, :login, :email, :given_name, :family_name, :name, :phone, :active) returning number as id`,
	"update": `update account set owner = :user_id, login = :login, email = :email, given_name = :given_name,
		family_name = :family_name, name = :name, phone = :phone where number = :id`,
	"set_active":   `update account set enabled = :active where number = :id`,
	"delete":       `delete from account where number = :id`,
	"groups":       `select name from member where number = :id`,
	"group_add":    `insert into member values (:id, :group)`,
	"group_remove": `delete from member where number = :id and name = :group`,
}

// accountDatabase is a database with an account table.
type accountDatabase struct {
	*pgxpool.Pool
	socket, database string
}

func newAccountTable(t *testing.T) accountDatabase {
	t.Helper()
	u, err := url.Parse(sqldbtest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	d := accountDatabase{socket: u.Query().Get("host"), database: "d_" + u.Query().Get("search_path")}
	d.Pool = d.open(t, "postgres")
	d.exec(t, "create database "+pgx.Identifier{d.database}.Sanitize())
	d.Pool = d.open(t, d.database)
	d.exec(t, accountTable)
	return d
}

func (d accountDatabase) open(t *testing.T, database string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), "host="+d.socket+" user=postgres dbname="+database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (d accountDatabase) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := d.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// Link implements contract.System.
func (d accountDatabase) Link(t *testing.T) (contract.Link, sdk.RawConfig) {
	link := contract.NewPostgresLink(t, func() (net.Conn, error) { return net.Dial("unix", d.socket+"/.s.PGSQL.5432") })
	config := map[string]any{"address": link.Addr, "database": d.database, "username": "postgres", "tls": "off"}
	for name, value := range accountStatements {
		config[name] = value
	}
	values, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return link, sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"password": "secret-of-the-database"}}
}

// Accounts implements contract.System.
func (d accountDatabase) Accounts(t *testing.T, login string) []contract.Account {
	t.Helper()
	rows, err := d.Query(t.Context(), `select number::text, login, coalesce(owner, ''), enabled, coalesce(given_name, ''), coalesce(phone, '')
		from account where lower(login) = lower($1) order by number`, login)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []contract.Account
	for rows.Next() {
		var a contract.Account
		var given, phone string
		if err := rows.Scan(&a.ID, &a.Login, &a.Owner, &a.Active, &given, &phone); err != nil {
			t.Fatal(err)
		}
		a.Values = map[string]string{"given_name": given, "phone": phone}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Put implements contract.System.
func (d accountDatabase) Put(t *testing.T, a contract.Account) string {
	t.Helper()
	d.exec(t, `insert into account (login, owner, enabled, given_name, phone) values ($1, nullif($2, ''), $3, nullif($4, ''), nullif($5, ''))`,
		a.Login, a.Owner, a.Active, a.Values["given_name"], a.Values["phone"])
	return d.Accounts(t, a.Login)[0].ID
}

// Remove implements contract.System.
func (d accountDatabase) Remove(t *testing.T, id string) {
	t.Helper()
	d.exec(t, `delete from account where number::text = $1`, id)
}

// Occupy implements contract.System: what has the login is a machine.
func (d accountDatabase) Occupy(t *testing.T, _ contract.Link, login string) {
	t.Helper()
	d.exec(t, `insert into account (login, machine) values ($1, true)`, login)
}

// MakeGroup implements contract.Groups.
func (d accountDatabase) MakeGroup(t *testing.T, name string) string {
	t.Helper()
	d.exec(t, `insert into team values ($1)`, name)
	return name
}

// Members implements contract.Groups.
func (d accountDatabase) Members(t *testing.T, group string) []string {
	t.Helper()
	rows, err := d.Query(t.Context(), `select number::text from member where name = $1`, group)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}
