package sql

import (
	"github.com/anteroom-id/anteroom/plugins/connectors/sql/pg"
	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one account table.
type Config struct {
	Address        string     `config:"address,required" help:"Server as host:port, or the folder of a unix socket"`
	Database       string     `config:"database,required" help:"Name of the database"`
	Username       string     `config:"username,required" help:"Role to sign in as; give it what the statements need and no more"`
	Password       sdk.Secret `config:"password" help:"Its password, if the server asks for one"`
	TLS            string     `config:"tls" default:"verify-full" enum:"verify-full,off" help:"How the connection is protected; off is for this machine only"`
	CACertificates string     `config:"ca_certificates" help:"PEM certificates to trust instead of the system's"`

	Lookup    string `config:"lookup,required" group:"Statements" help:"Accounts with :user_id or :login; the other one is NULL"`
	Get       string `config:"get,required" group:"Statements" help:"The account with :id"`
	Create    string `config:"create,required" group:"Statements" help:"Makes an account of the attributes and :active, and returns its id"`
	Update    string `config:"update,required" group:"Statements" help:"Sets the attributes of the account with :id"`
	SetActive string `config:"set_active" group:"Statements" help:"Sets :active of the account with :id"`
	Delete    string `config:"delete" group:"Statements" help:"Removes the account with :id"`
	List      string `config:"list" group:"Statements" help:"Every account"`

	Groups      string `config:"groups" group:"Groups" help:"Names of the groups of the account with :id that are Anteroom's to change, one a row"`
	GroupAdd    string `config:"group_add" group:"Groups" help:"Puts the account with :id into :group"`
	GroupRemove string `config:"group_remove" group:"Groups" help:"Takes the account with :id out of :group"`
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
	s, more := c.statements()
	problems = append(problems, more...)
	if groups := s.groups.given() + s.groupAdd.given() + s.groupRemove.given(); groups != 0 && groups != 3 {
		problems = append(problems, sdk.Problem{Field: "groups", Message: "groups, group_add and group_remove belong together: give all three or none"})
	}
	return problems
}
