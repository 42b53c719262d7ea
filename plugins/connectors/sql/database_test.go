package sql_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

// soon is a context with a deadline that only a hanging test reaches.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const table = `
	create table account (
		number bigserial primary key,
		owner text unique,
		login text not null,
		email text check (email like '%@%'),
		given_name text, family_name text, name text, title text,
		pay integer,
		enabled boolean not null default true,
		changed integer not null default 1
	);
	create unique index account_login on account (lower(login));
	create table team (name text primary key);
	create table member (number bigint references account on delete cascade, name text references team, primary key (number, name));
	insert into team values ('staff'), ('ops');
`

const columns = `select number as id, owner as user_id, login, email, given_name, family_name, name, title,
	pay as extra_1, enabled as active, changed as version from account`

// statements are those an admin would write for the table.
func statements() sql.Config {
	return sql.Config{
		Lookup: columns + ` where owner = :user_id or lower(login) = lower(:login)`,
		Get:    columns + ` where number = :id`,
		Create: `insert into account (owner, login, email, given_name, family_name, name, title, pay, enabled)
			values (:user_id, :login, :email, :given_name, :family_name, :name, :title, :extra_1, :active) returning number as id`,
		Update: `update account set owner = :user_id, login = :login, email = :email, given_name = :given_name,
			family_name = :family_name, name = :name, title = :title, pay = :extra_1, changed = changed + 1 where number = :id`,
		SetActive:   `update account set enabled = :active where number = :id`,
		Delete:      `delete from account where number = :id`,
		List:        columns,
		Groups:      `select name from member where number = :id`,
		GroupAdd:    `insert into member values (:id, :group)`,
		GroupRemove: `delete from member where number = :id and name = :group`,
	}
}

// database makes a database of its own for a test.
type database struct {
	*pgx.Conn
	config sql.Config
}

func newDatabase(t *testing.T) database {
	t.Helper()
	u, err := url.Parse(sqldbtest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	admin := connect(t, "postgres://"+u.Path+"?"+u.RawQuery)
	cfg := statements()
	cfg.Address, cfg.Username, cfg.TLS = u.Query().Get("host"), "postgres", "off"
	cfg.Database = "d_" + u.Query().Get("search_path")
	if _, err := admin.Exec(t.Context(), "create database "+cfg.Database); err != nil {
		t.Fatal(err)
	}
	db := database{connect(t, "host="+cfg.Address+" user=postgres dbname="+cfg.Database), cfg}
	db.exec(t, table)
	return db
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func (db database) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := db.Conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// text is a query's one value.
func (db database) text(t *testing.T, query string, args ...any) string {
	t.Helper()
	var out string
	if err := db.QueryRow(t.Context(), query, args...).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (db database) count(t *testing.T) string {
	t.Helper()
	return db.text(t, "select count(*)::text from account")
}

func (db database) open(t *testing.T, change func(*sql.Config)) *sql.Target {
	t.Helper()
	cfg := db.config
	if change != nil {
		change(&cfg)
	}
	target, err := sql.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func socketOf(cfg sql.Config) string { return strings.TrimSuffix(cfg.Address, "/") + "/.s.PGSQL.5432" }

func op() sdk.Operation { return sdk.Operation{ID: "o", Attempt: 1} }

func ada() sdk.Attributes {
	return sdk.Attributes{"user_id": "u-1", "login": "ada", "email": "ada@example.com", "name": `o'Ada "; drop table account; --`}
}

func create(t *testing.T, target *sql.Target, attributes sdk.Attributes) sdk.Account {
	t.Helper()
	a, err := target.Create(soon(t), sdk.CreateRequest{Operation: op(), Attributes: attributes, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
