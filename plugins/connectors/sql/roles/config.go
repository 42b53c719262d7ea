package roles

import (
	"slices"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one server.
type Config struct {
	Address        string     `config:"address,required" help:"Server as host:port, or the folder of a unix socket"`
	Database       string     `config:"database" default:"postgres" help:"Any database of the server"`
	Username       string     `config:"username,required" help:"Role to sign in as; it needs CREATEROLE and must be no superuser"`
	Password       sdk.Secret `config:"password" help:"Its password, if the server asks for one"`
	TLS            string     `config:"tls" default:"verify-full" enum:"verify-full,off" help:"How the connection is protected; off is for this machine only"`
	CACertificates string     `config:"ca_certificates" help:"PEM certificates to trust instead of the system's"`
	Groups         []string   `config:"groups" help:"Roles that may be granted and revoked; no others are touched"`
}

func (c Config) options() pg.Options {
	return pg.Options{
		Address: c.Address, Database: c.Database, Username: c.Username, Password: c.Password,
		TLS: c.TLS, CACertificates: c.CACertificates,
	}
}

// Validate reports what no single field can tell.
func (c Config) Validate() []sdk.Problem {
	problems := c.options().Problems()
	if slices.Contains(c.Groups, "") || slices.Contains(c.Groups, c.Username) {
		problems = append(problems, sdk.Problem{Field: "groups", Message: "must name roles other than the one we sign in as"})
	}
	return problems
}
