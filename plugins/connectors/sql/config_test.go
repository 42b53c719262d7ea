package sql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
)

func TestValidateNamesTheField(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sql.Config)
		fields []string
	}{
		"good":              {func(*sql.Config) {}, nil},
		"a socket":          {func(c *sql.Config) { c.Address, c.TLS = "/run/postgresql", "off" }, nil},
		"this machine":      {func(c *sql.Config) { c.Address, c.TLS = "[::1]:5433", "off" }, nil},
		"no port":           {func(c *sql.Config) { c.Address = "db.example.com" }, nil},
		"plain elsewhere":   {func(c *sql.Config) { c.TLS = "off" }, []string{"tls"}},
		"plain, a trick":    {func(c *sql.Config) { c.Address, c.TLS = "localhost.example.com:5432", "off" }, []string{"tls"}},
		"no encryption":     {func(c *sql.Config) { c.TLS = "prefer" }, []string{"tls"}},
		"two hosts":         {func(c *sql.Config) { c.Address = "a.example.com,b.example.com:5432" }, []string{"address"}},
		"a URL":             {func(c *sql.Config) { c.Address = "postgres://db.example.com/x" }, []string{"address"}},
		"a bad port":        {func(c *sql.Config) { c.Address = "db.example.com:postgres" }, []string{"address"}},
		"no certificate":    {func(c *sql.Config) { c.CACertificates = "x" }, []string{"ca_certificates"}},
		"one key alone":     {func(c *sql.Config) { c.Lookup = "select 1 as id where :login = 'x'" }, []string{"lookup"}},
		"unknown parameter": {func(c *sql.Config) { c.Create = "insert into a values (:logn) returning id" }, []string{"create"}},
		"another's":         {func(c *sql.Config) { c.Update += " and :active" }, []string{"update"}},
		"no id":             {func(c *sql.Config) { c.Delete = "delete from account" }, []string{"delete"}},
		"two statements":    {func(c *sql.Config) { c.SetActive += "; select 1" }, []string{"set_active"}},
		"groups alone":      {func(c *sql.Config) { c.GroupAdd = "" }, []string{"groups"}},
		"no statement":      {func(c *sql.Config) { c.Get, c.Update = "", " " }, []string{"get", "update"}},
		"no database":       {func(c *sql.Config) { c.Database = "" }, []string{"database"}},
	} {
		c := statements()
		c.Address, c.Database, c.Username, c.TLS = "db.example.com:5432", "accounts", "anteroom", "verify-full"
		test.change(&c)
		var fields []string
		for _, p := range c.Validate() {
			fields = append(fields, p.Field)
		}
		if diff := cmp.Diff(test.fields, fields); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", name, diff)
		}
	}
}
