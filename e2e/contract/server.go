package contract

import (
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Server is a system to provision into, with the connector that does so.
type Server struct {
	Name      string // column of the matrix, such as "scimmy"
	Connector sdk.Connector
	// Start runs the system, empty, until the test ends. It is called once for all
	// cases, which run in parallel and keep apart by the names of their users.
	Start func(t *testing.T) System
	// Long is set for a server that is a process of its own: its cases run when
	// CI=true, and there they fail without it.
	Long bool
	// Changes is the attribute that the cases change: one with a source of the
	// profile that is a name, a phone number or an e-mail address.
	Changes string
	// Clears is the attribute that the cases remove, with such a source, too.
	Clears string
	// Login returns the login of a user of a short unique name; nil takes the name
	// as an address at example.com.
	Login func(name string) string
	// Mapping is the targets' mapping; nil takes what the connector declares.
	Mapping []provisioning.AttributeMapping
	// Issued are secrets that the connector gets from the server, such as tokens.
	Issued []sdk.Secret
	// Excluded gives the reason for each case, by its name, that this server
	// cannot show.
	Excluded map[string]string
}

// System is a running server, looked at behind the connector's back.
type System interface {
	// Link puts something that can fail between a connector and the system, and
	// returns the configuration that leads through it. Each case has its own.
	Link(t *testing.T) (Link, sdk.RawConfig)
	// Accounts returns the accounts with the login.
	Accounts(t *testing.T, login string) []Account
	// Put makes an account that Anteroom knows nothing of, active, and returns its
	// id. An empty Owner is an account that nobody claims.
	Put(t *testing.T, a Account) string
	// Remove deletes an account.
	Remove(t *testing.T, id string)
	// Occupy takes the login for something that a connector behind the link cannot
	// find.
	Occupy(t *testing.T, l Link, login string)
}

// Account is an account as the server has it.
type Account struct {
	ID     string // as the connector reports it
	Login  string
	Owner  string // "" when nobody claims it
	Active bool
	// Values has what is at [Server.Changes] and [Server.Clears], by these names;
	// "" and absent are the same.
	Values map[string]string
}

// Groups is a System whose connector sets groups.
type Groups interface {
	// MakeGroup makes an empty group and returns the name the mapping is to have.
	MakeGroup(t *testing.T, name string) string
	// Members returns the ids of the accounts in a group, each as often as it is
	// there.
	Members(t *testing.T, group string) []string
}
