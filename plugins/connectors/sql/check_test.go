package sql_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestCheckNamesTheStep has each step fail, and all pass.
func TestCheckNamesTheStep(t *testing.T) {
	db := newDatabase(t)
	db.exec(t, `create role check_reader login; grant select on all tables in schema public to check_reader`)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	_ = listener.Close()
	certified, certificate := tlsServer(t)
	for name, test := range map[string]struct {
		change func(*sql.Config)
		fails  string // "" for none
		says   string
	}{
		"fine":           {nil, "", ""},
		"no such host":   {func(c *sql.Config) { c.Address, c.TLS = "anteroom.invalid", "verify-full" }, "dns", "cannot be resolved"},
		"nobody there":   {func(c *sql.Config) { c.Address = closed }, "tcp", "no connection"},
		"no socket":      {func(c *sql.Config) { c.Address = "/nowhere" }, "tcp", "no connection"},
		"no TLS":         {func(c *sql.Config) { c.Address, c.TLS = answering(t, "N"), "verify-full" }, "tls", "offers no TLS"},
		"untrusted":      {func(c *sql.Config) { c.Address, c.TLS = certified, "verify-full" }, "tls", "certificate is not trusted"},
		"no database":    {func(c *sql.Config) { c.Address, c.TLS, c.CACertificates = certified, "verify-full", certificate }, "credentials", "lost"},
		"no such role":   {func(c *sql.Config) { c.Username = "nobody-there" }, "credentials", "28000"},
		"wrong database": {func(c *sql.Config) { c.Database = "nowhere" }, "credentials", "3D000"},
		"may not write":  {func(c *sql.Config) { c.Username = "check_reader" }, "permission", "create: the server answered SQLSTATE 42501"},
		"no such table":  {func(c *sql.Config) { c.Delete = "delete from acount where number = :id" }, "schema", "delete: "},
		"no such type":   {func(c *sql.Config) { c.SetActive = "update account set title = :active where number = :id" }, "schema", "set_active: uses :active"},
		"no id":          {func(c *sql.Config) { c.List = "select login from account" }, "schema", "list: must return a column id"},
		"a stray column": {func(c *sql.Config) { c.List = "select number as id, pay from account" }, "schema", "list: returns the column pay"},
		"not returned":   {func(c *sql.Config) { c.Create = "insert into account (login) values (:login)" }, "schema", "create: must return"},
		"not read":       {func(c *sql.Config) { c.Get = "select number as id, login from account where number = :id" }, "schema", "update: sets :user_id"},
		"two of a name":  {func(c *sql.Config) { c.List = "select number as id, login, name as login from account" }, "schema", "list: returns two columns"},
		"text as active": {func(c *sql.Config) { c.List = "select number as id, 'yes' as active from account" }, "schema", "list: returns active"},
		"groups":         {func(c *sql.Config) { c.Groups = "select name, name from member where number = :id" }, "schema", "groups: "},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := db.open(t, test.change).Check(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			status := sdk.CheckPassed
			for _, s := range steps {
				names = append(names, s.Name)
				want := status
				if s.Name == test.fails {
					want, status = sdk.CheckFailed, sdk.CheckSkipped
					if !strings.Contains(s.Detail, test.says) || s.Fix == "" {
						t.Errorf("%s says %q, fix %q; want %q", s.Name, s.Detail, s.Fix, test.says)
					}
				}
				if s.Status != want {
					t.Errorf("%s %s (%s), want %s", s.Name, s.Status, s.Detail, want)
				}
			}
			if diff := cmp.Diff([]string{"dns", "tcp", "tls", "credentials", "permission", "schema"}, names); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
	if db.count(t) != "0" {
		t.Error("a check has written")
	}
}

// TestPlainTextIsNotFallenBackTo has a server that refuses TLS: nothing more is
// said to it.
func TestPlainTextIsNotFallenBackTo(t *testing.T) {
	db := newDatabase(t)
	target := db.open(t, func(c *sql.Config) { c.Address, c.TLS = answering(t, "N"), "verify-full" })
	_, err := target.Get(soon(t), sdk.GetRequest{ID: "1"})
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindInvalid || e.Field != "address" {
		t.Errorf("error %#v, want the address refused", err)
	}
}

// answering is a server that answers what comes first with a text and fails the
// test if more comes.
func answering(t *testing.T, text string) string {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
			return // the step "tcp" says nothing
		}
		_, _ = io.WriteString(conn, text)
		if rest, _ := io.ReadAll(conn); len(rest) > 0 {
			t.Errorf("%d bytes were sent after %q", len(rest), text)
		}
	})
}

func serve(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// tlsServer has TLS as PostgreSQL does, with a certificate for 127.0.0.1, and no
// database behind it.
func tlsServer(t *testing.T) (address, certificate string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	config := s.TLS.Clone()
	return serve(t, func(conn net.Conn) {
		if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "S")
		_ = tlsHandshake(conn, config)
	}), certificate
}

func tlsHandshake(conn net.Conn, config *tls.Config) error {
	config = config.Clone()
	config.NextProtos = nil
	c := tls.Server(conn, config)
	defer c.Close()
	return c.Handshake()
}
