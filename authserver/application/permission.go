package application

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Permission is what an application may do for a user: the user allowed it, or it
// holds codes or tokens of theirs.
type Permission struct {
	Client provisioning.ClientID
	Name   string
	Scopes []string // sorted; resource servers among them, see [ResourceScope]
	Since  time.Time
}

// resourcePrefix cannot begin a scope, which has no backslash (RFC 6749 section 3.3).
const resourcePrefix = `resource\`

// ResourceScope is how a resource server, by its identifier, stands among the scopes
// that a user allows. The pages know it by its first word.
func ResourceScope(identifier string) string { return resourcePrefix + identifier }

// ResourceScopes is [ResourceScope] for each of them.
func ResourceScopes(identifiers []string) []string {
	scopes := make([]string, len(identifiers))
	for i, id := range identifiers {
		scopes[i] = ResourceScope(id)
	}
	return scopes
}
